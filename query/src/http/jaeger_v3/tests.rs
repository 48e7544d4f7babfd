//! The calls of Jaeger's UI and of Grafana's client, and what they read.

use serde_json::{Value, json};
use weir_proto::otlp::messages::{
    common::v1::{AnyValue, KeyValue},
    trace::v1::span::Link,
};
use weir_store::{Operation, SpanState};

use super::*;
use crate::{
    drawn,
    http::{
        call::Call,
        fixtures::{Held, TRACE, call, double, record, string},
        view::View,
    },
};

type Endpoint = fn(&Call, &dyn View) -> Result<Answer, Failure>;

/// The hour around the fixtures' spans.
const RANGE: [(&str, &str); 2] =
    [("query.startTimeMin", "1970-01-01T00:00:00Z"), ("query.startTimeMax", "1970-01-01T01:00:00Z")];

fn with_range<'a>(query: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&RANGE[..], query].concat()
}

fn ask(endpoint: Endpoint, path: &[(&str, &str)], query: &[(&str, &str)], held: &Held) -> Result<Value, String> {
    match endpoint(&call(path, query), held) {
        Ok(answer) => {
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(answer.partial, body.get("warnings").is_some(), "{body}");
            Ok(body)
        }
        Err(Failure::BadRequest(why)) => Err(format!("400 {why}")),
        Err(Failure::NotFound(why)) => Err(format!("404 {why}")),
        Err(other) => Err(other.to_string()),
    }
}

fn held(rows: Vec<weir_store::SpanRecord>) -> Held {
    Held { rows, ..Held::default() }
}

#[test]
fn a_trace_is_wrapped_otlp() {
    let mut row = record("cart", 1, 5);
    row.span.kind = 2;
    row.span.attributes = vec![string("k", "v")];
    let body = ask(trace, &[("id", &TRACE.to_string())], &[], &held(vec![row]));
    let expected = json!({"result": {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeSpans": [{"scope": {}, "spans": [{
            "traceId": "abababababababababababababababab", "spanId": "0000000000000001", "name": "op-1", "kind": 2,
            "startTimeUnixNano": "5000", "endTimeUnixNano": "15000",
            "attributes": [{"key": "k", "value": {"stringValue": "v"}}], "status": {},
        }]}],
    }]}});
    assert_eq!(body, Ok(expected));
}

