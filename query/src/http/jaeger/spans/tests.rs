//! Rows before, Jaeger's JSON after. The first pair mirrors Jaeger's own fixture `otlp2jaeger`.

use weir_proto::otlp::messages::{
    common::v1::InstrumentationScope,
    trace::v1::{Status, span::SpanKind},
};

use super::*;
use crate::http::fixtures::{TRACE, attribute, record, span_id as wire_id, string};

fn shown(rows: &[SpanRecord]) -> serde_json::Value {
    serde_json::to_value(trace(TRACE, rows, Vec::new())).expect("writes")
}

#[test]
fn a_plain_span() {
    let mut row = record("telemetrygen", 7, 1_706_678_909_209_712);
    row.span.span_id = vec![0xe1, 0x27, 0xaf, 0x99, 0xe3, 0xb3, 0xe0, 0x74];
    row.span.parent_span_id = vec![0x90, 0x95, 0x41, 0xb9, 0x2c, 0xf0, 0x53, 0x11];
    row.span.name = "okey-dokey-0".into();
    row.span.kind = SpanKind::Server as i32;
    row.span.end_time_unix_nano = row.span.start_time_unix_nano + 123_999;
    row.span.attributes = vec![string("peer.service", "client"), string("net.peer.ip", "1.2.3.4")];
    row.span.status = Some(Status::default());
    row.scope = Arc::new(InstrumentationScope { name: "telemetrygen".into(), ..InstrumentationScope::default() });
    let mut parent = record("telemetrygen", 0, 1);
    parent.span.span_id.clone_from(&row.span.parent_span_id);
    let expected = serde_json::json!({
        "traceID": TRACE.to_string(),
        "spanID": "e127af99e3b3e074",
        "operationName": "okey-dokey-0",
        "references": [{"refType": "CHILD_OF", "traceID": TRACE.to_string(), "spanID": "909541b92cf05311"}],
        "startTime": 1_706_678_909_209_712_u64,
        "duration": 123,
        "tags": [
            {"key": "otel.scope.name", "type": "string", "value": "telemetrygen"},
            {"key": "net.peer.ip", "type": "string", "value": "1.2.3.4"},
            {"key": "peer.service", "type": "string", "value": "client"},
            {"key": "span.kind", "type": "string", "value": "server"},
        ],
        "logs": [],
        "processID": "p1",
        "warnings": null,
    });
    let body = shown(&[row, parent]);
    assert_eq!(body["spans"][0], expected);
    assert_eq!(body["traceID"], TRACE.to_string());
    assert_eq!(body["processes"], serde_json::json!({"p1": {"serviceName": "telemetrygen", "tags": []}}));
    assert_eq!(body["warnings"], serde_json::Value::Null);
}

#[test]
fn an_eventful_span() {
    let mut row = record("cart", 1, 100);
    row.span.status = Some(Status { code: StatusCode::Error as i32, message: "no stock".into() });
    row.span.trace_state = "ot=th:8".into();
    row.span.flags = 0x101;
    row.span.dropped_attributes_count = 4;
    row.span.events = vec![
        Event {
            time_unix_nano: 104_999,
            name: "exception".into(),
            attributes: vec![string("exception.type", "E"), attribute("at", Value::IntValue(3))],
            ..Event::default()
        },
        Event {
            time_unix_nano: 105_000,
            name: "lost".into(),
            attributes: vec![string("event", "own")],
            dropped_attributes_count: 2,
        },
    ];
    row.scope =
        Arc::new(InstrumentationScope { name: "lib".into(), version: "1.2".into(), ..InstrumentationScope::default() });
    row.state = SpanState::Pending;
    row.adjusted_count = 2.0;
    let body = shown(&[row]);
    let span = &body["spans"][0];
    assert_eq!(span["flags"], 1);
    assert_eq!(
        span["tags"],
        serde_json::json!([
            {"key": "otel.scope.name", "type": "string", "value": "lib"},
            {"key": "otel.scope.version", "type": "string", "value": "1.2"},
            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            {"key": "error", "type": "bool", "value": true},
            {"key": "otel.status_description", "type": "string", "value": "no stock"},
            {"key": "w3c.tracestate", "type": "string", "value": "ot=th:8"},
            {"key": "otel.dropped_attributes_count", "type": "int64", "value": 4},
            {"key": "weir.state", "type": "string", "value": "pending"},
            {"key": "weir.adjusted_count", "type": "float64", "value": 2.0},
        ])
    );
    assert_eq!(
        span["logs"],
        serde_json::json!([
            {"timestamp": 104, "fields": [
                {"key": "event", "type": "string", "value": "exception"},
                {"key": "at", "type": "int64", "value": 3},
                {"key": "exception.type", "type": "string", "value": "E"},
            ]},
            {"timestamp": 105, "fields": [
                {"key": "event", "type": "string", "value": "own"},
                {"key": "otel.dropped_attributes_count", "type": "int64", "value": 2},
            ]},
        ])
    );
}

