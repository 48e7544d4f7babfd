//! Loki's push through its port: 204, what arrives at the journal, and what is refused.

use prost::Message;
use serde_json::json;
use weir_proto::otlp::messages::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use weir_store::AppendError;

use crate::{
    payload::{NOW_NS, gzip},
    port::{Answer, HttpClient, LokiReceiver},
};

const PUSH: &str = "/loki/api/v1/push";
const JSON: (&str, &str) = ("content-type", "application/json");

fn text(attributes: &[KeyValue]) -> Vec<String> {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("{}={text}", attribute.key),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(one).collect()
}

/// Every line in the journal: its stream, its text and its metadata.
fn received(receiver: &LokiReceiver) -> Vec<(Vec<String>, String, Vec<String>)> {
    let mut lines = Vec::new();
    for batch in receiver.journal.lines.lock().iter() {
        let request = ExportLogsServiceRequest::decode(batch.payload.clone().into_bytes()).expect("protobuf");
        for stream in request.resource_logs {
            let labels = text(&stream.resource.unwrap_or_default().attributes);
            for line in stream.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                let Some(Value::StringValue(body)) = line.body.and_then(|body| body.value) else { panic!("no text") };
                lines.push((labels.clone(), body, text(&line.attributes)));
            }
        }
    }
    lines
}

fn push(lines: &[(u64, &str)]) -> Vec<u8> {
    let values: Vec<_> = lines.iter().map(|(time_ns, line)| json!([time_ns.to_string(), line])).collect();
    json!({"streams": [{"stream": {"app": "cart"}, "values": values}]}).to_string().into()
}

/// A field of protobuf.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut out);
    out
}

