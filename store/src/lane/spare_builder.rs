//! The builder of the run sealed last, kept for the next one: it has memory of the right size, which a new one would have to grow.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::segment::Builder;

/// A larger builder is let go of.
const SPARE_BYTES_MAX: u64 = 512 << 20;

/// So is one that is larger than this and than [`PAYLOADS_MAX`] times the payload that was in it: it grew for a larger run.
const ALWAYS_KEPT_BYTES: u64 = 16 << 20;

/// Memory of a builder over bytes of its payload; usual is 0.5 to 1.
const PAYLOADS_MAX: u64 = 4;

/// For so long a builder waits for the next run.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// At most one empty builder.
#[derive(Debug)]
pub(crate) struct SpareBuilder<B>(Mutex<Option<Spare<B>>>);

#[derive(Debug)]
struct Spare<B> {
    builder: B,
    since: Instant,
}

impl<B> Default for SpareBuilder<B> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<B: Builder> SpareBuilder<B> {
    /// The builder that is there, or a new one.
    pub(crate) fn take(&self) -> B {
        self.slot().take().map_or_else(B::default, |spare| spare.builder)
    }

    /// Keeps a builder, emptied, if it is not too large and there is none.
    pub(crate) fn put(&self, mut builder: B) {
        let mut slot = self.slot();
        let bytes_max = SPARE_BYTES_MAX.min(ALWAYS_KEPT_BYTES.max(builder.payload_bytes() * PAYLOADS_MAX));
        if slot.is_none() && builder.memory_bytes() <= bytes_max {
            builder.clear();
            *slot = Some(Spare { builder, since: Instant::now() });
        }
    }

    /// Lets go of a builder that has waited for too long.
    pub(crate) fn let_go(&self) {
        let mut slot = self.slot();
        if slot.as_ref().is_some_and(|spare| spare.since.elapsed() > IDLE_MAX) {
            *slot = None;
        }
    }

    fn slot(&self) -> parking_lot::MutexGuard<'_, Option<Spare<B>>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use weir_proto::otlp::messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };

    use super::*;
    use crate::segment::SpanBuilder;

    fn payload(numbers: std::ops::Range<u32>) -> Vec<u8> {
        let span =
            |n: u32| Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: format!("{n:01000}"), ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: numbers.map(span).collect(), ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn a_builder_comes_back_empty_and_with_its_memory() {
        let spare = SpareBuilder::<SpanBuilder>::default();
        let mut builder = spare.take();
        builder.push_payload(&payload(0..1000), &[]).expect("own bytes");
        let bytes = builder.memory_bytes();
        spare.put(builder);
        let again = spare.take();
        assert_eq!(again.rows(), 0);
        assert!(bytes > 1_000_000 && again.memory_bytes() >= bytes);
        assert!(spare.take().memory_bytes() < bytes, "there is one only");
    }

    #[test]
    fn a_builder_much_too_large_for_its_run_is_let_go() {
        let spare = SpareBuilder::<SpanBuilder>::default();
        let mut builder = spare.take();
        for part in 0..10 {
            builder.push_payload(&payload(part * 3000..(part + 1) * 3000), &[]).expect("own bytes");
        }
        spare.put(builder);
        let mut builder = spare.take();
        assert!(builder.memory_bytes() > ALWAYS_KEPT_BYTES);
        builder.push_payload(&payload(0..10), &[]).expect("own bytes");
        spare.put(builder);
        assert!(spare.take().memory_bytes() < ALWAYS_KEPT_BYTES);
    }
}
