//! Spans as odd as OTLP allows.

use proptest::{collection::vec, option, prelude::*};
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link},
};

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "http.method", "db.system", "error.type"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["", "a.b", "\"", "\\", "$bytes", "$object", "ключ", "\u{1}\n", "attributes.a"]).prop_map(str::to_owned),
        1 => "[a-z]{1,3}",
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => prop::sample::select(vec!["x", "", "500", "true", "\"q\\", "日本", "\u{0}\u{1f}\r\n\t", "1.0"])
            .prop_map(|text| Value::StringValue(text.to_owned())),
        2 => any::<bool>().prop_map(Value::BoolValue),
        3 => prop_oneof![prop::sample::select(vec![0, 1, 500, i64::MIN, i64::MAX]), any::<i64>()].prop_map(Value::IntValue),
        3 => prop_oneof![
            prop::sample::select(vec![0.0, -0.0, 0.5, 1.0, 500.0, 1e300, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            any::<f64>()
        ]
        .prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..5).prop_map(Value::BytesValue),
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = option::weighted(0.9, scalar()).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec((key(), inner), 0..3).prop_map(|entries| {
                let values = entries.into_iter().map(|(key, value)| attribute(key, value)).collect();
                Value::KvlistValue(KeyValueList { values })
            }),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attribute(key: String, value: AnyValue) -> KeyValue {
    KeyValue { key, value: Some(value), ..Default::default() }
}

fn attributes(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec((key(), any_value()), 0..most)
        .prop_map(|entries| entries.into_iter().map(|(key, value)| attribute(key, value)).collect())
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "get", "put", "naïve", "\"\\"]).prop_map(str::to_owned)
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0u32), 1 => any::<u32>()]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(3), small()).prop_map(|(time_unix_nano, name, attributes, dropped)| Event {
        time_unix_nano,
        name,
        attributes,
        dropped_attributes_count: dropped,
    })
}

fn link() -> impl Strategy<Value = Link> {
    (vec(any::<u8>(), 0..18), vec(any::<u8>(), 0..9), text(), attributes(3), small(), small()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (0u8..6, 1u64..u64::MAX, prop_oneof![Just(Vec::new()), vec(1u8..255, 8)]);
    let times = (prop_oneof![0u64..100, any::<u64>()], prop_oneof![0u64..100, any::<u64>()]);
    let words = (small(), 0i32..7, option::of((0i32..4, text())), text(), text());
    let lists = (attributes(6), vec(event(), 0..2), vec(link(), 0..2));
    let dropped = (small(), small(), small());
    (ids, times, words, lists, dropped).prop_map(|(ids, times, words, lists, dropped)| Span {
        trace_id: vec![ids.0 + 1; 16],
        span_id: ids.1.to_be_bytes().to_vec(),
        parent_span_id: ids.2,
        start_time_unix_nano: times.0,
        end_time_unix_nano: times.1,
        flags: words.0,
        kind: words.1,
        status: words.2.map(|(code, message)| Status { code, message }),
        name: words.3,
        trace_state: words.4,
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        dropped_attributes_count: dropped.0,
        dropped_events_count: dropped.1,
        dropped_links_count: dropped.2,
    })
}

/// A request of a few odd resources, scopes and spans.
pub(super) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let service = option::of(prop::sample::select(vec!["", "checkout", "cart"]));
    let resource = (service, attributes(4), small()).prop_map(|(service, mut attributes, dropped)| {
        if let Some(service) = service {
            attributes.push(super::shop::text("service.name", service));
        }
        Resource { attributes, dropped_attributes_count: dropped, ..Default::default() }
    });
    let scope = (text(), text(), attributes(2), small()).prop_map(|(name, version, attributes, dropped)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count: dropped }
    });
    let scope_spans = (option::of(scope), vec(span(), 0..6), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (option::of(resource), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
