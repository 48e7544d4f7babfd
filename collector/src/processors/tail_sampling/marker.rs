//! Marks the spans of one payload: bits for the predicates that hold, and what else judges want to know.

use weir_proto::{SpanId, otlp::traces::ScannedSpan};
use weir_store::sampling::{SpanMark, SpanMarker};

use crate::policies::Predicates;

/// Remembers the bits of the resource that it met last.
pub(super) struct Marker<'p> {
    current: &'p Predicates,
    previous: Option<&'p Predicates>,
    resource_ordinal: Option<u32>,
    resource_bits: u64,
    resource_previous_bits: u64,
}

impl<'p> Marker<'p> {
    /// For one payload.
    pub(super) fn new(current: &'p Predicates, previous: Option<&'p Predicates>) -> Self {
        Self { current, previous, resource_ordinal: None, resource_bits: 0, resource_previous_bits: 0 }
    }
}

impl SpanMarker for Marker<'_> {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        if self.resource_ordinal != Some(span.resource_ordinal) {
            self.resource_ordinal = Some(span.resource_ordinal);
            self.resource_bits = self.current.of_resource(span.resource.attributes);
            let previous = self.previous.map(|previous| previous.of_resource(span.resource.attributes));
            self.resource_previous_bits = previous.unwrap_or_default();
        }
        let (bits, key) = self.current.of_span(span);
        let previous_bits = self.previous.map_or(0, |previous| previous.of_span(span).0);
        marks.push(SpanMark {
            bits: bits | self.resource_bits,
            previous_bits: previous_bits | self.resource_previous_bits,
            key,
            bytes: span.span.bytes.len() as u32,
            is_root: SpanId::from_wire(span.span.parent_span_id).is_none(),
        });
    }
}
