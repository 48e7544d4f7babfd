//! Copies templates into requests. Everything in a request derives from seed, batch number and time: any batch can be
//! made again for comparison.

use weir_proto::{SpanId, TraceId};

use crate::{
    rng::{Rng, mix, nth},
    template::{NO_PARENT, Template},
    wire::{Kind, Patch},
};

/// Room before each message for gRPC's five byte prefix.
pub const HEAD_LEN: usize = 5;

/// Users, of which every trace has one.
const USERS: u64 = 100_000;
/// Products.
const PRODUCTS: u64 = 50_000;

/// Names one batch: with the seed, all of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchKey {
    /// Counts the batches of a seed.
    pub number: u64,
    /// When it was made, in Unix ns. Its spans ended shortly before.
    pub base_ns: u64,
}

/// A pool of templates and the seed of their copies.
#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    spans_per_batch: usize,
    templates: Vec<Template>,
    stretches: Vec<f64>,
}

/// What the spans of a trace share.
#[derive(Clone, Copy)]
pub(crate) struct TraceValues {
    pub(crate) id: [u8; 16],
    pub(crate) start_ns: u64,
    pub(crate) stretch: f64,
    pub(crate) user: u64,
    pub(crate) order: u64,
}

impl Traffic {
    /// `templates` batches of `spans_per_batch` spans to copy from (each takes some 450 bytes a span).
    pub fn new(seed: u64, spans_per_batch: usize, templates: usize) -> Self {
        Self::of_templates(seed, spans_per_batch, templates, 50, false)
    }

    /// As [`Self::new`], with another share of failed steps than 5 %.
    pub fn failing(seed: u64, spans_per_batch: usize, templates: usize, failed_per_mille: u64) -> Self {
        Self::of_templates(seed, spans_per_batch, templates, failed_per_mille, false)
    }

    /// As [`Self::new`], with the attribute `app.lane`: a number on 18 % of the spans, the text `north` on 10 %, a user's on 2 %.
    pub fn with_lanes(seed: u64, spans_per_batch: usize, templates: usize) -> Self {
        Self::of_templates(seed, spans_per_batch, templates, 50, true)
    }

