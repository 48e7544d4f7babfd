//! What senders of something else are told, in words that name what was seen and what is meant.

use prost::Message;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::KeyValue, trace::v1::Span,
};

use crate::{
    payload::{framed, gzip, request, request_of, span},
    port::{EXPORT, GrpcClient, HttpClient, Receiver, soon},
};

#[tokio::test]
async fn json_without_traces_is_warned_of() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    let rows = [
        (json!({"resourceLogs": []}), "no spans found: the key `resourceLogs` was passed over: it holds logs"),
        (json!({"resource_metrics": []}), "`resource_metrics` was passed over: it holds metrics"),
        (json!({"ResourceSpans": []}), "`resourceSpans` is meant"),
        (json!({"data": [{"traceID": "x", "spans": []}]}), "Jaeger"),
        (json!({"spans": []}), "spans stand in `resourceSpans`"),
        (json!({"colour": 1}), "`colour` was passed over, nothing is called so"),
        (json!({"resourceSpans": [{"ScopeSpans": []}]}), "`scopeSpans` is meant"),
    ];
    for (body, words) in rows {
        let answer = http.export_json(&[], body.to_string()).await;
        let partial = &answer.json()["partialSuccess"];
        assert_eq!((answer.status.as_u16(), &partial["rejectedSpans"]), (200, &json!("0")), "{body}");
        let message = partial["errorMessage"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{body}: {message}");
    }
    for silent in [json!({}), json!({"resourceSpans": []}), json!({"resource_spans": [{"scope_spans": []}]})] {
        assert_eq!(http.export_json(&[], silent.to_string()).await.json(), json!({}), "{silent}");
    }
    assert_eq!(receiver.journal.len(), 0);
    // As they were called until 2022: the same spans.
    let span = json!({"traceId": "01".repeat(16), "spanId": "02".repeat(8), "name": "n", "startTimeUnixNano": crate::payload::NOW_NS});
    let old = json!({"resourceSpans": [{"instrumentationLibrarySpans": [{"instrumentationLibrary": {"name": "l"}, "spans": [span]}]}]});
    let new = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "l"}, "spans": [span]}]}]});
    for body in [old, new] {
        assert_eq!(http.export_json(&[], body.to_string()).await.json(), json!({}));
    }
    let batches = receiver.journal.batches.lock();
    assert_eq!(batches[0].payload[..], batches[1].payload[..]);
}

#[tokio::test]
async fn keys_in_other_capitals_are_warned_of_within_spans() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    let ids =
        json!({"TraceId": "01".repeat(16), "SpanId": "02".repeat(8), "startTimeUnixNano": crate::payload::NOW_NS});
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [ids]}]}]});
    let partial = http.export_json(&[], body.to_string()).await.json()["partialSuccess"].clone();
    let message = partial["errorMessage"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("invalid_trace_id 1") && message.contains("`traceId` is meant"), "{message}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let receiver = Receiver::start().await;
    let json = br#"{"resourceSpans": []}"#.to_vec();
    let utf_16: Vec<u8> = json.iter().flat_map(|byte| [*byte, 0]).collect();
    let (as_json, as_protobuf) = (("content-type", "application/json"), ("content-type", "application/x-protobuf"));
    let gzipped = ("content-encoding", "gzip");
    let rows = [
        ("/v1/traces/", vec![as_json], json.clone(), 404, "without the slash at its end, /v1/traces is"),
        ("/v1/traces/v1/traces", vec![as_json], json.clone(), 404, "the endpoint has /v1/traces already"),
        ("/otlp/v1/traces", vec![as_json], json.clone(), 404, "without what stands before it, /v1/traces is"),
        ("//v1/traces", vec![as_json], json.clone(), 404, "without what stands before it, /v1/traces is"),
        ("/v1/Traces", vec![as_json], json.clone(), 404, "written /v1/traces, it is"),
        ("/v1/profiles", vec![as_json], json.clone(), 404, "profiles are not there yet"),
        ("/api/v2/spans", vec![as_json], b"[]".to_vec(), 404, "zipkin receiver"),
        ("/v1/traces", vec![as_json], [b"\xef\xbb\xbf", &*json].concat(), 400, "byte order mark"),
        ("/v1/traces", vec![as_json], utf_16, 400, "UTF-16"),
        ("/v1/traces", vec![as_json], json[..19].to_vec(), 400, "it ends too early"),
        ("/v1/traces", vec![as_json], gzip(&json), 400, "compressed with gzip"),
        ("/v1/traces", vec![as_json, gzipped], json.clone(), 400, "seems not to be compressed"),
        ("/v1/traces", vec![as_json], request(vec![span()]), 400, "protobuf"),
        ("/v1/traces", vec![as_json], b"[{}]".to_vec(), 400, "one object that begins with resourceSpans"),
        ("/v1/traces", vec![as_protobuf], json.clone(), 400, "JSON"),
        ("/v1/traces", vec![as_protobuf], gzip(&request_of(10)), 400, "compressed with gzip"),
        ("/v1/traces", vec![("content-type", "text/plain")], json.clone(), 415, "text/plain"),
        ("/v1/traces", vec![], json.clone(), 415, "no Content-Type"),
        ("/v1/traces", vec![("content-type", "application/grpc")], json, 415, "usually 4317"),
    ];
    for (path, headers, body, status, words) in rows {
        let answer = HttpClient::connect(receiver.http).await.send("POST", path, &headers, body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == status && text.contains(words), "{path} {headers:?}: {} {text}", answer.status);
    }
    let answer = HttpClient::connect(receiver.http).await.send("GET", "/v1/traces", &[], Vec::new()).await;
    assert!(answer.status == 405 && String::from_utf8_lossy(&answer.body).contains("use POST"));
}

