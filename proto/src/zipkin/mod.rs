//! Zipkin v2 JSON to OTLP protobuf (<https://zipkin.io/zipkin-api/>, `POST /api/v2/spans`).
//!
//! The mapping is that of the OpenTelemetry Collector's Zipkin translator, docs/receivers.md has it in full. Where it would lose
//! something we differ: every tag stays on its span, and a span without a timestamp gets the best one there is instead of 1970.

mod endpoint;
mod groups;
mod ids;
mod span;
mod tags;

pub use crate::json::JsonError;
use crate::{json::Reader, otlp::wire::Writer};
use groups::Groups;
use span::ZipkinSpan;

/// What the sender does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscodeOptions {
    /// Tags that look like numbers or booleans become such attributes; otherwise all are strings.
    pub parse_string_tags: bool,
    /// When the list arrived, Unix ns: the start of spans of which nothing says when they were.
    pub received_at_ns: u64,
    /// Bytes of protobuf.
    pub bytes_max: usize,
}

/// At most this many times as many bytes are held while a list is transcoded, or come out: short spans get longer.
pub const EXPANSION_MAX: usize = 6;

/// A list of Zipkin spans as an ExportTraceServiceRequest: a resource for each service (and scope), in the order of their first
/// spans.
///
/// Both halves of a shared span keep its id, as they do in the Collector: who shows a trace tells them apart by kind.
pub fn transcode_spans(json: &[u8], options: TranscodeOptions) -> Result<Vec<u8>, JsonError> {
    let mut reader = Reader::new(json);
    let mut groups = Groups::new(options.bytes_max);
    let mut scratch = Writer::default();
    let mut items = reader.list().map_err(|error| error.of_field("the body"))?;
    while reader.item(&mut items)? {
        let at = reader.position();
        scratch.clear();
        let span = ZipkinSpan::read(&mut reader, &mut scratch, options.parse_string_tags)
            .map_err(|error| error.of_field("a span"))?;
        groups.add(&span, &mut scratch, at)?;
    }
    reader.end()?;
    groups.finish(options.received_at_ns)
}

#[cfg(test)]
mod tests;