    fn of_templates(seed: u64, spans_per_batch: usize, templates: usize, failed_per_mille: u64, lanes: bool) -> Self {
        let mut rng = Rng::new(seed);
        let template = |_| Template::new(&mut rng, spans_per_batch.max(1), failed_per_mille, lanes);
        let templates = (0..templates.max(1)).map(template).collect();
        let stretches = (0..4096).map(|_| rng.log_normal(1.0, 0.6).min(20.0)).collect();
        Self { seed, spans_per_batch: spans_per_batch.max(1), templates, stretches }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Spans in each batch.
    pub fn spans_per_batch(&self) -> usize {
        self.spans_per_batch
    }

    /// The ids of a batch's traces.
    pub fn traces(&self, number: u64) -> Vec<TraceId> {
        let key = self.key(number);
        (0..self.template(key).traces.len() as u64).map(|trace| TraceId(trace_id(key, trace))).collect()
    }

    /// The trace and span id of each span of a batch.
    pub fn spans(&self, number: u64) -> Vec<(TraceId, SpanId)> {
        let key = self.key(number);
        let ids = |trace: u32, span: u32| (TraceId(trace_id(key, trace.into())), SpanId(span_id(key, span)));
        self.template(key).spans.iter().map(|slots| ids(slots.trace, slots.number)).collect()
    }

    /// Appends [`HEAD_LEN`] bytes and the encoded request to an empty `out`.
    pub fn fill(&self, batch: BatchKey, out: &mut Vec<u8>) {
        let key = self.key(batch.number);
        let template = self.template(key);
        out.clear();
        out.reserve(HEAD_LEN + template.bytes.len());
        out.extend_from_slice(&[0; HEAD_LEN]);
        out.extend_from_slice(&template.bytes);
        let bytes = &mut out[HEAD_LEN..];
        let traces: Vec<TraceValues> = template
            .traces
            .iter()
            .enumerate()
            .map(|(n, &length_ns)| self.trace_values(key, n as u64, length_ns, batch.base_ns))
            .collect();
        let before = self.key(batch.number.wrapping_sub(1));
        let linked = (trace_id(before, 0), span_id(before, 0));
        let mut patch = 0;
        for slots in &template.spans {
            let trace = &traces[slots.trace as usize];
            put(bytes, slots.trace_id_at, &trace.id);
            put(bytes, slots.span_id_at, &span_id(key, slots.number));
            if slots.parent != NO_PARENT {
                put(bytes, slots.parent_id_at, &span_id(key, slots.parent));
            }
            put(bytes, slots.start_at, &trace.at(slots.start_ns).to_le_bytes());
            put(bytes, slots.end_at, &trace.at(slots.start_ns + slots.duration_ns).to_le_bytes());
            let own = nth(key ^ 0x5151, u64::from(slots.number));
            for (n, change) in template.patches[patch..slots.patches_end as usize].iter().enumerate() {
                let own = own.rotate_left(n as u32 * 11);
                change_value(bytes, change, trace, own, linked);
            }
            patch = slots.patches_end as usize;
        }
    }

    fn trace_values(&self, key: u64, trace: u64, length_ns: u32, base_ns: u64) -> TraceValues {
        let bits = nth(key ^ 0xa7a7, trace);
        // The jitter makes every duration one of its own.
        let jitter = 1.0 + (bits >> 40) as f64 * 1e-9;
        let stretch = self.stretches[(bits & 0xfff) as usize] * jitter;
        let late_ns = (bits >> 12) % 400_000_000;
        let start_ns = base_ns - (f64::from(length_ns) * stretch) as u64 - late_ns;
        TraceValues { id: trace_id(key, trace), start_ns, stretch, user: user(bits), order: nth(key ^ 0x0d3e, trace) }
    }

    fn key(&self, number: u64) -> u64 {
        nth(mix(self.seed), number)
    }

    fn template(&self, key: u64) -> &Template {
        &self.templates[(mix(key) % self.templates.len() as u64) as usize]
    }
}

/// Writes over one place of a span; `own` is a number of the span's, `linked` another trace and a span of it.
#[inline]
pub(crate) fn change_value(
    bytes: &mut [u8],
    patch: &Patch,
    trace: &TraceValues,
    own: u64,
    linked: ([u8; 16], [u8; 8]),
) {
    let at = patch.position;
    match patch.kind {
        Kind::User => put(bytes, at, &digits(trace.user)),
        Kind::Order => put(bytes, at, &hex(trace.order)),
        Kind::Product => put(bytes, at, &digits(100_000 + (own >> 32) % PRODUCTS)),
        Kind::Message => put(bytes, at, &hex(own)),
        Kind::Count => {
            let value = (1 << 14) + (own as u32 >> 12);
            put(bytes, at, &[value as u8 | 0x80, (value >> 7) as u8 | 0x80, (value >> 14) as u8 & 0x7f]);
        }
        Kind::Money => put(bytes, at, &((100 + own % 99_900) as f64 / 100.0).to_le_bytes()),
        Kind::Time(after_ns) => put(bytes, at, &trace.at(after_ns).to_le_bytes()),
        Kind::LinkedTrace => put(bytes, at, &linked.0),
        Kind::LinkedSpan => put(bytes, at, &linked.1),
    }
}

/// A user of a trace with such bits: some come more often than others.
pub(crate) fn user(bits: u64) -> u64 {
    let (a, b) = (mix(bits) % USERS, mix(bits ^ 1) % USERS);
    100_000 + a.min(b)
}

impl TraceValues {
    /// A moment so long after the start, as the trace is stretched.
    #[inline]
    pub(crate) fn at(&self, after_ns: u32) -> u64 {
        self.start_ns + (f64::from(after_ns) * self.stretch) as u64
    }
}

#[inline]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: u32, value: &[u8; N]) {
    bytes[at as usize..at as usize + N].copy_from_slice(value);
}

