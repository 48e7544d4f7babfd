//! Lines as queries see them.

use std::sync::Arc;

use weir_proto::{SpanId, TraceId, otlp::messages};

use super::span::{STRUCT_BYTES, attributes_bytes, value_bytes};

/// A whole line, decoded for display.
#[derive(Debug, Clone, PartialEq)]
pub struct LineRecord {
    /// The line as OTLP. Attributes come back in no particular order; an id that was none is empty.
    pub line: messages::logs::v1::LogRecord,
    /// Its place in time, Unix ns: when it happened, else when it was observed, else when it was received.
    pub time_ns: u64,
    /// Its resource.
    pub resource: Arc<messages::resource::v1::Resource>,
    /// Its scope.
    pub scope: Arc<messages::common::v1::InstrumentationScope>,
}

impl LineRecord {
    /// Bytes that it takes in memory, about; of what it shares with others its part.
    pub fn memory_bytes(&self) -> u64 {
        let line = &self.line;
        let body = line.body.as_ref().and_then(|body| body.value.as_ref()).map_or(0, value_bytes);
        let shared = attributes_bytes(&self.resource.attributes) / Arc::strong_count(&self.resource) as u64
            + attributes_bytes(&self.scope.attributes) / Arc::strong_count(&self.scope) as u64;
        let texts = line.severity_text.len() + line.event_name.len();
        5 * STRUCT_BYTES + body + texts as u64 + attributes_bytes(&line.attributes) + shared
    }
}

/// Lines of a trace, or of one of its spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinesWanted {
    pub(crate) trace: TraceId,
    pub(crate) span: Option<SpanId>,
    pub(crate) rows_max: usize,
}

/// What was read of a trace's lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceLines {
    /// Its lines, oldest first; those of one time in the order in which they came.
    pub rows: Vec<LineRecord>,
    /// More of it is in a segment that cannot be read.
    pub is_damaged: bool,
    /// There was no room for more of it.
    pub is_cut: bool,
}
