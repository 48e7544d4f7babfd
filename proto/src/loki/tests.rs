//! Pushes before and after: what comes out as OTLP, and what is refused.

use prost::Message;

use super::*;
use crate::otlp::messages::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};

fn defaults() -> Vec<String> {
    SERVICE_LABELS.map(str::to_owned).to_vec()
}

fn pairs(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("{}={text}", attribute.key),
        other => format!("{}:{other:?}", attribute.key),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(",")
}

/// A request in a line of text for each stream and line.
fn shown(payload: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(payload).expect("protobuf");
    let mut shown = Vec::new();
    for stream in request.resource_logs {
        shown.push(format!("{{{}}}", pairs(&stream.resource.unwrap_or_default().attributes)));
        for scope in stream.scope_logs {
            assert_eq!(scope.scope.expect("a scope").name, "loki");
            for line in scope.log_records {
                let Some(Value::StringValue(body)) = line.body.and_then(|body| body.value) else { panic!("no text") };
                shown.push(
                    format!("{} {body:?} {}", line.time_unix_nano, pairs(&line.attributes)).trim_end().to_owned(),
                );
            }
        }
    }
    shown
}

fn json(text: &str) -> Result<Vec<String>, String> {
    let service_labels = defaults();
    let options = PushOptions { service_labels: &service_labels, keeps_times: true, bytes_max: 1 << 20 };
    transcode_json(text.as_bytes(), options).map(|payload| shown(&payload)).map_err(|error| error.to_string())
}

#[test]
fn streams_become_resources_and_keep_their_order() {
    let text = r#"{"streams": [
        {"stream": {"app": "cart", "env": "prod"}, "values": [
            ["1700000000000000002", "second \"x\"\n"], ["1700000000000000001", "first", {"trace_id": "4bf9", "n": 7, "ok": true}]]},
        {"values": [[1700000000000000003, "late labels"]], "stream": {"service_name": "s", "app": "a"}, "more": [{}]},
        {"stream": {"service.name": "own"}, "values": [["5", "", null]]},
        {"stream": {"app": "silent"}, "values": []},
        {"stream": {"pod": "p-0"}, "values": [["6", "x", {}]]}], "x": 1}"#;
    let expected = [
        "{app=cart,env=prod,service.name=cart}",
        "1700000000000000002 \"second \\\"x\\\"\\n\"",
        "1700000000000000001 \"first\" trace_id=4bf9,n=7,ok=true",
        "{service_name=s,app=a,service.name=s}",
        "1700000000000000003 \"late labels\"",
        "{service.name=own}",
        "5 \"\"",
        "{pod=p-0,service.name=unknown_service}",
        "6 \"x\"",
    ];
    assert_eq!(json(text).expect("a push"), expected);
    for empty in ["{}", r#"{"streams":[]}"#, r#"{"streams":null}"#, r#"{"streams":[{}]}"#] {
        assert_eq!(json(empty), Ok(Vec::new()), "{empty}");
    }
}

