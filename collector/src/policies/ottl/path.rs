//! Paths: which field of a span, its event, scope or resource is meant.

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Span,
    Event,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    SpanAttribute(Box<str>),
    ResourceAttribute(Box<str>),
    ScopeAttribute(Box<str>),
    EventAttribute(Box<str>),
    SpanName,
    EventName,
    EventTime,
    ScopeName,
    ScopeVersion,
    Kind,
    KindText,
    StatusCode,
    StatusMessage,
    StartTime,
    EndTime,
    Duration,
    TraceState,
    TraceStateEntry(Box<str>),
    TraceId,
    SpanId,
    ParentSpanId,
}

/// Names of OTTL's enums, and their values.
const ENUMS: [(&str, i64); 9] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];

/// The value behind an enum's name.
pub(super) fn enum_value(name: &str) -> Option<i64> {
    ENUMS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// What a path's words, and the key in brackets behind them, mean.
pub(super) fn resolve(words: &[&str], key: Option<&str>, context: Context) -> Option<Path> {
    // A bare word belongs to what the condition is about; other things are named first.
    let (owner, words) = match words {
        ["span", rest @ ..] => ("span", rest),
        ["spanevent", rest @ ..] if context == Context::Event => ("spanevent", rest),
        ["resource", rest @ ..] => ("resource", rest),
        ["scope" | "instrumentation_scope", rest @ ..] => ("scope", rest),
        words if context == Context::Event => ("spanevent", words),
        words => ("span", words),
    };
    if let Some(key) = key {
        let key = key.into();
        return match (owner, words) {
            ("span", ["attributes"]) => Some(Path::SpanAttribute(key)),
            ("span", ["trace_state"]) => Some(Path::TraceStateEntry(key)),
            ("resource", ["attributes"]) => Some(Path::ResourceAttribute(key)),
            ("scope", ["attributes"]) => Some(Path::ScopeAttribute(key)),
            ("spanevent", ["attributes"]) => Some(Path::EventAttribute(key)),
            _ => None,
        };
    }
    match (owner, words) {
        ("span", words) => of_span(words),
        ("spanevent", ["name"]) => Some(Path::EventName),
        ("spanevent", ["time" | "time_unix_nano"]) => Some(Path::EventTime),
        ("scope", ["name"]) => Some(Path::ScopeName),
        ("scope", ["version"]) => Some(Path::ScopeVersion),
        _ => None,
    }
}

fn of_span(words: &[&str]) -> Option<Path> {
    match words {
        ["name"] => Some(Path::SpanName),
        ["kind"] => Some(Path::Kind),
        ["kind", "string"] => Some(Path::KindText),
        ["status", "code"] => Some(Path::StatusCode),
        ["status", "message"] => Some(Path::StatusMessage),
        ["start_time" | "start_time_unix_nano"] => Some(Path::StartTime),
        ["end_time" | "end_time_unix_nano"] => Some(Path::EndTime),
        ["duration"] => Some(Path::Duration),
        ["trace_state"] => Some(Path::TraceState),
        ["trace_id", "string"] => Some(Path::TraceId),
        ["span_id", "string"] => Some(Path::SpanId),
        ["parent_span_id", "string"] => Some(Path::ParentSpanId),
        _ => None,
    }
}
