//! JSON by hand: every way to write a field, and what is refused in which words.

use prost::Message;

use super::*;
use crate::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, any_value::Value},
        trace::v1::Span,
    },
    traces::{Checks, ItemFault, Limits, scan},
};

const LIMITS: TranscodeLimits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 20 };

fn request(json: &str) -> Result<ExportTraceServiceRequest, String> {
    let payload = transcode_traces(json.as_bytes(), LIMITS).map_err(|error| error.to_string())?;
    Ok(ExportTraceServiceRequest::decode(&*payload).expect("protobuf"))
}

/// The span whose members are `members`.
fn span(members: &str) -> Result<Span, String> {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    request(&json).map(|mut request| request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

fn value(any_value: &str) -> Result<Option<Value>, String> {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{any_value}}}]"#))?;
    Ok(span.attributes[0].value.clone().and_then(|AnyValue { value }| value))
}

fn faults(json: &str, depth_max: u32) -> Vec<Option<ItemFault>> {
    let payload = transcode_traces(json.as_bytes(), TranscodeLimits { depth_max, ..LIMITS }).expect("JSON");
    let limits = Limits { depth_max, attributes_max: 100, span_bytes_max: 1 << 20 };
    let mut faults = Vec::new();
    scan(&payload, Checks::Admission(limits), |span| faults.push(span.fault)).expect("canonical");
    faults
}