#[test]
fn times_are_nanoseconds_as_far_as_they_go() {
    let of = |time: &str| {
        let text = format!(r#"{{"streams":[{{"stream":{{}},"values":[[{time},"x"]]}}]}}"#);
        json(&text).map(|shown| shown[1].split(' ').next().unwrap_or_default().to_owned())
    };
    assert_eq!(of(r#""0""#).as_deref(), Ok("0"));
    assert_eq!(of(r#""1700000000""#).as_deref(), Ok("1700000000"));
    assert_eq!(of(r#""-5""#).as_deref(), Ok("1"));
    assert_eq!(of(r#""9999999999999999999999""#).as_deref(), Ok("18446744073709551615"));
    assert_eq!(of(r#""9223372036854775808""#).as_deref(), Ok("9223372036854775808"));
    assert!(of(r#""2023-11-14T22:13:20Z""#).is_err());
}

#[test]
fn what_is_no_push_says_where() {
    let rows = [
        ("", "not JSON at byte 0: it ends too early"),
        ("[]", "the body at byte 0: must be an object"),
        (r#"{"streams":{}}"#, "streams at byte 11: must be a list"),
        (
            r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2026-01-01T00:00:00Z","line":"x"}]}]}"#,
            "entries at byte 44: is of the API before 1.0: lines are in `values`, labels in `stream`",
        ),
        (r#"{"Streams":[{"stream":{"a":{}}}]}"#, "stream at byte 27: must be a string"),
        (r#"{"streams":[{"stream":{"a":{}}}]}"#, "stream at byte 27: must be a string"),
        (r#"{"streams":[{"values":[["x","l"]]}]}"#, "values at byte 24: must be a number"),
        (r#"{"streams":[{"values":[["1"]]}]}"#, "values at byte 23: must be a time and a line"),
        (r#"{"streams":[{"values":[["1",5]]}]}"#, "values at byte 28: must be a string"),
        (r#"{"streams":[{"values":[["1","l",{"a":{"b":1}}]]}]}"#, "values at byte 37: must be a string"),
        (
            r#"{"streams":[{"values":[["1","l",{},5]]}]}"#,
            "values at byte 23: has more than a time, a line and structured metadata",
        ),
        (r#"{"streams":[{"stream":{},"stream":{}}]}"#, "stream at byte 34: is there twice"),
    ];
    for (text, expected) in rows {
        assert_eq!(json(text).expect_err(text), expected, "{text}");
    }
    let options = PushOptions { service_labels: &[], keeps_times: true, bytes_max: 40 };
    let text = format!(r#"{{"streams":[{{"stream":{{}},"values":[["1","{}"]]}}]}}"#, "x".repeat(50));
    assert_eq!(
        transcode_json(text.as_bytes(), options).expect_err("large").to_string(),
        "more than 40 bytes of protobuf"
    );
}

#[test]
fn short_streams_grow_within_their_bound() {
    let service_labels = defaults();
    for stream in [r#"{"values":[[1,""]]}"#, r#"{"values":[[1,""],[1,""],[1,"",{"":""}]]}"#, "{}"] {
        let text = format!(r#"{{"streams":[{}]}}"#, [stream; 1000].join(","));
        let options = PushOptions { service_labels: &service_labels, keeps_times: true, bytes_max: usize::MAX };
        let payload = transcode_json(text.as_bytes(), options).expect("a push");
        assert!(payload.len() <= EXPANSION_MAX * text.len(), "{stream}: {} of {}", payload.len(), text.len());
    }
}

/// A length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut out);
    out
}

fn number(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::uint64::encode(number, &value, &mut out);
    out
}

fn protobuf(message: &[u8]) -> Result<Vec<String>, String> {
    let service_labels = defaults();
    let options = PushOptions { service_labels: &service_labels, keeps_times: true, bytes_max: 1 << 20 };
    transcode_protobuf(message, options).map(|payload| shown(&payload)).map_err(|error| error.to_string())
}

#[test]
fn protobuf_says_the_same() {
    let time = [number(1, 1_700_000_000), number(2, 5)].concat();
    let pair = field(3, &[field(1, b"trace_id"), field(2, b"4bf9")].concat());
    let entry = field(2, &[field(1, &time), field(2, b"a line"), pair].concat());
    let untimed = field(2, &field(2, b"untimed"));
    let before = field(2, &[field(1, &number(1, (-1_i64) as u64)), field(2, b"before")].concat());
    let labels = field(1, br#"{app="cart", path="C:\\x\n\u00e9"}"#);
    let unknown = number(9, 1);
    let stream = field(1, &[labels.clone(), entry, untimed, number(3, 77), unknown].concat());
    let late = field(1, &[before, labels].concat());
    let expected = [
        "{app=cart,path=C:\\x\né,service.name=cart}",
        "1700000000000000005 \"a line\" trace_id=4bf9",
        "0 \"untimed\"",
        "{app=cart,path=C:\\x\né,service.name=cart}",
        "1 \"before\"",
    ];
    assert_eq!(protobuf(&[stream, late].concat()).expect("a push"), expected);
    assert_eq!(protobuf(b""), Ok(Vec::new()));
    assert_eq!(protobuf(&[10]).expect_err("cut off"), "not a PushRequest: truncated at byte 1");
    let bad = field(1, &[field(1, b"{app=cart}"), field(2, b"")].concat());
    let words = "labels of a stream: a value in quotes is missing at byte 5 of \"{app=cart}\"";
    assert_eq!(protobuf(&bad).expect_err("no labels"), words);
}

#[test]
fn labels_are_read_as_they_are_written() {
    let read = |text: &str| {
        labels::parse(text.as_bytes()).map(|labels| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            labels.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>()
        })
    };
    let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(read("{}"), Ok(vec![]));
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(read(r#" { a = "b" , c="", } "#), Ok(vec![row("a", "b"), row("c", "")]));
    assert_eq!(read("{a=`x\\n`}"), Ok(vec![row("a", "x\\n")]));
    assert_eq!(
        read(r#"{"k8s.pod"="p", a="\"\t\x41\101\U0001F600"}"#),
        Ok(vec![row("k8s.pod", "p"), row("a", "\"\tAA😀")])
    );
    for bad in [
        "{",
        "a=\"b\"",
        "{a}",
        "{a=}",
        "{a=\"b}",
        "{a=\"b\" c=\"d\"}",
        "{a=\"b\"}x",
        "{=\"b\"}",
        r#"{a="\q"}"#,
        r#"{a="\x4"}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
