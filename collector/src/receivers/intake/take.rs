//! From a collected body to a durable batch: the path that all protocols share.

use std::sync::Arc;

use bytes::Bytes;
use weir_port::{Authenticate, Budget, Encoding, Refusal, Reservation, decompress};
use weir_proto::{Signal, TenantId, otlp::json, time::Clock};
use weir_store::Rejection;

use super::{
    format::Format,
    hint::Begin,
    metrics::{ITEMS_ACCEPTED, ITEMS_REJECTED, PAYLOAD_BYTES, WIRE_BYTES},
    refused::refused,
};
use crate::{
    Append, Arrival,
    admission::{AdmissionRules, PartialSuccess, admit, admit_lines},
    otlp_metrics::{MetricsIntake, Translated},
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
    /// Where metrics go; `None` where none are served.
    pub(crate) metrics: Option<Arc<MetricsIntake>>,
    pub(crate) authenticate: Authenticate,
    pub(crate) clock: Clock,
    pub(crate) rules: AdmissionRules,
    pub(crate) budget: Budget,
}

/// A body that arrived whole.
pub(crate) struct Received {
    pub(crate) signal: Signal,
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
    /// How many items were taken.
    pub(crate) items: u64,
    /// Set when items were rejected.
    pub(crate) partial: Option<PartialSuccess>,
    /// Which ones; not told of metrics.
    pub(crate) rejected: Vec<Rejection>,
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
        let Received { signal, protocol, encoding, .. } = received;
        WIRE_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(received.body.len() as u64);
        let now_ns = self.clock.now_ns();
        let (rules, metrics) = (self.rules.clone(), self.metrics.clone());
        let json = !received.format.is_canonical();
        let inline_bytes_max = if json { INLINE_JSON_BYTES_MAX } else { INLINE_BYTES_MAX };
        let (opened, received) = received.open_small(inline_bytes_max)?;
        let (taken, _reservation) = match opened {
            Some(content) => received.admit(content, now_ns, &rules, metrics.as_deref())?,
            None => {
                let task = tokio::task::spawn_blocking(move || {
                    let (content, received) = received.open()?;
                    received.admit(content, now_ns, &rules, metrics.as_deref())
                });
                match task.await {
                    Ok(result) => result?,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => return Err(Refusal::Stopped),
                }
            }
        };
        let Taken { what, strangers } = taken;
        let (arrival, partial) = match what {
            What::Arrival(arrival, partial) => (arrival, partial),
            What::Samples(translated, payload_bytes) => {
                PAYLOAD_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(payload_bytes);
                let is_empty = translated.accepted == 0 && translated.partial.is_none();
                let warning = json::in_words(signal, &strangers, is_empty);
                let metrics = self.metrics.as_ref().expect("they were translated by it");
                let (accepted, partial) = metrics.append(*translated).await.map_err(refused)?;
                count(signal, protocol, accepted, partial.as_ref());
                return Ok(Accepted { items: accepted, partial, rejected: Vec::new(), warning });
            }
        };
        PAYLOAD_BYTES.with_label_values(&[protocol, encoding.name()]).inc_by(arrival.payload_bytes());
        let accepted = arrival.accepted();
        let warning = json::in_words(signal, &strangers, arrival.is_empty());
        let rejected = arrival.rejected().to_vec();
        // A batch whose items were all rejected, or dropped by head sampling, is appended too: the ledger counts them.
        if !arrival.is_empty() {
            (self.append)(arrival).await.map_err(refused)?;
        }
        count(signal, protocol, accepted, partial.as_ref());
        Ok(Accepted { items: accepted, partial, rejected, warning })
    }
}

impl Intake {
    /// Admits and appends lines that came without a request; completes once they are durable.
    pub(crate) async fn take_lines(
        &self,
        protocol: &'static str,
        tenant: TenantId,
        payload: Bytes,
    ) -> Result<Accepted, Refusal> {
        let admitted = admit_lines(tenant, payload, self.clock.now_ns(), &self.rules)?;
        let (arrival, partial) = (Arrival::Lines(admitted.batch), admitted.partial);
        let (items, payload_bytes) = (arrival.accepted(), arrival.payload_bytes());
        let rejected = arrival.rejected().to_vec();
        if !arrival.is_empty() {
            (self.append)(arrival).await.map_err(refused)?;
        }
        PAYLOAD_BYTES.with_label_values(&[protocol, Encoding::Identity.name()]).inc_by(payload_bytes);
        count(Signal::Logs, protocol, items, partial.as_ref());
        Ok(Accepted { items, partial, rejected, warning: None })
    }
}

fn count(signal: Signal, protocol: &str, accepted: u64, partial: Option<&PartialSuccess>) {
    ITEMS_ACCEPTED.with_label_values(&[signal.name(), protocol]).inc_by(accepted);
    for (reason, count) in partial.iter().flat_map(|partial| &partial.reasons) {
        ITEMS_REJECTED.with_label_values(&[signal.name(), reason.name()]).inc_by(u64::from(*count));
    }
}

/// What a request came to.
struct Taken {
    what: What,
    /// The keys that nobody knows.
    strangers: Vec<json::Stranger>,
}

/// What is appended, and what is said of the rest.
#[expect(clippy::large_enum_variant, reason = "one a request, moved and never kept in numbers")]
enum What {
    /// A payload that is journalled as it is.
    Arrival(Arrival, Option<PartialSuccess>),
    /// Metrics, which are journalled as samples; and the bytes that they were.
    Samples(Box<Translated>, u64),
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
        let bytes_max = self.bytes_max;
        let content = match self.encoding {
            Encoding::Identity if self.body.len() > bytes_max => {
                return Err(Refusal::TooLarge { what: "the request", bytes_max });
            }
            Encoding::Identity if self.format.is_canonical() && self.body.len() <= COPIED_BYTES_MAX => {
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

    /// What the journal gets, and what holds its bytes.
    fn admit(
        mut self,
        content: Bytes,
        now_ns: u64,
        rules: &AdmissionRules,
        metrics: Option<&MetricsIntake>,
    ) -> Result<(Taken, Reservation), Refusal> {
        let begin = Begin::of(&content);
        let hinted = |refusal: Refusal| refusal.with_hint(begin.of_content(&self.format));
        let Self { signal, ref format, bytes_max, .. } = self;
        let (payload, strangers) =
            format.payload(signal, content, bytes_max, now_ns, rules, &mut self.reservation).map_err(hinted)?;
        let what = match signal {
            Signal::Traces => {
                let admitted = admit(self.tenant, payload, now_ns, rules).map_err(|error| hinted(error.into()))?;
                What::Arrival(Arrival::Spans(admitted.batch), admitted.partial)
            }
            Signal::Logs => {
                let admitted =
                    admit_lines(self.tenant, payload, now_ns, rules).map_err(|error| hinted(error.into()))?;
                What::Arrival(Arrival::Lines(admitted.batch), admitted.partial)
            }
            Signal::Metrics => {
                let metrics = metrics.expect("a port that takes metrics has where they go");
                let payload_bytes = payload.len() as u64;
                let translated = metrics.translate(self.tenant, payload, now_ns, rules.limits);
                What::Samples(Box::new(translated.map_err(|error| hinted(error.into()))?), payload_bytes)
            }
        };
        Ok((Taken { what, strangers }, self.reservation))
    }
}
