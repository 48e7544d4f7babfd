//! Lines as queries see them.

use std::sync::Arc;

use weir_proto::otlp::messages;

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

/// What was read of a trace's lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceLines {
    /// Its lines, oldest first; those of one time in the order in which they came.
    pub rows: Vec<LineRecord>,
    /// More of it is in a segment that cannot be read.
    pub is_damaged: bool,
}
