//! OTLP/JSON through the port: what arrives at the journal, and what the sender is told in JSON.

use prost::Message;
use serde_json::{Value, json};
use weir_proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use weir_store::AppendError;

use crate::{
    corpora,
    payload::{NOW_NS, deflate, gzip, request, span, span_with, zstd},
    port::{HttpClient, Receiver},
};

/// The JSON of a request in protobuf, as opentelemetry-proto writes it.
fn json_of(payload: &[u8]) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(payload).expect("protobuf");
    serde_json::to_vec(&request).expect("serializable")
}

/// A request whose only span has these members beside ids and times.
fn with(members: Value) -> Vec<u8> {
    let mut span = json!({
        "traceId": "01010101010101010101010101010101", "spanId": "0202020202020202",
        "startTimeUnixNano": NOW_NS.to_string(), "endTimeUnixNano": NOW_NS,
    });
    span.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string().into_bytes()
}

#[tokio::test]
async fn every_encoding_becomes_the_same_payload() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    for len in [10, 100_000, 2_000_000] {
        let payload = request(vec![span_with(1, len), span()]);
        let json = json_of(&payload);
        let bodies =
            [("identity", json.clone()), ("gzip", gzip(&json)), ("zstd", zstd(&json)), ("deflate", deflate(&json))];
        for (encoding, body) in bodies {
            receiver.journal.batches.lock().clear();
            let answer = http.export_json(&[("content-encoding", encoding)], body).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})), "{encoding} {len}");
            let batches = receiver.journal.batches.lock();
            let [batch] = &batches[..] else { panic!("{} batches", batches.len()) };
            assert!(*batch.payload == payload, "{encoding} {len}");
            assert_eq!((batch.items, batch.received_at_ns), (2, NOW_NS));
        }
    }
    let parameters = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = http.send("POST", "/v1/traces", &parameters, with(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
}

#[tokio::test]
async fn rejected_spans_are_reported_in_json() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    let mut deep = json!({"intValue": 1});
    for _ in 0..64 {
        deep = json!({"kvlistValue": {"values": [{"key": "k", "value": deep}]}});
    }
    let rows = [
        (with(json!({"traceId": ""})), "invalid_trace_id"),
        (with(json!({"traceId": "0101"})), "invalid_trace_id"),
        (with(json!({"spanId": null})), "invalid_span_id"),
        (with(json!({"startTimeUnixNano": 5})), "too_old"),
        (with(json!({"attributes": [{"key": "k", "value": deep}]})), "too_deep"),
        (String::from_utf8(with(json!({"name": "X"}))).expect("text").replace('X', "\\ud800").into(), "invalid_utf8"),
    ];
    for (body, reason) in rows {
        let answer = http.export_json(&[], body).await;
        let why = if reason == "too_old" { " (older than storage.accept.past, 1h)" } else { "" };
        let partial = json!({"rejectedSpans": "1", "errorMessage": format!("rejected spans: {reason} 1{why}")});
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"partialSuccess": partial})), "{reason}");
    }
    let fine = http.export_json(&[], with(json!({"name": "\u{1f600}"}))).await;
    assert_eq!((fine.status.as_u16(), fine.json()), (200, json!({})));
}

