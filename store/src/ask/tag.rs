//! Tags, as Jaeger calls what a span shows: wherever it shows it.

use super::span::SpanState;

/// Something that a span must show, or must not.
#[derive(Debug, Clone, PartialEq)]
pub struct TagFilter {
    /// The ways of showing it; one is enough.
    pub any_of: Vec<Sought>,
    /// The span must show none of them.
    pub is_absent: bool,
}

impl TagFilter {
    /// A span that has this attribute somewhere.
    pub fn attribute(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { any_of: vec![Sought::Attribute { key: key.into(), text: text.into() }], is_absent: false }
    }
}

/// One way in which a span shows something.
#[derive(Debug, Clone, PartialEq)]
pub enum Sought {
    /// An attribute of the span, its resource, its scope, one of its events or one of its links. Its value is shown as this text: a string
    /// as it is; a boolean, an integer; a double by number (`1` fits 1.0), `NaN`, `Infinity`, `-Infinity`; bytes in base64; a list or map as
    /// JSON, whatever the order of keys and the space between; no value as an empty text.
    Attribute {
        /// The key.
        key: String,
        /// The value's text.
        text: String,
    },
    /// An event of this name; an empty one is none.
    EventName(String),
    /// A text of the span's own.
    Text(SpanText, String),
    /// So many, but not 0, were dropped before they got here.
    Dropped(DroppedItems, u32),
    /// OTLP SpanKind.
    Kind(i32),
    /// OTLP StatusCode.
    StatusCode(i32),
    /// Before or after its verdict.
    State(SpanState),
    /// How many arrived spans it stands for.
    AdjustedCount(f64),
}

/// A text that a span has beside its attributes. An empty one is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanText {
    /// The status' message.
    StatusMessage,
    /// W3C tracestate.
    TraceState,
    /// The scope's name.
    ScopeName,
    /// The scope's version.
    ScopeVersion,
}

/// What an SDK leaves out beyond its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroppedItems {
    /// Attributes of the span, or of one of its events.
    Attributes,
    /// Events.
    Events,
    /// Links.
    Links,
}