#[test]
fn every_way_to_write_a_number() {
    let start = |text: &str| span(&format!(r#""startTimeUnixNano":{text}"#)).map(|span| span.start_time_unix_nano);
    for (text, expected) in [
        ("0", 0),
        ("\"0\"", 0),
        ("18446744073709551615", u64::MAX),
        ("\"18446744073709551615\"", u64::MAX),
        ("1.544712660e18", 1_544_712_660_000_000_000),
        ("\"5.0\"", 5),
        ("null", 0),
    ] {
        assert_eq!(start(text), Ok(expected), "{text}");
    }
    for bad in ["-1", "18446744073709551616", "0.5", "\"\"", "\" 5\"", "\"0x5\"", "\"5\\n\"", "true", "[]", "{}"] {
        let error = start(bad).expect_err(bad);
        assert!(error.starts_with("startTimeUnixNano at byte "), "{bad}: {error}");
    }
    let int = |text: &str| value(&format!(r#"{{"intValue":{text}}}"#));
    for (text, expected) in [("-5", -5), ("\"-9223372036854775808\"", i64::MIN), ("9223372036854775807", i64::MAX)] {
        assert_eq!(int(text), Ok(Some(Value::IntValue(expected))), "{text}");
    }
    assert!(int("9223372036854775808").is_err() && int("1e21").is_err());
    assert!(span(r#""flags":4294967295"#).is_ok_and(|span| span.flags == u32::MAX));
    assert!(span(r#""droppedLinksCount":4294967296"#).is_err_and(|error| error.starts_with("droppedLinksCount")));
}

#[test]
fn doubles_have_words_for_what_json_has_no_numbers_for() {
    let double = |text: &str| match value(&format!(r#"{{"doubleValue":{text}}}"#)) {
        Ok(Some(Value::DoubleValue(value))) => Ok(value),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    for (text, expected) in [
        ("0.1", 0.1),
        ("\"0.1\"", 0.1),
        ("7", 7.0),
        ("-0.0", -0.0),
        ("1e-400", 0.0),
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
    ] {
        assert_eq!(double(text).map(f64::to_bits), Ok(f64::to_bits(expected)), "{text}");
    }
    assert!(double("\"NaN\"").is_ok_and(f64::is_nan));
    for bad in ["NaN", "Infinity", "-Infinity", "\"nan\"", "\"inf\"", "1e400", "\"\"", "0x1p3", "1.", ".5"] {
        assert!(double(bad).is_err(), "{bad}");
    }
    assert_eq!(value(r#"{"doubleValue":null}"#), Ok(None), "what JSON.stringify makes of NaN");
}

#[test]
fn enums_are_numbers_or_names() {
    let kind = |text: &str| span(&format!(r#""kind":{text}"#)).map(|span| span.kind);
    for (text, expected) in [("2", 2), ("\"SPAN_KIND_SERVER\"", 2), ("99", 99), ("-1", -1), ("null", 0), ("3.0", 3)] {
        assert_eq!(kind(text), Ok(expected), "{text}");
    }
    let code = |text: &str| span(&format!(r#""status":{{"code":{text},"message":"m"}}"#)).map(|span| span.status);
    for (text, expected) in [("\"STATUS_CODE_ERROR\"", 2), ("1", 1), ("\"STATUS_CODE_UNSET\"", 0)] {
        assert_eq!(code(text).map(|status| status.map_or(-1, |status| status.code)), Ok(expected), "{text}");
    }
    assert_eq!(kind("\"SERVER\""), Err("kind at byte 51: is no name of this enum".into()));
    assert!(kind("2147483648").is_err() && kind("true").is_err());
}

#[test]
fn ids_are_hex_and_bytes_are_base64() {
    let span_of = span(r#""traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"","parentSpanId":"00f0""#);
    let span_of = span_of.expect("hex");
    assert_eq!(span_of.trace_id[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    // What is not 16 or 8 bytes is for admission to reject, span by span.
    assert_eq!((span_of.span_id, span_of.parent_span_id), (vec![], vec![0, 0xf0]));
    let mixed_up = r#""traceId":"W47/95gDgQPSabYzgT/GDA==""#;
    let error = "traceId at byte 54: must be hex digits, two for each byte (OTLP/JSON has ids in hex, not base64)";
    assert_eq!(span(mixed_up), Err(error.into()));
    for (field, text) in [("spanId", "7uGbfsPBsXQ="), ("parentSpanId", "abc"), ("traceId", "0x5b")] {
        let error = span(&format!(r#""{field}":"{text}""#)).expect_err(text);
        assert!(error.starts_with(&format!("{field} at byte")), "{error}");
    }
    assert!(span(r#""links":[{"traceId":"zz"}]"#).is_err_and(|error| error.starts_with("traceId at byte")));
    for text in ["+/8=", "-_8=", "+/8", "-_8"] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)), Ok(Some(Value::BytesValue(vec![0xfb, 0xff]))));
    }
    assert!(value(r#"{"bytesValue":"a"}"#).is_err_and(|error| error.starts_with("bytesValue at byte")));
    assert!(value(r#"{"bytesValue":[1,2]}"#).is_err());
}

#[test]
fn names_in_either_case_and_unknown_ones() {
    let json = r#" { "resource_spans" : [ { "scope_spans" : [ { "spans" : [ { "trace_id" : "00ff", "start_time_unix_nano": 7,
        "sp\u0061n_id": "01", "unknown": {"a": [1, {"b": null}]}, "unknown": 2, "TraceId": "not hex",
        "attributes": [ { "key" : "k", "value" : { "kvlist_value" : { "values" : [] } } } ] } ], "schema_url": "s" } ],
        "resource": { "dropped_attributes_count": 3 }, "schemaUrl": "r" } ] } "#;
    let request = request(json).expect("valid");
    let resource_spans = &request.resource_spans[0];
    assert_eq!(resource_spans.schema_url, "r");
    assert_eq!(resource_spans.resource.as_ref().map(|resource| resource.dropped_attributes_count), Some(3));
    let span = &resource_spans.scope_spans[0].spans[0];
    assert_eq!((&span.trace_id[..], &span.span_id[..], span.start_time_unix_nano), (&[0, 0xff][..], &[1][..], 7));
    assert!(matches!(&span.attributes[0].value.as_ref().expect("set").value, Some(Value::KvlistValue(_))));
    assert_eq!(faults(json, 64), [None], "resources behind their spans are put in front of them");
}

#[test]
fn null_is_absent_and_empty_in_lists() {
    let request =
        request(r#"{"resourceSpans":[null,{"resource":null,"scopeSpans":[{"spans":[null,{"name":null}]}]}]}"#);
    let request = request.expect("valid");
    assert_eq!(request.resource_spans.len(), 2);
    assert_eq!(request.resource_spans[1].resource, None);
    assert_eq!(request.resource_spans[1].scope_spans[0].spans, [Span::default(), Span::default()]);
    let Ok(Some(Value::ArrayValue(array))) = value(r#"{"arrayValue":{"values":[null,{"intValue":1},{}]}}"#) else {
        panic!("an array")
    };
    assert_eq!(array.values.iter().filter(|value| value.value.is_none()).count(), 2);
    assert!(matches!(value(r#"{"stringValue":null,"boolValue":true}"#), Ok(Some(Value::BoolValue(true)))));
    assert!(span(r#""traceId":null,"traceId":"00""#).is_ok());
}

#[test]
fn defaults_of_a_value_are_values() {
    for (json, expected) in [
        (r#"{"stringValue":""}"#, Some(Value::StringValue(String::new()))),
        (r#"{"intValue":0}"#, Some(Value::IntValue(0))),
        (r#"{"boolValue":false}"#, Some(Value::BoolValue(false))),
        (r#"{"doubleValue":0}"#, Some(Value::DoubleValue(0.0))),
        (r#"{"bytesValue":""}"#, Some(Value::BytesValue(vec![]))),
        ("{}", None),
        (r#"{"newValue":1}"#, None),
    ] {
        assert_eq!(value(json), Ok(expected), "{json}");
    }
}

#[test]
fn twice_is_an_error() {
    assert_eq!(span(r#""name":"a","name":"a""#), Err("name at byte 62: is there twice".into()));
    assert!(span(r#""traceId":"00","trace_id":"00""#).is_err_and(|error| error.contains("traceId at")));
    assert!(request(r#"{"resourceSpans":[],"resourceSpans":[]}"#).is_err());
    let two = value(r#"{"intValue":1,"stringValue":"1"}"#);
    assert!(two.is_err_and(|error| error.starts_with("stringValue at") && error.ends_with("is a second value")));
}

#[test]
fn what_is_not_json_says_where() {
    let rows = [
        ("", "not JSON at byte 0: it ends too early"),
        ("   ", "not JSON at byte 3: it ends too early"),
        ("[]", "the body at byte 0: must be an object"),
        ("null", "the body at byte 0: must be an object"),
        ("{", "not JSON at byte 1: it ends too early"),
        ("{} {}", "not JSON at byte 3: something follows the value"),
        ("{}x", "not JSON at byte 2: something follows the value"),
        (r#"{"resourceSpans":{}}"#, "resourceSpans at byte 17: must be a list"),
        (r#"{"resourceSpans":[5]}"#, "resourceSpans at byte 18: must be an object"),
        (r#"{"resourceSpans":[{}}"#, "not JSON at byte 20: a comma or the list's end is missing"),
        (r#"{"resourceSpans":[{},]}"#, "not JSON at byte 21: a value is missing"),
        (r#"{"a":"b"#, "not JSON at byte 7: a string without an end"),
        ("{\"a\":\"\n\"}", "not JSON at byte 6: a control character in a string"),
        ("\x0a\x05\x12\x03", "not JSON at byte 1: a value is missing"),
    ];
    for (json, expected) in rows {
        assert_eq!(request(json), Err(expected.into()), "{json}");
    }
}

#[test]
fn bad_text_is_a_fault_of_its_span_alone() {
    let json = |name: &str| {
        let spans = format!(r#"{{"name":"fine \ud83d\ude00 é"}},{{"name":"{name}"}}"#);
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
    };
    assert_eq!(faults(&json("fine"), 64), [None, None]);
    assert_eq!(faults(&json(r"half \ud83d"), 64), [None, Some(ItemFault::InvalidUtf8)]);
    let raw = json("X").into_bytes().iter().map(|byte| if *byte == b'X' { 0xff } else { *byte }).collect::<Vec<_>>();
    let payload = transcode_traces(&raw, LIMITS).expect("as far as it is JSON");
    assert!(ExportTraceServiceRequest::decode(&*payload).is_err_and(|error| error.to_string().contains("UTF-8")));
}

#[test]
fn deep_values_are_a_fault_of_their_span_alone() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(levels), "]}}".repeat(levels));
        let deep = format!(r#"{{"attributes":[{{"key":"k","value":{open}{{"intValue":1}}{close}}}]}}"#);
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{deep},{{}}]}}]}}]}}"#)
    };
    for depth_max in [1, 2, 8, 64, 256, 1000] {
        let fine = (depth_max as usize).min(256) - 1;
        assert_eq!(faults(&nested(fine), depth_max), [None, None], "{depth_max}");
        for levels in [fine + 1, fine + 2, fine + 200] {
            assert_eq!(faults(&nested(levels), depth_max), [Some(ItemFault::TooDeep), None], "{levels} of {depth_max}");
        }
    }
    let error = transcode_traces(nested(100_000).as_bytes(), LIMITS).expect_err("not worth looking at");
    assert!(error.to_string().contains("nested deeper than 1024"), "{error}");
}

#[test]
fn more_than_is_allowed_is_too_large() {
    let json = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(999));
    let limits = |bytes_max| TranscodeLimits { bytes_max, ..LIMITS };
    assert_eq!(transcode_traces(json.as_bytes(), limits(2000)).map(|payload| payload.len()), Ok(2000));
    let refused = transcode_traces(json.as_bytes(), limits(1999));
    assert_eq!(refused, Err(JsonError::TooLarge { bytes_max: 1999 }));
}

#[test]
fn keys_in_other_capitals_are_told_wherever_they_stand() {
    let strangers = |text: &str| {
        let transcoded = transcode_request(Signal::Traces, text.as_bytes(), LIMITS).expect(text);
        let told = |stranger: Stranger| format!("{} {}", stranger.key, stranger.meant.unwrap_or("-"));
        transcoded.strangers.into_iter().map(told).collect::<Vec<_>>()
    };
    let span = |fields: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    for (text, told) in [
        (r#"{"ResourceSpans":[]}"#.to_owned(), vec!["ResourceSpans resourceSpans"]),
        (span(r#""TraceId":"","span-id":"","colour":1"#), vec!["TraceId traceId", "span-id spanId"]),
        (span(r#""startTime":5,"tags":[]"#), vec!["startTime startTimeUnixNano", "tags attributes"]),
        (span(r#""attributes":[{"key":"a","value":{"StringValue":"b"}}]"#), vec!["StringValue stringValue"]),
        (span(r#""events":[{"timeUnixNano":1,"Name":"a"},{"Name":"b"}]"#), vec!["Name name"]),
        (span(r#""trace_id":"","spanId":"""#), vec![]),
    ] {
        assert_eq!(strangers(&text), told, "{text}");
    }
    // After so many others nobody looks any more.
    let others = |count: usize| r#""x":1,"#.repeat(count);
    assert_eq!(strangers(&span(&format!(r#"{}"Name":"a""#, others(63)))), ["Name name"]);
    assert_eq!(strangers(&span(&format!(r#"{}"Name":"a""#, others(64)))), [""; 0]);
}