fn protobuf(line: &[u8]) -> Vec<u8> {
    let mut time = Vec::new();
    prost::encoding::uint64::encode(1, &(NOW_NS / 1_000_000_000), &mut time);
    let metadata = field(3, &[field(1, b"user"), field(2, b"ann")].concat());
    let entry = field(2, &[field(1, &time), field(2, line), metadata].concat());
    field(1, &[field(1, br#"{app="cart"}"#), entry].concat())
}

fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).expect("short")
}

async fn send(receiver: &LokiReceiver, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    HttpClient::connect(receiver.address).await.send("POST", PUSH, headers, body).await
}

type Headers<'h> = &'h [(&'h str, &'h str)];

#[tokio::test]
async fn both_forms_are_taken() {
    let receiver = LokiReceiver::start().await;
    let body = push(&[(NOW_NS, "a line")]);
    let gzipped = gzip(&body);
    let forms: [(Headers<'_>, Vec<u8>); 6] = [
        (&[JSON], body.clone()),
        (&[("content-type", "application/json; charset=utf-8"), ("content-encoding", "gzip")], gzipped),
        (&[("content-type", "application/x-protobuf")], snappy(&protobuf(b"a line"))),
        (&[("content-type", "application/x-protobuf"), ("content-encoding", "snappy")], snappy(&protobuf(b"a line"))),
        (&[], snappy(&protobuf(b"a line"))),
        (&[JSON, ("x-scope-orgid", "team-b")], body),
    ];
    for (headers, body) in forms {
        let answer = send(&receiver, headers, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (204, &b""[..]), "{headers:?}");
    }
    let lines = received(&receiver);
    assert_eq!(lines.len(), 6);
    for (labels, line, metadata) in lines {
        assert_eq!((labels, line.as_str()), (vec!["app=cart".to_owned(), "service.name=cart".to_owned()], "a line"));
        assert!(metadata.is_empty() || metadata == ["user=ann"]);
    }
    let mut http = HttpClient::connect(receiver.address).await;
    let ready = http.send("GET", "/ready", &[], Vec::new()).await;
    assert_eq!((ready.status.as_u16(), &*ready.body), (200, &b"ready\n"[..]));
    assert_eq!(http.send("GET", PUSH, &[], Vec::new()).await.status, 405);
    assert_eq!(http.send("POST", "/loki/api/v1/pusch", &[], Vec::new()).await.status, 404);
}

#[tokio::test]
async fn nothing_is_a_push_too_and_keeps_nothing() {
    let receiver = LokiReceiver::start().await;
    for body in [r#"{"streams":[]}"#, "{}", r#"{"streams":[{"stream":{"a":"b"},"values":[]}]}"#] {
        assert_eq!(send(&receiver, &[JSON], body.into()).await.status, 204, "{body}");
    }
    assert_eq!(received(&receiver), []);
}

#[tokio::test]
async fn what_is_refused_is_refused_alone_and_said() {
    let receiver = LokiReceiver::start().await;
    let body = push(&[
        (NOW_NS, "kept"),
        (5, "old"),
        (NOW_NS / 1_000_000_000, "in seconds"),
        (u64::MAX, "far"),
        (NOW_NS, "kept"),
    ]);
    let answer = send(&receiver, &[JSON], body).await;
    let words = "rejected log records: too_old 2 (older than storage.accept.past, 1h), too_new 1 (further ahead than \
                 storage.accept.future, 1m); times are nanoseconds since 1970; the other 2 are kept\n";
    assert_eq!((answer.status.as_u16(), std::str::from_utf8(&answer.body)), (400, Ok(words)));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let lone = format!(r#"{{"streams":[{{"stream":{{}},"values":[["{NOW_NS}","\ud800"],["{NOW_NS}","fine"]]}}]}}"#);
    let answer = send(&receiver, &[JSON], lone.into()).await;
    let words = "rejected log records: invalid_utf8 1; the other one is kept\n";
    assert_eq!((answer.status.as_u16(), std::str::from_utf8(&answer.body)), (400, Ok(words)));
    let large = push(&[(NOW_NS, &"x".repeat(10 << 20))]);
    let answer = send(&receiver, &[JSON], large).await;
    let words = "rejected log records: too_large 1; nothing else was in the push\n";
    assert_eq!((answer.status.as_u16(), std::str::from_utf8(&answer.body)), (400, Ok(words)));
    let kept: Vec<u64> = receiver.journal.lines.lock().iter().map(|batch| batch.summaries.len() as u64).collect();
    assert_eq!(kept, [2, 1, 0]);
}

#[tokio::test]
async fn what_is_no_push_is_told_why() {
    let receiver = LokiReceiver::start().await;
    let mut lying = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
    lying.extend_from_slice(b"abc");
    let mut short = snappy(&protobuf(b"x"));
    short.truncate(20);
    let rows: [(Headers<'_>, Vec<u8>, u16, &str); 9] = [
        (&[JSON], b"{\"streams\":[{]}".to_vec(), 400, "not JSON at byte 13"),
        (&[JSON], b"[]".to_vec(), 400, "the body at byte 0: must be an object"),
        (&[JSON], snappy(&protobuf(b"x")), 400, "not JSON"),
        (&[], push(&[(NOW_NS, "x")]), 400, "it seems to be JSON, whose Content-Type is application/json"),
        (&[], protobuf(b"x"), 400, "corrupt snappy"),
        (&[], lying, 400, "4294967295 bytes are declared, 8 cannot become so many"),
        (&[], short, 400, "corrupt snappy"),
        (&[], snappy(&field(1, &field(1, b"{app=}"))), 400, "labels of a stream: a value in quotes is missing"),
        (&[JSON, ("content-encoding", "br")], Vec::new(), 415, "content encoding \"br\" is not supported"),
    ];
    for (headers, body, status, words) in rows {
        let answer = send(&receiver, headers, body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status.as_u16() == status && text.contains(words), "{}: {text}", answer.status);
    }
    assert_eq!(received(&receiver), []);
}

#[tokio::test]
async fn a_busy_journal_asks_for_another_try() {
    let receiver = LokiReceiver::start().await;
    *receiver.journal.refusal.lock() = Some(AppendError::DiskFull);
    let answer = send(&receiver, &[JSON], push(&[(NOW_NS, "x")])).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    *receiver.journal.refusal.lock() = None;
    assert_eq!(send(&receiver, &[JSON], push(&[(NOW_NS, "x")])).await.status, 204);
}
