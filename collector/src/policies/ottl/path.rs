//! Paths: which field of a span, its event, scope or resource is meant.

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Span,
    Event,
}

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Span,
    Event,
    Scope,
    Resource,
}

/// What an SDK has dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Attributes(Owner),
    Events,
    Links,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    Attribute(Owner, Box<str>),
    Attributes(Owner),
    SpanName,
    EventName,
    EventTime,
    ScopeName,
    ScopeVersion,
    ScopeSchemaUrl,
    ResourceSchemaUrl,
    Kind,
    KindText,
    KindDeprecatedText,
    StatusCode,
    StatusMessage,
    StartTime,
    EndTime,
    Duration,
    Flags,
    TraceState,
    TraceStateEntry(Box<str>),
    TraceId,
    SpanId,
    ParentSpanId,
    TraceIdText,
    SpanIdText,
    ParentSpanIdText,
    Dropped(Counted),
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

/// The fields that are known, each by its whole name.
const FIELDS: &[(&str, Path)] = &[
    ("span.attributes", Path::Attributes(Owner::Span)),
    ("span.name", Path::SpanName),
    ("span.kind", Path::Kind),
    ("span.kind.string", Path::KindText),
    ("span.kind.deprecated_string", Path::KindDeprecatedText),
    ("span.status.code", Path::StatusCode),
    ("span.status.message", Path::StatusMessage),
    ("span.start_time", Path::StartTime),
    ("span.start_time_unix_nano", Path::StartTime),
    ("span.end_time", Path::EndTime),
    ("span.end_time_unix_nano", Path::EndTime),
    ("span.duration", Path::Duration),
    ("span.flags", Path::Flags),
    ("span.trace_state", Path::TraceState),
    ("span.trace_id", Path::TraceId),
    ("span.trace_id.string", Path::TraceIdText),
    ("span.span_id", Path::SpanId),
    ("span.span_id.string", Path::SpanIdText),
    ("span.parent_span_id", Path::ParentSpanId),
    ("span.parent_span_id.string", Path::ParentSpanIdText),
    ("span.dropped_attributes_count", Path::Dropped(Counted::Attributes(Owner::Span))),
    ("span.dropped_events_count", Path::Dropped(Counted::Events)),
    ("span.dropped_links_count", Path::Dropped(Counted::Links)),
    ("spanevent.attributes", Path::Attributes(Owner::Event)),
    ("spanevent.name", Path::EventName),
    ("spanevent.time", Path::EventTime),
    ("spanevent.time_unix_nano", Path::EventTime),
    ("spanevent.dropped_attributes_count", Path::Dropped(Counted::Attributes(Owner::Event))),
    ("scope.attributes", Path::Attributes(Owner::Scope)),
    ("scope.name", Path::ScopeName),
    ("scope.version", Path::ScopeVersion),
    ("scope.schema_url", Path::ScopeSchemaUrl),
    ("scope.dropped_attributes_count", Path::Dropped(Counted::Attributes(Owner::Scope))),
    ("resource.attributes", Path::Attributes(Owner::Resource)),
    ("resource.schema_url", Path::ResourceSchemaUrl),
    ("resource.dropped_attributes_count", Path::Dropped(Counted::Attributes(Owner::Resource))),
];

/// What a path's words mean; in words what is known when they mean nothing.
pub(super) fn resolve(words: &[&str], context: Context) -> Result<Path, String> {
    // A bare word belongs to what the condition is about; other things are named first.
    let about = if context == Context::Event { "spanevent" } else { "span" };
    let (owner, rest) = match words {
        ["spanevent", ..] if context == Context::Span => {
            return Err("spanevent is known in conditions over events only".to_owned());
        }
        [owner @ ("span" | "spanevent" | "resource" | "scope"), rest @ ..] => (*owner, rest),
        ["instrumentation_scope", rest @ ..] => ("scope", rest),
        words => (about, words),
    };
    let name = format!("{owner}.{}", rest.join("."));
    let found = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, path)| path.clone());
    found.ok_or_else(|| {
        let written = words.join(".");
        match words {
            [.., "attributes", key] => {
                let owner = words[..words.len() - 1].join(".");
                return format!("unknown path {written}; did you mean {owner}[\"{key}\"]?");
            }
            ["events" | "links"] | ["span", "events" | "links"] => {
                return format!("unknown path {written}; conditions about events stand under spanevent");
            }
            ["resource"] | ["scope" | "instrumentation_scope"] => {
                return format!("unknown path {written}; did you mean {written}.attributes[\"key\"]?");
            }
            _ => {}
        }
        let candidates = FIELDS.iter().flat_map(|(known, _)| {
            let bare = known.strip_prefix(about).and_then(|known| known.strip_prefix('.'));
            [Some(*known), bare].into_iter().flatten()
        });
        match nearest(&written, candidates) {
            Some(near) => format!("unknown path {written}; did you mean {near}?"),
            None => format!("unknown path {written}"),
        }
    })
}

/// The name that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |known: &str| strsim::osa_distance(&name.to_lowercase(), &known.to_lowercase());
    let near =
        known.map(|known| (distance(known), known)).filter(|(distance, known)| *distance <= 1.max(known.len() / 3));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}
