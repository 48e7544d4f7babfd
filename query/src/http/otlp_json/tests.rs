//! Rows before, OTLP JSON after; and back through the generated types.

use weir_proto::otlp::messages::common::v1::{ArrayValue, InstrumentationScope, KeyValueList};

use super::*;
use crate::http::fixtures::{attribute as with, double, record, span_id, string};

/// A row that uses every field.
fn full() -> SpanRecord {
    let mut row = record("cart", 2, 1_700_000_000_000_000);
    let nested = any_value::Value::ArrayValue(ArrayValue {
        values: vec![common::AnyValue { value: Some(any_value::Value::BoolValue(true)) }],
    });
    row.span.parent_span_id = span_id(1);
    row.span.trace_state = "a=b".into();
    row.span.flags = 257;
    row.span.kind = 3;
    row.span.attributes = vec![
        string("a", "x\"\u{1}"),
        with("b", any_value::Value::IntValue(i64::MIN)),
        with("c", any_value::Value::BytesValue(vec![255, 0])),
        double("d", 0.1),
        with("e", nested),
        with("f", any_value::Value::KvlistValue(KeyValueList { values: vec![string("k", "v")] })),
    ];
    row.span.dropped_attributes_count = 1;
    row.span.events = vec![otlp::span::Event {
        time_unix_nano: u64::MAX,
        name: "e".into(),
        attributes: vec![string("k", "v")],
        dropped_attributes_count: 2,
    }];
    row.span.dropped_events_count = 3;
    row.span.links = vec![otlp::span::Link {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        trace_state: "c=d".into(),
        attributes: vec![string("k", "v")],
        dropped_attributes_count: 4,
        flags: 1,
    }];
    row.span.dropped_links_count = 5;
    row.span.status = Some(otlp::Status { code: 2, message: "bad".into() });
    row.scope = Arc::new(InstrumentationScope {
        name: "lib".into(),
        version: "1".into(),
        attributes: vec![string("k", "v")],
        dropped_attributes_count: 6,
    });
    row
}

#[test]
fn reads_back_as_it_was() {
    let row = full();
    let json = serde_json::to_string(&TracesData::of(
        std::slice::from_ref(&row),
        Detail::Times(&[SpanTime::default()]),
        0,
        false,
    ))
    .expect("writes");
    let read: otlp::TracesData = serde_json::from_str(&json).expect("the generated types read it");
    let group = &read.resource_spans[0];
    assert_eq!(group.resource.as_ref(), Some(row.resource.as_ref()));
    assert_eq!(group.scope_spans[0].scope.as_ref(), Some(row.scope.as_ref()));
    assert_eq!(group.scope_spans[0].spans, [row.span]);
}

#[test]
fn a_small_span_is_short() {
    let mut row = record("cart", 1, 5);
    row.state = SpanState::Pending;
    row.adjusted_count = 2.5;
    row.span.attributes = vec![
        double("n", f64::NAN),
        double("i", f64::INFINITY),
        with("j", any_value::Value::IntValue(5)),
        common::KeyValue::default(),
    ];
    let time = SpanTime { self_ns: 10_000, critical_path_ns: 7, on_critical_path: true };
    let json = serde_json::to_value(TracesData::of(&[row], Detail::Times(&[time]), 0, false)).expect("writes");
    let expected = serde_json::json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeSpans": [{"scope": {}, "spans": [{
            "traceId": "abababababababababababababababab",
            "spanId": "0000000000000001",
            "name": "op-1",
            "kind": 0,
            "startTimeUnixNano": "5000",
            "endTimeUnixNano": "15000",
            "attributes": [
                {"key": "", "value": {}},
                {"key": "i", "value": {"doubleValue": "Infinity"}},
                {"key": "j", "value": {"intValue": "5"}},
                {"key": "n", "value": {"doubleValue": "NaN"}},
            ],
            "status": {},
            "state": "pending",
            "adjustedCount": 2.5,
            "selfTimeNs": "10000",
            "criticalPathNs": "7",
            "onCriticalPath": true,
        }]}],
    }]});
    assert_eq!(json, expected);
}

#[test]
fn groups_by_content() {
    let scoped = |service: &str, id: u8, scope: &str| {
        let mut row = record(service, id, 5);
        row.scope = Arc::new(InstrumentationScope { name: scope.into(), ..InstrumentationScope::default() });
        row
    };
    let rows =
        [scoped("a", 1, "x"), scoped("b", 2, "x"), scoped("a", 3, "y"), scoped("a", 4, "x"), scoped("b", 5, "x")];
    let data = TracesData::of(&rows, Detail::Raw, 0, false);
    let mut groups = Vec::new();
    for resource in &data.resource_spans {
        for scope in &resource.scope_spans {
            let ids: Vec<_> = scope.spans.iter().map(|span| &span.span_id[15..]).collect();
            groups.push((scope.scope.name, ids.join("")));
        }
    }
    let expected = [("x", "14".to_owned()), ("y", "3".to_owned()), ("x", "25".to_owned())];
    assert_eq!(groups, expected);
}
