//! One pass over an ExportTraceServiceRequest: validates it and yields a view of each span.

mod events;
mod links;
mod message;
mod rewrite;
mod span;
mod views;

pub use events::{EventView, Events};
pub use links::{LinkView, Links};
pub use rewrite::Rewriter;
pub use views::{ScannedSpan, SpanView};

pub use super::{
    AttributeView, Attributes, Checks, ItemFault, KeySet, Limits, RawAttribute, ResourceView, ScanError, ScopeView,
    UNKNOWN_SERVICE, ValueView, array_values, key_values,
};
use super::{checks, chosen, messages::collector::trace::v1::ExportTraceServiceRequest, scan, wire::WireError};

/// Walks the payload once, in order, calling `on_span` for each span. Allocates nothing.
///
/// After an error, what `on_span` gathered from the spans before it is void. A payload has at most 4 GiB.
pub fn scan<'a>(payload: &'a [u8], checks: Checks, on_span: impl FnMut(&ScannedSpan<'a>)) -> Result<(), ScanError> {
    scan::scan(payload, checks, on_span)
}

/// Calls `on_span` for the spans at these ordinals (ascending, each once), as [`scan`] would show them.
///
/// What surrounds a span is read only when the span is wanted, nothing behind the last one at all. A fault in what is passed
/// over is not seen: the payload was scanned when it was admitted. After an error, what `on_span` got is void.
pub fn scan_chosen<'a>(
    payload: &'a [u8],
    ordinals: impl IntoIterator<Item = u32>,
    on_span: impl FnMut(&ScannedSpan<'a>),
) -> Result<(), ScanError> {
    chosen::scan_chosen(payload, ordinals, on_span)
}

/// Decodes and encodes again with prost, which merges repeated fields and orders them. Unknown fields are lost.
///
/// Refuses what prost refuses: beside malformed bytes, any string that is not UTF-8 and messages nested deeper than 100.
pub fn canonical(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    checks::canonical::<ExportTraceServiceRequest>(payload)
}

#[cfg(test)]
mod tests;
