//! From a collected body to a durable batch: the path that all protocols share.

use bytes::Bytes;
use weir_proto::{TenantId, time::Clock};

use super::{
    budget::{Budget, Reservation},
    decompress::{Encoding, decompress},
    format::Format,
    metrics::{PAYLOAD_BYTES, SPANS_ACCEPTED, SPANS_REJECTED, WIRE_BYTES},
    refusal::Refusal,
};
use crate::{
    Append, Authenticate,
    admission::{AdmissionRules, Admitted, PartialSuccess, admit},
};

/// Bodies beyond this are decompressed and scanned where blocking is allowed, not on a worker that others wait for.
const INLINE_BYTES_MAX: usize = 4 << 20;

/// The same for JSON, which takes several times as long.
const INLINE_JSON_BYTES_MAX: usize = 128 << 10;

/// Smaller bodies are copied out of the connection's read buffer, which they would keep alive as a whole for as long as
/// the head holds them.
const COPIED_BYTES_MAX: usize = 64 << 10;

/// What takes requests in.
pub(crate) struct Intake {
    pub(crate) append: Append,
    pub(crate) authenticate: Authenticate,
    pub(crate) clock: Clock,
    pub(crate) rules: AdmissionRules,
    pub(crate) budget: Budget,
}

/// A body that arrived whole.
pub(crate) struct Received {
    pub(crate) protocol: &'static str,
    pub(crate) format: Format,
    pub(crate) tenant: TenantId,
    pub(crate) encoding: Encoding,
    pub(crate) body: Bytes,
    /// Limit after decompression.
    pub(crate) bytes_max: usize,
    /// Holds the body's bytes.
    pub(crate) reservation: Reservation,
}

/// What the sender is told; each protocol has its own words for it.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Set when spans were rejected.
    pub(crate) partial: Option<PartialSuccess>,
}

impl Accepted {
    /// The name in metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        if self.partial.is_some() { "partial" } else { "ok" }
    }
}

impl Intake {
    /// Decompresses, admits and appends; completes once the batch is durable.
    pub(crate) async fn take(&self, received: Received) -> Result<Accepted, Refusal> {
        let Received { protocol, encoding, .. } = received;
        WIRE_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(received.body.len() as u64);
        let now_ns = self.clock.now_ns();
        let rules = self.rules.clone();
        let json = received.format != Format::OtlpProtobuf;
        let inline_bytes_max = if json { INLINE_JSON_BYTES_MAX } else { INLINE_BYTES_MAX };
        let (admitted, _reservation) = if received.body.len() <= inline_bytes_max {
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
        let accepted_count = u64::from(batch.items) - batch.rejected.len() as u64 + u64::from(batch.head_dropped);
        // A batch whose spans were all rejected, or dropped by head sampling, is appended too: the ledger counts them.
        if batch.items > 0 || batch.head_dropped > 0 {
            (self.append)(batch).await?;
        }
        SPANS_ACCEPTED.with_label_values(&[protocol]).inc_by(accepted_count);
        for (reason, count) in partial.iter().flat_map(|partial| &partial.reasons) {
            SPANS_REJECTED.with_label_values(&[reason.name()]).inc_by(u64::from(*count));
        }
        Ok(Accepted { partial })
    }
}

impl Received {
    fn admit(mut self, now_ns: u64, rules: &AdmissionRules) -> Result<(Admitted, Reservation), Refusal> {
        let Self { format, bytes_max, .. } = self;
        let content = match self.encoding {
            Encoding::Identity if self.body.len() > bytes_max => {
                return Err(Refusal::TooLarge { what: "the request", bytes_max });
            }
            Encoding::Identity if format == Format::OtlpProtobuf && self.body.len() <= COPIED_BYTES_MAX => {
                Bytes::copy_from_slice(&self.body)
            }
            Encoding::Identity => self.body,
            encoding => {
                let content = decompress(encoding, &self.body, bytes_max, &mut self.reservation)?;
                self.reservation.give_back(self.body.len());
                Bytes::from(content)
            }
        };
        let payload = format.payload(content, bytes_max, now_ns, rules, &mut self.reservation)?;
        Ok((admit(self.tenant, payload, now_ns, rules)?, self.reservation))
    }
}