#[tokio::test]
async fn bad_json_is_an_invalid_argument_in_json() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    let value = |value: Value| with(json!({"attributes": [{"key": "k", "value": value}]}));
    let text = |members: &str| {
        let json = String::from_utf8(with(json!({"X": 0}))).expect("text");
        json.replace("\"X\":0", members).into_bytes()
    };
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "it ends too early"),
        ("protobuf", request(vec![span()]), " at byte 1: "),
        ("cut", with(json!({}))[..50].to_vec(), "not JSON at byte 50"),
        ("garbage behind", [with(json!({})), b"x".to_vec()].concat(), "something follows the value"),
        ("two values", [with(json!({})), with(json!({}))].concat(), "something follows the value"),
        ("base64 trace id", with(json!({"traceId": "AQEBAQEBAQEBAQEBAQEBAQ=="})), "traceId at byte"),
        ("base64 span id", with(json!({"spanId": "AgICAgICAgI="})), "spanId at byte"),
        ("hex with a prefix", with(json!({"parentSpanId": "0x02"})), "parentSpanId at byte"),
        ("not base64", value(json!({"bytesValue": "%%"})), "bytesValue at byte"),
        ("a number as text", value(json!({"stringValue": 5})), "stringValue at byte"),
        ("beyond 64 bits", value(json!({"intValue": "9223372036854775808"})), "intValue at byte"),
        ("two values of one", value(json!({"intValue": 1, "stringValue": ""})), "is a second value"),
        ("a bare NaN", text("\"attributes\":[{\"key\":\"k\",\"value\":{\"doubleValue\":NaN}}]"), "not JSON at byte"),
        ("a duplicate key", text("\"name\":\"a\",\"name\":\"b\""), "name at byte"),
        ("an unknown enum name", with(json!({"kind": "server"})), "kind at byte"),
        ("a newline in a string", text("\"name\":\"\n\""), "a control character in a string"),
        (
            "100,000 lists",
            text(&format!("\"unknown\":{}{}", "[".repeat(100_000), "]".repeat(100_000))),
            "nested deeper",
        ),
        ("a million lists", b"[".repeat(1_000_000), "nested deeper than 1024"),
        ("a million objects", b"{\"a\":".repeat(1_000_000), "nested deeper than 1024"),
    ];
    for (what, body, expected) in rows {
        for encoding in ["identity", "gzip"] {
            let body = if encoding == "gzip" { gzip(&body) } else { body.clone() };
            let answer = http.export_json(&[("content-encoding", encoding)], body).await;
            let status = answer.json();
            assert_eq!((answer.status.as_u16(), &status["code"]), (400, &json!(3)), "{what}: {status}");
            let message = status["message"].as_str().expect("a message");
            assert!(message.starts_with("malformed request: ") && message.contains(expected), "{what}: {message}");
        }
    }
    assert_eq!(receiver.journal.len(), 0);
    assert_eq!(http.export_json(&[], with(json!({}))).await.status, 200);
}

#[tokio::test]
async fn every_refusal_is_in_json_too() {
    let receiver =
        Receiver::start_with(|config| config.protocols.http.as_mut().expect("on").max_request_body_size = 1 << 20)
            .await;
    let mut http = HttpClient::connect(receiver.http).await;
    let large = with(json!({"name": "x".repeat(1 << 20)}));
    let answer = http.export_json(&[("content-encoding", "gzip")], gzip(&large)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (413, &json!(8)));
    let answer = http.export_json(&[("content-encoding", "gzip")], b"x".to_vec()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!(3)));
    let answer = http.export_json(&[("content-encoding", "br")], b"x".to_vec()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (415, &json!(12)));
    let answer = http.send("POST", "/v1/profiles", &[("content-type", "application/json")], b"{}".to_vec()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &json!(12)));
    let answer = http.export_json(&[("authorization", "Bearer nobody")], with(json!({}))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (401, &json!(16)));
    receiver.refuse(Some(AppendError::Busy("the queue is full")));
    let answer = http.export_json(&[], with(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    let details = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]);
    assert_eq!((&answer.json()["code"], &answer.json()["details"]), (&json!(14), &details));
}

#[tokio::test]
async fn the_specifications_examples_come_in() {
    for (name, body) in corpora::files("otlp") {
        let receiver = Receiver::start().await;
        let mut http = HttpClient::connect(receiver.http).await;
        let parsed: Value = serde_json::from_slice(&body).expect("JSON");
        let answer = http.export_json(&[], body).await;
        assert_eq!(answer.status, 200, "{name}: {:?}", answer.body);
        // Logs and metrics hold no traces, which the answer says; the trace's span is of 2018.
        let is_traces = parsed.get("resourceSpans").is_some();
        assert_eq!(receiver.journal.len(), usize::from(is_traces), "{name}");
        if !is_traces {
            let word = answer.json()["partialSuccess"]["errorMessage"].as_str().map(str::to_owned);
            assert!(word.is_some_and(|word| word.starts_with("no spans found: ")), "{name}: {:?}", answer.body);
            continue;
        }
        let payload = receiver.journal.batches.lock()[0].payload.clone();
        let request = ExportTraceServiceRequest::decode(payload.into_bytes()).expect("protobuf");
        let original: ExportTraceServiceRequest = serde_json::from_value(parsed).expect("as serde reads it");
        assert_eq!(request, original, "{name}");
    }
}