#[test]
fn a_traces_parameters_are_checked_in_both_spellings() {
    let rows = held(vec![record("cart", 1, 5); 2]);
    let id = TRACE.to_string();
    let spans = |query: &[(&str, &str)]| {
        let body = ask(trace, &[("id", &id)], query, &rows)?;
        Ok::<_, String>(body["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(spans(&[("startTime", "2000-01-02T12:30:08.999999998Z"), ("unknown", "x")]), Ok(1));
    assert_eq!(spans(&[("start_time", "2000-04-05T21:55:16.999999992+08:00"), ("end_time", "")]), Ok(1));
    assert_eq!(spans(&[("rawTraces", "true")]), Ok(2));
    assert_eq!(spans(&[("raw_traces", "1")]), Ok(2));
    for name in ["startTime", "start_time", "endTime", "end_time", "rawTraces", "raw_traces"] {
        let error = spans(&[(name, "abc")]).expect_err(name);
        assert!(error.starts_with(&format!("400 malformed parameter {name}: ")), "{error}");
    }
    let error = ask(trace, &[("id", "xyz")], &[], &rows).expect_err("no id");
    assert!(error.starts_with("400 malformed parameter trace_id: "), "{error}");
    assert_eq!(ask(trace, &[("id", "1")], &[], &rows), Err("404 No traces found".into()));
}

/// Jaeger's UI refuses the whole trace for any of it.
#[test]
fn what_is_empty_is_left_out() {
    let mut row = record("cart", 1, 5);
    row.span.attributes = vec![
        KeyValue { key: "none".into(), ..KeyValue::default() },
        KeyValue { key: "nothing".into(), value: Some(AnyValue::default()), ..KeyValue::default() },
    ];
    row.span.parent_span_id = vec![0; 8];
    row.span.links = vec![
        Link { trace_id: vec![0; 16], span_id: vec![1; 8], ..Link::default() },
        Link { trace_id: vec![1; 16], span_id: vec![1; 7], ..Link::default() },
        Link { trace_id: vec![1; 16], span_id: vec![1; 8], ..Link::default() },
    ];
    row.state = SpanState::Pending;
    row.adjusted_count = 2.5;
    let rows = held(vec![row]);
    let span = |query: &[(&str, &str)]| {
        let body = ask(trace, &[("id", &TRACE.to_string())], query, &rows).expect("there");
        body["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone()
    };
    let shown = span(&[]);
    let expected = json!([
        {"key": "none", "value": {"stringValue": ""}},
        {"key": "nothing", "value": {"stringValue": ""}},
        {"key": "weir.state", "value": {"stringValue": "pending"}},
        {"key": "weir.adjusted_count", "value": {"doubleValue": 2.5}},
    ]);
    assert_eq!(shown["attributes"], expected);
    assert_eq!(shown["links"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown.get("parentSpanId"), None);
    let raw = span(&[("rawTraces", "true")]);
    assert_eq!(raw["attributes"][0]["value"], json!({}));
    assert_eq!(raw["attributes"].as_array().map(Vec::len), Some(2));
    assert_eq!(raw["links"].as_array().map(Vec::len), Some(3));
}

/// What a search hands to the store.
fn filter(query: &[(&str, &str)]) -> String {
    match params::search(&call(&[], &with_range(query))) {
        Ok(crate::http::jaeger::params::Search::Like { filter, traces_max }) => {
            let tags: Vec<_> = filter.tags.iter().map(|tag| format!("{:?}", tag.any_of)).collect();
            let named =
                |names: &Option<Vec<String>>| names.as_ref().map_or_else(|| "*".into(), |names| names.join("|"));
            let (service, name) = (named(&filter.services), named(&filter.names));
            let (from, to) = (filter.duration_ns.start(), filter.duration_ns.end());
            format!("{service} {name} {from}..={to} {traces_max} [{}]", tags.join(" "))
        }
        Ok(other) => format!("{other:?}"),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_search_takes_both_spellings() {
    let camel = [
        ("query.serviceName", "foo"),
        ("query.operationName", "bar"),
        ("query.durationMin", "1s"),
        ("query.durationMax", "2s"),
        ("query.searchDepth", "10"),
        ("query.attributes", r#"{"k":"v"}"#),
    ];
    let expected = r#"foo bar 1000000000..=2000000000 10 [[Attribute { key: "k", text: "v" }]]"#;
    assert_eq!(filter(&camel), expected);
    let snake = [
        ("query.service_name", "foo"),
        ("query.operation_name", "bar"),
        ("query.duration_min", "1s"),
        ("query.duration_max", "2s"),
        ("query.num_traces", "10"),
        ("query.attributes[k]", "v"),
    ];
    assert_eq!(filter(&snake), expected);
    // Jaeger's UI of early 2026, and gateways that write maps with dots.
    let others = [
        ("query.service_name", "foo"),
        ("query.span_name", "bar"),
        ("query.duration_min", "1000ms"),
        ("query.duration_max", "2s"),
        ("query.search_depth", "10"),
        ("query.attributes.k", "v"),
    ];
    assert_eq!(filter(&others), expected);
    assert_eq!(filter(&[]), format!("* * 0..={} 100 []", u64::MAX));
    assert_eq!(
        filter(&[("query.serviceName", "a"), ("query.service_name", "b")]),
        filter(&[("query.serviceName", "a")])
    );
    assert_eq!(filter(&[("query.searchDepth", "9999")]), format!("* * 0..={} 1500 []", u64::MAX));
    assert_eq!(filter(&[("query.searchDepth", "0"), ("query.durationMax", "0s")]), filter(&[]));
}

#[test]
fn a_search_that_cannot_be_read_is_refused() {
    for (name, value) in [
        ("query.searchDepth", "-1"),
        ("query.search_depth", "x"),
        ("query.num_traces", "1.5"),
        ("query.durationMin", "soon"),
        ("query.duration_max", "-1s"),
    ] {
        let said = filter(&[(name, value)]);
        assert!(said.starts_with(&format!("malformed parameter {name}: ")), "{said}");
    }
    assert!(filter(&[("query.attributes", "k=v")]).contains("'query.attributes' is not a JSON object"));
    assert!(filter(&[("query.filter", "{}")]).contains("query.filter is not offered"));
    assert!(filter(&[("query.pagination.page_size", "5")]).contains("query.pagination.page_size is not offered"));
    assert!(filter(&[("query.durationMin", "2s"), ("query.durationMax", "1s")]).contains("must not be less"));
    let without = ask(search, &[], &RANGE[..1], &held(Vec::new()));
    assert_eq!(without, Err("400 missing required parameter: query.startTimeMax".into()));
    let reversed = [("query.start_time_min", "2024-01-02T00:00:00Z"), ("query.start_time_max", "2024-01-01T00:00:00Z")];
    assert!(ask(search, &[], &reversed, &held(Vec::new())).is_err_and(|error| error.starts_with("400 ")));
}

#[test]
fn the_range_ends_before_its_end() {
    let range = |query: &[(&str, &str)]| match params::search(&call(&[], query)) {
        Ok(crate::http::jaeger::params::Search::Like { filter, .. }) => Some(filter.start_ns),
        _ => None,
    };
    let times = |to| [("query.startTimeMin", "1970-01-01T00:00:00.000000001Z"), ("query.startTimeMax", to)];
    assert_eq!(range(&times("1970-01-01T00:00:00.000000005Z")), Some(1..=4));
    assert_eq!(range(&times("1970-01-01T00:00:00.000000001Z")), None);
    // Grafana does not encode the `+`.
    assert_eq!(range(&times("1970-01-01T02:00:00.000000005 02:00")), Some(1..=4));
}

#[test]
fn traces_that_are_found_stand_side_by_side() {
    let mut other = record("stock", 2, 9);
    other.span.trace_id = vec![0xcd; 16];
    let rows = held(vec![other, record("cart", 1, 5)]);
    let body = ask(search, &[], &with_range(&[("query.serviceName", "cart")]), &rows).expect("found");
    let ids: Vec<_> = body["result"]["resourceSpans"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|resource| resource["scopeSpans"][0]["spans"][0]["traceId"].as_str().expect("hex"))
        .collect();
    assert_eq!(ids, ["cd".repeat(16), "ab".repeat(16)]);
    assert_eq!(ask(search, &[], &RANGE, &held(Vec::new())), Err("404 No traces found".into()));
    let mut cut = call(&[], &RANGE);
    cut.spans_max = 1;
    let answer = search(&cut, &rows).expect("found");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["warnings"], json!(["partial: 1 more traces are left out (query.spans_max)"]));
}

#[test]
fn summaries_are_what_a_list_shows() {
    let rows = drawn::rows(
        "
        web/late 50..60 parent=77 error
        web/GET 0..100 server
          cart/GET 20..170 server error
            cart/sql 30..40",
    );
    let body = ask(summaries, &[], &RANGE, &held(rows)).expect("found");
    let expected = json!({"summaries": [{
        "traceId": format!("{:032x}", 1), "rootServiceName": "web", "rootOperationName": "GET",
        "minStartTimeUnixNano": "0", "maxEndTimeUnixNano": "170",
        "spanCount": 4, "errorSpanCount": 2, "orphanSpanCount": 1,
        "services": [{"name": "cart", "spanCount": 2, "errorSpanCount": 1}, {"name": "web", "spanCount": 2, "errorSpanCount": 1}],
    }]});
    assert_eq!(body, expected);
    assert_eq!(ask(summaries, &[], &RANGE, &held(Vec::new())), Ok(json!({"summaries": []})));
    assert!(ask(summaries, &[], &[], &held(Vec::new())).is_err_and(|error| error.starts_with("400 ")));
}

#[test]
fn services_and_operations_are_lists() {
    let operation = |service: &str, name: &str, kind| Operation { service: service.into(), name: name.into(), kind };
    let operations_of = vec![
        operation("web", "GET /", 2),
        operation("cart", "tick", 0),
        operation("cart", "tick", 1),
        operation("cart", "GET /", 3),
    ];
    let rows = Held { operations: operations_of, ..Held::default() };
    assert_eq!(ask(services, &[], &[], &rows), Ok(json!({"services": ["cart", "web"]})));
    assert_eq!(ask(services, &[], &[], &Held::default()), Ok(json!({"services": []})));
    let all =
        json!({"operations": [{"name": "GET /", "spanKind": "client"}, {"name": "tick", "spanKind": "internal"}]});
    assert_eq!(ask(operations, &[], &[("service", "cart")], &rows), Ok(all));
    for name in ["spanKind", "span_kind"] {
        let clients = json!({"operations": [{"name": "GET /", "spanKind": "client"}]});
        assert_eq!(ask(operations, &[], &[("service", "cart"), (name, "client")], &rows), Ok(clients));
        let error = ask(operations, &[], &[("service", "cart"), (name, "x")], &rows).expect_err("no kind");
        assert!(error.starts_with(&format!("400 malformed parameter {name}: ")), "{error}");
    }
    assert_eq!(ask(operations, &[], &[("service", "who")], &rows), Ok(json!({"operations": []})));
    assert_eq!(ask(operations, &[], &[], &rows), Err("400 missing required parameter: service".into()));
}

#[test]
fn dependencies_count_in_text() {
    let rows = held(drawn::rows("web/GET 0..9 client count=20\n  cart/GET 2..7 server count=20"));
    let times = |from, to| [("startTime", from), ("end_time", to)];
    let body = ask(dependencies, &[], &times("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"), &rows);
    assert_eq!(body, Ok(json!({"dependencies": [{"parent": "web", "child": "cart", "callCount": "20"}]})));
    let body = ask(dependencies, &[], &times("2000-01-01T00:00:00Z", "2001-01-01T00:00:00Z"), &rows);
    assert_eq!(body, Ok(json!({"dependencies": []})));
    for (from, to) in [("", "2001-01-01T00:00:00Z"), ("x", "2001-01-01T00:00:00Z"), ("2001-01-01T00:00:00Z", "")] {
        assert!(ask(dependencies, &[], &times(from, to), &rows).is_err_and(|error| error.starts_with("400 ")));
    }
    let same = times("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z");
    assert_eq!(ask(dependencies, &[], &same, &rows), Err("400 endTime must be after startTime".into()));
}

#[test]
fn numbers_that_are_none_are_words() {
    let mut row = record("cart", 1, 5);
    row.span.attributes = vec![double("n", f64::NAN)];
    let body = ask(trace, &[("id", &TRACE.to_string())], &[], &held(vec![row])).expect("there");
    let value = &body["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]["value"];
    assert_eq!(value, &json!({"doubleValue": "NaN"}));
}
