//! What a tag stands for in a search: each way in which a span shows a tag like it, as [`super::spans`] writes them.

use weir_proto::otlp::messages::trace::v1::status::StatusCode;
use weir_store::{DroppedItems, Sought, SpanState, SpanText, TagFilter};

use super::kinds;

/// Spans that show this tag: as an attribute of the span, its resource, its scope, an event or a link; and, where the key is one that is
/// made from fields, by those.
pub(super) fn tag_filter(key: String, text: String) -> TagFilter {
    let is_absent = (key.as_str(), text.as_str()) == ("error", "false");
    // The opposite of `true`, as in Jaeger: also the many spans whose status nobody set.
    let text = if is_absent { "true".to_owned() } else { text };
    let mut any_of = of_fields(&key, &text);
    any_of.push(Sought::Attribute { key, text });
    TagFilter { any_of, is_absent }
}

fn of_fields(key: &str, text: &str) -> Vec<Sought> {
    // Fields that are empty or zero are not shown.
    let field = |part: SpanText| (!text.is_empty()).then(|| Sought::Text(part, text.into()));
    let dropped = |items: DroppedItems| {
        let count = text.parse().ok().filter(|&count: &u32| count > 0 && count.to_string() == text);
        count.map(|count| Sought::Dropped(items, count))
    };
    let found = match key {
        "error" => (text == "true").then_some(Sought::StatusCode(StatusCode::Error as i32)),
        "otel.status_code" => match text {
            "ERROR" => Some(Sought::StatusCode(StatusCode::Error as i32)),
            "OK" => Some(Sought::StatusCode(StatusCode::Ok as i32)),
            "UNSET" => Some(Sought::StatusCode(StatusCode::Unset as i32)),
            _ => None,
        },
        "otel.status_description" => field(SpanText::StatusMessage),
        "span.kind" => kinds::number(text).map(Sought::Kind),
        "event" => (!text.is_empty()).then(|| Sought::EventName(text.into())),
        // As older translators called them.
        "otel.scope.name" | "otel.library.name" => field(SpanText::ScopeName),
        "otel.scope.version" | "otel.library.version" => field(SpanText::ScopeVersion),
        "w3c.tracestate" => field(SpanText::TraceState),
        "otel.dropped_attributes_count" => dropped(DroppedItems::Attributes),
        "otel.dropped_events_count" => dropped(DroppedItems::Events),
        "otel.dropped_links_count" => dropped(DroppedItems::Links),
        "weir.state" => match text {
            "pending" => Some(Sought::State(SpanState::Pending)),
            "kept" => Some(Sought::State(SpanState::Kept)),
            _ => None,
        },
        "weir.adjusted_count" => text.parse().ok().map(Sought::AdjustedCount),
        _ => None,
    };
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(key: &str, text: &str) -> Vec<Sought> {
        let filter = tag_filter(key.into(), text.into());
        assert!(!filter.is_absent);
        filter.any_of
    }

    fn attribute(key: &str, text: &str) -> Sought {
        Sought::Attribute { key: key.into(), text: text.into() }
    }

    #[test]
    fn every_tag_made_from_fields_is_sought_in_them_too() {
        for (key, text, field) in [
            ("error", "true", Sought::StatusCode(2)),
            ("otel.status_code", "ERROR", Sought::StatusCode(2)),
            ("otel.status_code", "OK", Sought::StatusCode(1)),
            ("otel.status_code", "UNSET", Sought::StatusCode(0)),
            ("otel.status_description", "no", Sought::Text(SpanText::StatusMessage, "no".into())),
            ("span.kind", "client", Sought::Kind(3)),
            ("span.kind", "unspecified", Sought::Kind(0)),
            ("event", "exception", Sought::EventName("exception".into())),
            ("otel.scope.name", "lib", Sought::Text(SpanText::ScopeName, "lib".into())),
            ("otel.library.version", "1", Sought::Text(SpanText::ScopeVersion, "1".into())),
            ("w3c.tracestate", "a=b", Sought::Text(SpanText::TraceState, "a=b".into())),
            ("otel.dropped_attributes_count", "3", Sought::Dropped(DroppedItems::Attributes, 3)),
            ("otel.dropped_events_count", "3", Sought::Dropped(DroppedItems::Events, 3)),
            ("otel.dropped_links_count", "3", Sought::Dropped(DroppedItems::Links, 3)),
            ("weir.state", "pending", Sought::State(SpanState::Pending)),
            ("weir.adjusted_count", "2.5", Sought::AdjustedCount(2.5)),
        ] {
            assert_eq!(ways(key, text), [field, attribute(key, text)], "{key}={text}");
        }
    }

    #[test]
    fn other_tags_are_attributes() {
        for (key, text) in [
            ("http.route", "/"),
            ("error", "timeout"),
            ("otel.status_code", "fine"),
            ("otel.dropped_events_count", "0"),
            ("span.kind", "sideways"),
            ("event", ""),
            ("weir.adjusted_count", "many"),
        ] {
            assert_eq!(ways(key, text), [attribute(key, text)], "{key}={text}");
        }
    }

    #[test]
    fn without_error_is_the_complement_of_with_error() {
        let with = tag_filter("error".into(), "true".into());
        let without = tag_filter("error".into(), "false".into());
        assert_eq!(without, TagFilter { is_absent: true, ..with });
    }
}
