//! Conditions, and whether they hold of one span; texts that are none.

use prost::Message;
use weir_proto::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
    },
    traces::{Checks, scan},
};

use super::*;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn payload() -> Vec<u8> {
    let event = |name: &str| Event { name: name.into(), attributes: vec![text("kind", name)], ..Event::default() };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        parent_span_id: vec![2; 8],
        name: "GET /cart".into(),
        kind: 2,
        trace_state: "vendor=x,ot=th:8".into(),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 3_500_000_000,
        status: Some(Status { code: 2, message: "no".into() }),
        attributes: vec![
            text("http.route", "/cart"),
            attribute("http.response.status_code", Value::IntValue(503)),
            attribute("ratio", Value::DoubleValue(0.5)),
            attribute("beta", Value::BoolValue(true)),
        ],
        events: vec![event("cache.miss"), event("exception")],
        ..Span::default()
    };
    let resource = Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

fn holds(of_span: &[&str], of_event: &[&str]) -> Result<bool, String> {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let condition = Condition::parse(&strings(of_span), &strings(of_event))?;
    let mut held = false;
    scan(&payload(), Checks::Journalled, |span| held = condition.holds(span)).expect("well formed");
    Ok(held)
}

#[test]
fn conditions_over_spans() {
    let cases = [
        (r#"attributes["http.route"] == "/cart""#, true),
        (r#"span.attributes["http.route"] != "/cart""#, false),
        (r#"attributes["missing"] == nil"#, true),
        (r#"attributes["missing"] != "x""#, true),
        (r#"attributes["missing"] < 1 or attributes["missing"] >= 1"#, false),
        (r#"attributes["http.response.status_code"] >= 500"#, true),
        (r#"attributes["http.response.status_code"] == 503.0"#, true),
        (r#"attributes["http.response.status_code"] == "503""#, false),
        (r#"attributes["ratio"] > 0.4 and attributes["ratio"] < 1"#, true),
        (r#"attributes["beta"] == true"#, true),
        (r#"resource.attributes["service.name"] == "shop""#, true),
        (r#"name == "GET /cart" and kind == SPAN_KIND_SERVER"#, true),
        (r#"kind.string == "Server""#, true),
        ("status.code == STATUS_CODE_ERROR", true),
        ("status.code == 1", false),
        (r#"status.message == "no""#, true),
        ("end_time_unix_nano - start_time_unix_nano > 2000000000", true),
        (r#"(end_time - start_time) >= Duration("2.5s")"#, true),
        (r#"duration > Duration("1h")"#, false),
        (r#"IsMatch(name, "^GET")"#, true),
        (r#"IsMatch(attributes["http.response.status_code"], "^5..$")"#, true),
        (r#"IsMatch(attributes["missing"], ".*")"#, false),
        (r#"IsMatch(attributes["http.route"], "\/ca.t\.?")"#, true),
        ("IsRootSpan()", false),
        ("not IsRootSpan()", true),
        (r#"trace_state["vendor"] == "x""#, true),
        (r#"trace_id.string == "abababababababababababababababab""#, true),
        // `and` is stronger than `or`.
        ("true or false and false", true),
        ("(true or false) and false", false),
        ("not true or true", true),
        ("not (true or true)", false),
        ("-1 < 1", true),
        ("1 - 2 - 3 == -4", true),
        ("1 == 1", true),
    ];
    for (text, expected) in cases {
        assert_eq!(holds(&[text], &[]), Ok(expected), "{text}");
    }
    assert_eq!(holds(&["false", "true"], &[]), Ok(true), "one of several is enough");
}

#[test]
fn conditions_over_events() {
    let cases = [
        (r#"name == "exception""#, true),
        (r#"name == "GET /cart""#, false),
        (r#"spanevent.attributes["kind"] == "cache.miss""#, true),
        (r#"span.name == "GET /cart""#, true),
        (r#"attributes["http.route"] == "/cart""#, false),
    ];
    for (text, expected) in cases {
        assert_eq!(holds(&[], &[text]), Ok(expected), "{text}");
    }
}

#[test]
fn says_what_is_no_condition() {
    let bomb = format!(r#"IsMatch(name, "{}")"#, "(a{1000}){1000}");
    let cases = [
        ("", "ends where more is expected"),
        ("name", "compare it with something"),
        ("name ==", "ends where more is expected"),
        ("name == \"a", "a string is not closed"),
        ("name = \"a\"", "`=` means nothing here"),
        ("nam == \"a\"", "unknown path nam"),
        ("attributes.x == 1", "unknown path attributes.x"),
        ("attributes[\"x\" == 1", "`]` is expected before `==`"),
        ("attributes[x] == 1", "a string in double quotes is expected"),
        ("(true", "`)` is missing at the end"),
        ("true)", "`)` is not expected here"),
        ("true true", "`true` is not expected here"),
        ("(name == \"a\") == 1", "a condition stands where a value is expected"),
        ("Len(name) > 1", "unknown function Len"),
        ("IsMatch(name, \"(\")", "not a regular expression"),
        (&bomb, "too large"),
        ("99999999999999999999 == 1", "too large a number"),
        ("Duration(\"soon\") == 1", "is not a duration"),
        ("é == 1", "means nothing here"),
    ];
    for (text, said) in cases {
        let error = holds(&[text], &[]).expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    }
    for text in ["(".repeat(8000), "not ".repeat(2000), "x".repeat(9000), "1+".repeat(4000)] {
        let error = holds(&[&text], &[]).expect_err("refused");
        assert!(error.len() < 400, "{error}");
    }
}

/// Pieces of conditions in any order are read or refused, and never panic.
#[test]
fn any_heap_of_pieces_is_read_or_refused() {
    let pieces = [
        "name",
        "attributes",
        "[",
        "]",
        "\"k\"",
        "(",
        ")",
        "not",
        "and",
        "or",
        "==",
        "<",
        "1",
        "2.5",
        "-",
        "+",
        ".",
        "IsMatch",
        ",",
        "true",
        "nil",
        "duration",
        "status",
        "code",
        "é",
        "\"",
        "\\",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut read = 0;
    for _ in 0..5_000 {
        let mut text = String::new();
        for _ in 0..state % 9 + 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            text.push(' ');
        }
        read += usize::from(holds(&[&text], &[&text]).is_ok());
    }
    assert!(read > 3, "{read} of them mean something");
}
