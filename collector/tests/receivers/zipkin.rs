//! Zipkin v2 through its port: 202, what arrives at the journal, and what is refused.

use std::collections::BTreeSet;

use prost::Message;
use serde_json::{Value, from_value, json};
use weir_collector::receivers::zipkin::ZipkinConfig;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use weir_store::AppendError;

use crate::{
    corpora,
    payload::{NOW_NS, gzip, request, span, zstd},
    port::{HttpClient, ZipkinReceiver},
};

fn zipkin_span(id: u64) -> Value {
    json!({
        "traceId": "463ac35c9f6413ad", "id": format!("{id:016x}"), "name": "get", "kind": "SERVER",
        "timestamp": NOW_NS / 1000, "duration": 5, "localEndpoint": {"serviceName": "shop"}, "tags": {"a": "1"},
    })
}

/// The spans of everything in the journal, with their service.
fn received(receiver: &ZipkinReceiver) -> Vec<(String, Span)> {
    let mut spans = Vec::new();
    for batch in receiver.journal.batches.lock().iter() {
        let request = ExportTraceServiceRequest::decode(batch.payload.clone().into_bytes()).expect("protobuf");
        for resource_spans in request.resource_spans {
            let resource = resource_spans.resource.unwrap_or_default();
            let service = attribute(&resource.attributes, "service.name").unwrap_or_default();
            for scope_spans in resource_spans.scope_spans {
                spans.extend(scope_spans.spans.into_iter().map(|span| (service.clone(), span)));
            }
        }
    }
    spans
}

