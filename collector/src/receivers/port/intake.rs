//! From a collected body to a durable batch: the path that all protocols share.

use bytes::Bytes;
use weir_proto::{TenantId, otlp::json, time::Clock};

use super::{
    budget::{Budget, Reservation},
    decompress::{Encoding, decompress},
    format::Format,
    hint::Begin,
    metrics::{PAYLOAD_BYTES, SPANS_ACCEPTED, SPANS_REJECTED, WIRE_BYTES},
    refusal::Refusal,
};
use crate::{
    Append, Authenticate,
    admission::{AdmissionRules, Admitted, PartialSuccess, admit},
};

/// Bodies beyond this, compressed or decompressed, are worked on where blocking is allowed, not on a worker that others wait for.
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
    /// What else the sender should know.
    pub(crate) warning: Option<String>,
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
        let (opened, received) = received.open_small(inline_bytes_max)?;
        let (admitted, strangers, _reservation) = match opened {
            Some(content) => received.admit(content, now_ns, &rules)?,
            None => {
                let task = tokio::task::spawn_blocking(move || {
                    let (content, received) = received.open()?;
                    received.admit(content, now_ns, &rules)
                });
                match task.await {
                    Ok(result) => result?,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => return Err(Refusal::Stopped),
                }
            }
        };
        let Admitted { batch, partial } = admitted;
        PAYLOAD_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(batch.payload.len() as u64);
        let accepted_count = u64::from(batch.items) - batch.rejected.len() as u64 + u64::from(batch.head_dropped);
        let warning = json::in_words(&strangers, batch.items == 0 && batch.head_dropped == 0);
        // A batch whose spans were all rejected, or dropped by head sampling, is appended too: the ledger counts them.
        if batch.items > 0 || batch.head_dropped > 0 {
            (self.append)(batch).await?;
        }
        SPANS_ACCEPTED.with_label_values(&[protocol]).inc_by(accepted_count);
        for (reason, count) in partial.iter().flat_map(|partial| &partial.reasons) {
            SPANS_REJECTED.with_label_values(&[reason.name()]).inc_by(u64::from(*count));
        }
        Ok(Accepted { partial, warning })
    }
}

impl Received {
    /// The content, if it is small: what becomes large is decompressed where blocking is allowed. Whether it does is only known when it
    /// was tried.
    fn open_small(mut self, inline_bytes_max: usize) -> Result<(Option<Bytes>, Self), Refusal> {
        if self.body.len() > inline_bytes_max {
            return Ok((None, self));
        }
        if self.encoding == Encoding::Identity || self.bytes_max <= inline_bytes_max {
            return self.open().map(|(content, received)| (Some(content), received));
        }
        let reserved_bytes = self.reservation.bytes();
        match decompress(self.encoding, &self.body, inline_bytes_max, &mut self.reservation) {
            Ok(content) => {
                self.reservation.give_back(self.body.len());
                Ok((Some(content.into()), self))
            }
            // Judged again with the limit that holds.
            Err(Refusal::TooLarge { .. }) => {
                self.reservation.give_back(self.reservation.bytes() - reserved_bytes);
                Ok((None, self))
            }
            Err(refusal) => Err(refusal.with_hint(Begin::of(&self.body).of_compressed(self.encoding))),
        }
    }

    /// The content, whatever its size.
    fn open(mut self) -> Result<(Bytes, Self), Refusal> {
        let Self { format, bytes_max, .. } = self;
        let content = match self.encoding {
            Encoding::Identity if self.body.len() > bytes_max => {
                return Err(Refusal::TooLarge { what: "the request", bytes_max });
            }
            Encoding::Identity if format == Format::OtlpProtobuf && self.body.len() <= COPIED_BYTES_MAX => {
                Bytes::copy_from_slice(&self.body)
            }
            Encoding::Identity => std::mem::take(&mut self.body),
            encoding => {
                let content = decompress(encoding, &self.body, bytes_max, &mut self.reservation)
                    .map_err(|refusal| refusal.with_hint(Begin::of(&self.body).of_compressed(encoding)))?;
                self.reservation.give_back(self.body.len());
                Bytes::from(content)
            }
        };
        Ok((content, self))
    }

    /// What the journal gets, and the keys that nobody knows.
    fn admit(
        mut self,
        content: Bytes,
        now_ns: u64,
        rules: &AdmissionRules,
    ) -> Result<(Admitted, Vec<String>, Reservation), Refusal> {
        let begin = Begin::of(&content);
        let hinted = |refusal: Refusal| refusal.with_hint(begin.of_content(self.format));
        let (payload, strangers) =
            self.format.payload(content, self.bytes_max, now_ns, rules, &mut self.reservation).map_err(hinted)?;
        let admitted = admit(self.tenant, payload, now_ns, rules).map_err(|error| hinted(error.into()))?;
        Ok((admitted, strangers, self.reservation))
    }
}