#[inline]
pub(crate) fn trace_id(key: u64, trace: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&nth(key ^ 0x7ace, trace * 2).to_le_bytes());
    // Never all zero, whatever the seed.
    id[8..].copy_from_slice(&(nth(key ^ 0x7ace, trace * 2 + 1) | 1).to_le_bytes());
    id
}

#[inline]
pub(crate) fn span_id(key: u64, number: u32) -> [u8; 8] {
    (nth(key, u64::from(number)) | 1).to_le_bytes()
}

/// Six decimal digits.
#[inline]
fn digits(mut value: u64) -> [u8; 6] {
    let mut text = [0; 6];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    text
}

#[inline]
fn hex(value: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (n, digit) in text.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(value >> (60 - 4 * n)) as usize & 15];
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;

    const BASE_NS: u64 = 1_790_000_000_000_000_000;

    fn decode(traffic: &Traffic, number: u64) -> ExportTraceServiceRequest {
        let mut bytes = Vec::new();
        traffic.fill(BatchKey { number, base_ns: BASE_NS }, &mut bytes);
        ExportTraceServiceRequest::decode(&bytes[HEAD_LEN..]).expect("valid OTLP")
    }

    #[test]
    fn copies_are_whole_distinct_and_repeatable() {
        let traffic = Traffic::new(7, 500, 4);
        let mut trace_ids = HashSet::new();
        let mut span_ids = HashSet::new();
        for number in 0..20 {
            let request = decode(&traffic, number);
            assert_eq!(request, decode(&Traffic::new(7, 500, 4), number));
            let spans: Vec<_> =
                request.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans).collect();
            assert_eq!(spans.len(), 500);
            let ids: Vec<_> = traffic.spans(number);
            let mut seen = HashSet::new();
            for (span, (trace_id, span_id)) in spans.iter().zip(&ids) {
                assert_eq!((&span.trace_id[..], &span.span_id[..]), (&trace_id.0[..], &span_id.0[..]));
                assert!(span_ids.insert(*span_id), "span ids are unique");
                seen.insert(*trace_id);
                assert!(span.start_time_unix_nano < span.end_time_unix_nano && span.end_time_unix_nano <= BASE_NS);
                let in_own_trace =
                    |id: &[u8]| spans.iter().any(|other| other.span_id == id && other.trace_id == span.trace_id);
                assert!(span.parent_span_id.is_empty() || in_own_trace(&span.parent_span_id), "parents exist");
            }
            assert_eq!(seen, traffic.traces(number).into_iter().collect());
            for id in seen {
                assert!(trace_ids.insert(id), "trace ids are unique");
            }
        }
    }

    #[test]
    fn spans_look_like_production_s() {
        let traffic = Traffic::new(7, 1000, 8);
        let mut users = HashSet::new();
        let mut bytes = Vec::new();
        let (mut attributes, mut encoded, mut failed) = (0, 0, 0);
        for number in 0..8 {
            traffic.fill(BatchKey { number, base_ns: BASE_NS }, &mut bytes);
            encoded += bytes.len();
            for of in decode(&traffic, number).resource_spans {
                assert_eq!(of.resource.expect("resource").attributes.len(), 8);
                for span in of.scope_spans.into_iter().flat_map(|of| of.spans) {
                    assert!((8..=12).contains(&span.attributes.len()), "{}: {}", span.name, span.attributes.len());
                    attributes += span.attributes.len();
                    failed += usize::from(span.status.is_some_and(|status| status.code == 2));
                    let user = span.attributes.into_iter().find(|pair| pair.key == "enduser.id");
                    users.extend(user.map(|pair| format!("{:?}", pair.value)));
                }
            }
        }
        assert!((8.5..11.0).contains(&(attributes as f64 / 8000.0)));
        assert!((350..550).contains(&(encoded / 8000)), "{} bytes a span", encoded / 8000);
        assert!((250..550).contains(&failed), "{failed} of 8000");
        assert!(users.len() > 500, "{}", users.len());
    }
}