/// As text, whatever it is.
fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    use any_value::Value::{BoolValue, IntValue, StringValue};

    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match attribute.value.clone()?.value? {
        StringValue(text) => text,
        IntValue(int) => int.to_string(),
        BoolValue(bool) => bool.to_string(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_list_of_spans_is_accepted() {
    let receiver = ZipkinReceiver::start().await;
    let mut http = HttpClient::connect(receiver.address).await;
    let body = json!([zipkin_span(1), zipkin_span(2)]).to_string().into_bytes();
    for (headers, body) in [
        (vec![("content-type", "application/json")], body.clone()),
        (vec![("content-type", "application/json; charset=utf-8"), ("content-encoding", "gzip")], gzip(&body)),
        (vec![("content-encoding", "zstd")], zstd(&body)),
        (vec![("content-type", "text/plain"), ("authorization", "Bearer team-a")], body.clone()),
    ] {
        receiver.journal.batches.lock().clear();
        let answer = http.post_zipkin(&headers, body).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (202, &b""[..]), "{headers:?}");
        let spans = received(&receiver);
        assert_eq!(spans.len(), 2);
        assert_eq!((spans[1].0.as_str(), spans[1].1.span_id[7], spans[1].1.kind), ("shop", 2, 2));
        assert_eq!(spans[0].1.end_time_unix_nano, NOW_NS + 5000);
        let tenant = receiver.journal.batches.lock()[0].tenant.as_str().to_owned();
        assert_eq!(tenant, if headers.len() == 2 && headers[1].1 == "Bearer team-a" { "team-a" } else { "default" });
    }
    assert_eq!(http.post_zipkin(&[], "[]").await.status, 202);
}

#[tokio::test]
async fn rejected_spans_do_not_hinder_the_rest() {
    let receiver = ZipkinReceiver::start().await;
    let mut http = HttpClient::connect(receiver.address).await;
    let (mut old, mut zero) = (zipkin_span(2), zipkin_span(3));
    old["timestamp"] = json!(5);
    zero["traceId"] = json!("0000000000000000");
    let answer = http.post_zipkin(&[], json!([zipkin_span(1), old, zero]).to_string()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        &answer.body[..],
        b"rejected spans: invalid_trace_id 1, too_old 1 (older than storage.accept.past, 1h)\n"
    );
    assert_eq!(receiver.journal.batches.lock()[0].rejected.len(), 2);
}

#[tokio::test]
async fn bad_input_has_a_status_and_a_line_of_text() {
    let receiver = ZipkinReceiver::start_with(|config| config.max_request_body_size = 1 << 20, true).await;
    let mut http = HttpClient::connect(receiver.address).await;
    let with = |key: &str, value: Value| {
        let mut span = zipkin_span(1);
        span[key] = value;
        json!([span]).to_string().into_bytes()
    };
    let rows: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", vec![], 400, "it ends too early"),
        ("one span", zipkin_span(1).to_string().into_bytes(), 400, "the body at byte 0: must be a list"),
        ("protobuf", request(vec![span()]), 400, " at byte 1: "),
        ("garbage behind", b"[] []".to_vec(), 400, "something follows the value"),
        ("base64 id", with("traceId", json!("RjrDXJ9kE60=")), 400, "traceId at byte"),
        ("a long id", with("id", json!("463ac35c9f6413ad48485a3953bb6124")), 400, "id at byte"),
        ("a negative time", with("timestamp", json!(-1)), 400, "timestamp at byte"),
        ("nested tags", with("tags", json!({"a": {"b": 1}})), 400, "tags at byte"),
        ("a large body", with("name", json!("x".repeat(1 << 20))), 413, "larger than 1048576 bytes"),
        ("a million lists", b"[".repeat(1_000_000), 400, "must be an object"),
    ];
    for (what, body, status, expected) in rows {
        for encoding in ["identity", "gzip"] {
            let body = if encoding == "gzip" { gzip(&body) } else { body.clone() };
            let answer = http.post_zipkin(&[("content-encoding", encoding)], body).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            // What is too deep is not looked at to its end.
            let expected = if what == "a million lists" { "nested deeper" } else { expected };
            assert_eq!(answer.status.as_u16(), status, "{what}: {text}");
            assert!(text.contains(expected) && text.ends_with('\n'), "{what}: {text}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            if status == 413 {
                http = HttpClient::connect(receiver.address).await;
            }
        }
    }
    let body = json!([zipkin_span(1)]).to_string();
    let protobuf = [("content-type", "application/x-protobuf")];
    assert_eq!(http.post_zipkin(&protobuf, body.clone()).await.status, 415);
    assert_eq!(http.send("POST", "/api/v1/spans", &[], body.clone().into()).await.status, 404);
    let get = http.send("GET", "/api/v2/spans", &[], vec![]).await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
    assert_eq!(http.post_zipkin(&[("authorization", "Bearer x")], body.clone()).await.status, 401);
    *receiver.journal.refusal.lock() = Some(AppendError::Busy("the queue is full"));
    let busy = http.post_zipkin(&[], body).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "1"));
    assert_eq!(receiver.journal.len(), 0);
}

#[tokio::test]
async fn short_spans_that_become_too_long_are_too_large() {
    let receiver = ZipkinReceiver::start_with(|config| config.max_request_body_size = 100_000, true).await;
    let mut http = HttpClient::connect(receiver.address).await;
    let body = format!("[{}{{\"traceId\":\"1\",\"id\":\"1\"}}]", "{\"traceId\":\"1\",\"id\":\"1\"},".repeat(3000));
    assert!(body.len() < 100_000);
    let answer = http.post_zipkin(&[], body).await;
    assert_eq!(answer.status, 413, "{:?}", answer.body);
}

#[test]
fn the_collectors_keys_are_read() {
    let config: ZipkinConfig = from_value(json!({
        "endpoint": ":9411", "parse_string_tags": true, "max_request_body_size": 1000, "read_timeout": "5s",
        "cors": {"allowed_origins": ["*"]}, "idle_timeout": "1m",
    }))
    .expect("valid");
    assert_eq!(config.check(), Ok(()));
    assert_eq!((config.endpoint.as_str(), config.parse_string_tags), (":9411", true));
    assert_eq!(ZipkinConfig::default().endpoint, "127.0.0.1:9411");
    let error = ZipkinConfig { inflight_mib_max: 0, ..ZipkinConfig::default() }.check().expect_err("nothing fits");
    assert_eq!(error.to_string(), "receivers.zipkin.inflight_mib_max: 0 is too small; at least 1");
}