#[tokio::test]
async fn the_wrong_port_says_which_one_is_right() {
    let receiver = Receiver::start().await;
    let answer = GrpcClient::connect(receiver.http).await.export(&request_of(10)).await;
    assert_eq!((answer.code(), answer.header("grpc-message").contains("usually 4317")), ("12", true));
    let answer = HttpClient::connect(receiver.grpc).await.export(&[], request_of(10)).await;
    assert!(answer.status == 415 && answer.body.starts_with(b"this port speaks OTLP/gRPC"));
    for address in [receiver.http, receiver.grpc] {
        let mut socket = TcpStream::connect(address).await.expect("listening");
        socket.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await.expect("open");
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.starts_with("HTTP/1.1 400 ") && head.contains(&format!("content-length: {}\r", body.len())),
            "{answer}"
        );
        assert!(body.contains("speaks TLS"), "{body}");
    }
}

#[tokio::test]
async fn the_clients_deadline_is_obeyed() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let message = framed(0, &request_of(10));
    for timeout in ["1H", "10S", "99999999m"] {
        assert_eq!(grpc.send_raw(EXPORT, &[("grpc-timeout", timeout)], message.clone()).await.code(), "0", "{timeout}");
    }
    for wrong in ["", "S", "10", "10s", "123456789S", "-1S"] {
        assert_eq!(grpc.send_raw(EXPORT, &[("grpc-timeout", wrong)], message.clone()).await.code(), "3", "{wrong}");
    }
    // The journal takes its time.
    let permits = receiver.journal.gate.acquire_many(1000).await.expect("never closed");
    let answer = grpc.send_raw(EXPORT, &[("grpc-timeout", "5m")], message.clone()).await;
    assert_eq!(answer.code(), "4");
    drop(permits);
    assert_eq!(grpc.send_raw(EXPORT, &[("grpc-timeout", "10S")], message).await.code(), "0");
}

#[tokio::test]
async fn attributes_beyond_the_limit_are_left_out_and_counted() {
    let receiver = Receiver::start().await;
    let attributes = |count: usize| {
        (0..count).map(|number| KeyValue { key: format!("k{number}"), ..KeyValue::default() }).collect::<Vec<_>>()
    };
    let large = Span { attributes: attributes(1500), dropped_attributes_count: 3, ..span() };
    let answer = HttpClient::connect(receiver.http).await.export(&[], request(vec![span(), large.clone()])).await;
    assert_eq!((answer.status.as_u16(), answer.partial()), (200, (0, String::new())));
    let batches = receiver.journal.batches.lock();
    let kept = ExportTraceServiceRequest::decode(&batches[0].payload[..]).expect("well formed");
    let expected = Span { attributes: attributes(1024), dropped_attributes_count: 479, ..large };
    assert_eq!(kept.resource_spans[0].scope_spans[0].spans, [span(), expected]);
}

#[tokio::test]
async fn a_small_body_that_becomes_large_is_taken() {
    let receiver = Receiver::start_with(|config| config.inflight_mib_max = 64).await;
    let mut http = HttpClient::connect(receiver.http).await;
    let large = request_of(6 << 20);
    for _ in 0..8 {
        let answer = http.export(&[("content-encoding", "gzip")], gzip(&large)).await;
        assert_eq!(answer.status, 200, "what was reserved for trying is given back");
    }
}
