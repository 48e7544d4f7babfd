//! What a span's own contents say to whoever decides later: noted at arrival, kept beside its summary.

use weir_proto::otlp::traces::ScannedSpan;

/// What a span's own contents say to the policies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanMark {
    /// Predicates that hold, one bit each; a trace has the bits of all its spans.
    pub bits: u64,
    /// The same for the configuration before this one, for traces that began under it.
    pub previous_bits: u64,
    /// Whatever else the judge wants to know of the span, as a hash (operation, status and error type, say).
    pub key: u64,
    /// Encoded bytes of the span.
    pub bytes: u32,
    /// Whether it has no parent.
    pub is_root: bool,
}

/// Marks the spans of one payload, in order; remembers what it found of the resource that the last spans had in common.
pub trait SpanMarker {
    /// Adds what the policies' predicates say of one span, evaluated while its bytes are in cache. Straight to where it stays: a mark
    /// that is handed back is written by fields and read whole, and the processor waits for it each time.
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>);
}