#[tokio::test]
async fn string_tags_are_parsed_when_asked() {
    let receiver = ZipkinReceiver::start_with(|config| config.parse_string_tags = true, true).await;
    let mut http = HttpClient::connect(receiver.address).await;
    assert_eq!(http.post_zipkin(&[], json!([zipkin_span(1)]).to_string()).await.status, 202);
    let value = received(&receiver)[0].1.attributes[0].value.clone().and_then(|value| value.value);
    assert_eq!(value, Some(any_value::Value::IntValue(1)));
}

#[tokio::test]
async fn real_traces_come_out_whole() {
    for (name, body) in corpora::files("zipkin") {
        let receiver = ZipkinReceiver::start_with(|_| (), false).await;
        let mut http = HttpClient::connect(receiver.address).await;
        let originals: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
        let answer = http.post_zipkin(&[("content-encoding", "gzip")], gzip(&body)).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (202, &b""[..]), "{name}");
        let mut spans = received(&receiver);
        assert_eq!(spans.len(), originals.len(), "{name}");
        let starts: BTreeSet<u64> = originals.iter().filter_map(|span| span["timestamp"].as_u64()).collect();
        for original in &originals {
            let same = |(service, span): &(String, Span)| is(original, service, span, &starts);
            let Some(index) = spans.iter().position(same) else { panic!("{name}: missing {original}") };
            spans.remove(index);
        }
    }
}

/// Whether `span` says everything that `original` said.
fn is(original: &Value, service: &str, span: &Span, starts: &BTreeSet<u64>) -> bool {
    let hex = |bytes: &[u8]| weir_proto::ids::hex(bytes);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let parent = if original["parentId"] == original["id"] { String::new() } else { text(&original["parentId"]) };
    let start_us = span.start_time_unix_nano / 1000;
    let timed = match original["timestamp"].as_u64() {
        Some(timestamp) => timestamp == start_us,
        None => starts.contains(&start_us),
    };
    let said = hex(&span.trace_id) == format!("{:0>32}", text(&original["traceId"]))
        && hex(&span.span_id) == text(&original["id"])
        && hex(&span.parent_span_id) == parent
        && span.name == text(&original["name"])
        && kinds[span.kind as usize] == text(&original["kind"])
        && service == text(&original["localEndpoint"]["serviceName"])
        && (span.end_time_unix_nano - span.start_time_unix_nano) / 1000 == original["duration"].as_u64().unwrap_or(0)
        && span.events.len() == original["annotations"].as_array().map_or(0, Vec::len)
        && timed;
    let attribute = |key: &str| attribute(&span.attributes, key);
    let tags = original["tags"].as_object().cloned().unwrap_or_default();
    let tagged = tags.iter().all(|(key, value)| attribute(key) == value.as_str().map(str::to_owned));
    let events =
        original["annotations"].as_array().into_iter().flatten().zip(&span.events).all(|(annotation, event)| {
            event.name == text(&annotation["value"]) && annotation["timestamp"] == event.time_unix_nano / 1000
        });
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let endpoint = |endpoint: &str, field: &str, key: &str| {
        let original = &original[endpoint][field];
        original.is_null() || attribute(key) == Some(as_text(original))
    };
    said && tagged
        && events
        && endpoint("localEndpoint", "ipv4", "network.local.address")
        && endpoint("localEndpoint", "port", "network.local.port")
        && endpoint("remoteEndpoint", "serviceName", "peer.service")
        && endpoint("remoteEndpoint", "ipv4", "network.peer.address")
        && endpoint("remoteEndpoint", "port", "network.peer.port")
}
