//! From a collected body to a durable batch: the path that both protocols share.

use bytes::Bytes;
use prost::Message;
use weir_proto::{
    TenantId,
    otlp::messages::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
    time::Clock,
};

use super::{
    budget::{Budget, Reservation},
    decompress::{Encoding, decompress},
    metrics::{PAYLOAD_BYTES, SPANS_ACCEPTED, SPANS_REJECTED, WIRE_BYTES},
    refusal::Refusal,
};
use crate::{
    Append, Authenticate,
    admission::{AdmissionRules, Admitted, admit},
};

/// Bodies beyond this are decompressed and scanned where blocking is allowed, not on a worker that others wait for.
const INLINE_BYTES_MAX: usize = 4 << 20;

/// Smaller bodies are copied out of the connection's read buffer, which they would keep alive as a whole for as long as
/// the head holds them.
const COPIED_BYTES_MAX: usize = 64 << 10;

/// What takes requests in.
pub(super) struct Intake {
    pub(super) append: Append,
    pub(super) authenticate: Authenticate,
    pub(super) clock: Clock,
    pub(super) rules: AdmissionRules,
    pub(super) budget: Budget,
}

/// A body that arrived whole.
pub(super) struct Received {
    pub(super) protocol: &'static str,
    pub(super) tenant: TenantId,
    pub(super) encoding: Encoding,
    pub(super) body: Bytes,
    /// Limit after decompression.
    pub(super) bytes_max: usize,
    /// Holds the body's bytes.
    pub(super) reservation: Reservation,
}

/// What the sender is told: an encoded ExportTraceServiceResponse.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Empty when every span was accepted.
    pub(super) response: Bytes,
    /// The name in metrics.
    pub(super) outcome: &'static str,
}

impl Intake {
    /// Decompresses, admits and appends; completes once the batch is durable.
    pub(super) async fn take(&self, received: Received) -> Result<Accepted, Refusal> {
        let Received { protocol, encoding, .. } = received;
        WIRE_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(received.body.len() as u64);
        let now_ns = self.clock.now_ns();
        let rules = self.rules;
        let (admitted, _reservation) = if received.body.len() <= INLINE_BYTES_MAX {
            received.admit(now_ns, &rules)?
        } else {
            let task = tokio::task::spawn_blocking(move || received.admit(now_ns, &rules));
            match task.await {
                Ok(result) => result?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Refusal::Stopped),
            }
        };
        let Admitted { batch, partial } = admitted;
        PAYLOAD_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(batch.payload.len() as u64);
        let accepted_count = u64::from(batch.items) - batch.rejected.len() as u64;
        // A batch whose spans were all rejected is appended too: the ledger counts them.
        if batch.items > 0 {
            (self.append)(batch).await?;
        }
        SPANS_ACCEPTED.with_label_values(&[protocol]).inc_by(accepted_count);
        let Some(partial) = partial else { return Ok(Accepted { response: Bytes::new(), outcome: "ok" }) };
        for (reason, count) in partial.reasons {
            SPANS_REJECTED.with_label_values(&[reason.name()]).inc_by(u64::from(count));
        }
        let partial_success = Some(ExportTracePartialSuccess {
            rejected_spans: i64::from(partial.rejected),
            error_message: partial.message,
        });
        let response = ExportTraceServiceResponse { partial_success }.encode_to_vec().into();
        Ok(Accepted { response, outcome: "partial" })
    }
}

impl Received {
    fn admit(mut self, now_ns: u64, rules: &AdmissionRules) -> Result<(Admitted, Reservation), Refusal> {
        let payload = match self.encoding {
            Encoding::Identity if self.body.len() > self.bytes_max => {
                return Err(Refusal::TooLarge { what: "the request", bytes_max: self.bytes_max });
            }
            Encoding::Identity if self.body.len() <= COPIED_BYTES_MAX => Bytes::copy_from_slice(&self.body),
            Encoding::Identity => self.body,
            encoding => {
                let payload = decompress(encoding, &self.body, self.bytes_max, &mut self.reservation)?;
                self.reservation.give_back(self.body.len());
                Bytes::from(payload)
            }
        };
        Ok((admit(self.tenant, payload, now_ns, rules)?, self.reservation))
    }
}