#[test]
fn links_follow_or_are_children() {
    let link = |trace: TraceId, span: u8, kind: Option<&str>| Link {
        trace_id: trace.0.to_vec(),
        span_id: wire_id(span),
        attributes: kind.map(|kind| string("opentracing.ref_type", kind)).into_iter().collect(),
        ..Link::default()
    };
    let other = TraceId([0xcd; 16]);
    let mut row = record("cart", 2, 100);
    row.span.parent_span_id = wire_id(1);
    row.span.links = vec![
        link(other, 5, None),
        link(TRACE, 6, Some("child_of")),
        // No trace: nothing to lead to.
        link(TraceId([0; 16]), 7, None),
    ];
    let reference = |kind, trace: TraceId, span: u8| Reference {
        kind,
        trace_id: trace.to_string(),
        span_id: format!("{span:016x}"),
    };
    assert_eq!(
        references(TRACE, &row.span),
        [
            reference(RefType::ChildOf, TRACE, 1),
            reference(RefType::FollowsFrom, other, 5),
            reference(RefType::ChildOf, TRACE, 6),
        ]
    );
    // A link to the parent says how the span relates to it.
    row.span.links = vec![link(TRACE, 1, None)];
    assert_eq!(references(TRACE, &row.span), [reference(RefType::FollowsFrom, TRACE, 1)]);
    row.span.links = vec![link(other, 1, None)];
    row.span.parent_span_id = vec![0; 8];
    assert_eq!(references(TRACE, &row.span), [reference(RefType::FollowsFrom, other, 1)]);
}

#[test]
fn oddities_are_warned_of() {
    let mut backwards = record("cart", 1, 100);
    backwards.span.end_time_unix_nano = backwards.span.start_time_unix_nano - 7;
    let mut orphan = record("cart", 2, 100);
    orphan.span.parent_span_id = wire_id(9);
    let (mut twin, mut other_twin) = (record("cart", 3, 100), record("cart", 3, 200));
    twin.span.parent_span_id = wire_id(1);
    other_twin.span.parent_span_id = wire_id(2);
    let body = shown(&[backwards, orphan, twin, other_twin]);
    let warnings = |n: usize| body["spans"][n]["warnings"].clone();
    assert_eq!(warnings(0), serde_json::json!(["the span ends 7 ns before it starts; its duration is shown as 0"]));
    assert_eq!(body["spans"][0]["duration"], 0);
    assert_eq!(warnings(1), serde_json::json!(["parent span 0000000000000009 is not in the trace"]));
    assert_eq!(warnings(2), serde_json::json!(["2 different spans of this trace have this span id"]));
    assert_eq!(warnings(2), warnings(3));
}

#[test]
fn equal_resources_are_one_process() {
    let with_host = |host: &str, reversed: bool| {
        let mut row = record("cart", 1, 100);
        let mut attributes = vec![string("service.name", "cart"), string("host.name", host), string("a", "b")];
        if reversed {
            attributes.reverse();
        }
        row.resource = Arc::new(Resource { attributes, ..Resource::default() });
        row
    };
    let body = shown(&[with_host("x", false), with_host("y", false), with_host("x", true), record("", 2, 100)]);
    let ids: Vec<_> = (0..4).map(|n| body["spans"][n]["processID"].as_str().expect("text")).collect();
    assert_eq!(ids, ["p1", "p2", "p1", "p3"]);
    assert_eq!(
        body["processes"]["p2"],
        serde_json::json!({"serviceName": "cart", "tags": [
            {"key": "a", "type": "string", "value": "b"},
            {"key": "host.name", "type": "string", "value": "y"},
        ]})
    );
    assert_eq!(body["processes"]["p3"]["serviceName"], "unknown_service");
}
