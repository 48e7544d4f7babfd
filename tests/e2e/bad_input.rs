//! Bad input through the real ports: refused with the right code, counted, and never at the cost of the process.

use std::time::Duration;

use hyper::StatusCode;
use weir_benches::{
    client::{Encoder, Encoding, Outcome, Pool},
    query::Query,
    rng::Rng,
    server::Server,
    shop::{BatchKey, HEAD_LEN},
};
use weir_proto::{
    otlp::messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    },
    time::{Clock, SECOND_NS},
};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::{export, post, protobuf, raw},
};

/// A server, and proof at the end that it still works.
pub(crate) async fn with_server(seed: u64, test: impl AsyncFnOnce(&Weir, &Server)) {
    let weir = Weir::new(seed, SMALL);
    let mut server = weir.start().await;
    test(&weir, &server).await;
    assert!(server.runs(), "{}", weir.options.log());
    assert!(!weir.options.log().contains("panicked"), "{}", weir.options.log());
    weir.send(&server, 100).await;
}

fn payload(weir: &Weir) -> Vec<u8> {
    let mut bytes = Vec::new();
    weir.traffic.fill(BatchKey { number: 1 << 40, base_ns: Clock::system().now_ns() }, &mut bytes);
    bytes.split_off(HEAD_LEN)
}

fn span(id: u8) -> Span {
    let now_ns = Clock::system().now_ns();
    Span {
        trace_id: vec![id; 16],
        span_id: vec![id; 8],
        name: "bad input".into(),
        start_time_unix_nano: now_ns - SECOND_NS,
        end_time_unix_nano: now_ns,
        ..Span::default()
    }
}

pub(crate) fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn request(spans: Vec<Span>) -> Vec<u8> {
    use prost::Message;
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

#[tokio::test]
async fn truncated_and_random_bytes() {
    with_server(61, async |weir, server| {
        let payload = payload(weir);
        let mut rng = Rng::new(61);
        for _ in 0..60 {
            // A cut between two fields is a valid shorter message; a cut within one is not.
            let mut body = payload[..rng.below(payload.len() as u64) as usize].to_vec();
            if rng.percent(50) {
                let from = rng.below(body.len() as u64 + 1) as usize;
                body[from..].iter_mut().for_each(|byte| *byte = rng.bits() as u8);
            }
            let (status, _) = post(server.http, &protobuf(), body.clone()).await;
            assert!(matches!(status.as_u16(), 200 | 400), "{status}");
            let outcome = export(server.grpc, &body).await;
            let expected = Outcome::Refused("INVALID_ARGUMENT".into());
            let as_http = if status == 200 { matches!(outcome, Outcome::Acked { .. }) } else { outcome == expected };
            assert!(as_http, "{status}, but {outcome:?}");
        }
        let (status, _) = post(server.http, &protobuf(), vec![0xff; 1000]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    })
    .await;
}

#[tokio::test]
async fn bad_bodies_and_headers() {
    with_server(62, async |weir, server| {
        let gzip = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
        let (status, _) = post(server.http, &gzip, b"this is not gzip".to_vec()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        // 1000:1, beyond the limit on decompressed bytes.
        let (status, _) = post(server.http, &gzip, bomb(64 << 20)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let (status, _) = post(server.http, &[("content-type", "text/plain")], payload(weir)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let mut head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-large: ".to_vec();
        head.resize(10 << 20, b'a');
        let answer = raw(server.http, &head, Duration::from_secs(10)).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
        // A client that stops in the middle of its request does not stand in anybody's way.
        let slow = raw(server.http, b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n", Duration::ZERO);
        assert!(slow.await.is_empty());
        let too_large = export(server.grpc, &request(vec![Span { name: "x".repeat(17 << 20), ..span(1) }])).await;
        assert_eq!(too_large, Outcome::Refused("RESOURCE_EXHAUSTED".into()));
    })
    .await;
}

#[tokio::test]
async fn bad_spans_are_rejected_one_by_one() {
    with_server(63, async |_, server| {
        let now_ns = Clock::system().now_ns();
        let long_ago_ns = now_ns - 30 * 86_400 * SECOND_NS;
        let many = (0..100_000).map(|n| text(&format!("k{n}"), "v".into())).collect();
        let bad = [
            Span { trace_id: vec![0; 16], ..span(1) },
            Span { trace_id: vec![1; 15], ..span(1) },
            Span { span_id: vec![0; 8], ..span(1) },
            Span { span_id: vec![1; 9], ..span(1) },
            Span { start_time_unix_nano: now_ns + 3600 * SECOND_NS, ..span(1) },
            Span { start_time_unix_nano: long_ago_ns - SECOND_NS, end_time_unix_nano: long_ago_ns, ..span(1) },
        ];
        for (at, bad) in bad.into_iter().enumerate() {
            let outcome = export(server.grpc, &request(vec![span(0x70 + at as u8), bad])).await;
            assert_eq!(outcome, Outcome::Acked { rejected: 1 }, "bad span {at}");
        }
        let many = Span { attributes: many, ..span(0x7c) };
        let outcome = export(server.grpc, &request(vec![span(0x7b), many])).await;
        assert_eq!(outcome, Outcome::Acked { rejected: 0 }, "attributes beyond the limit are left out, not their span");
        let outcome = export(server.grpc, &request_of(&deep_span(8, 1_000))).await;
        assert_eq!(outcome, Outcome::Acked { rejected: 1 }, "a deep span");
        // Invalid UTF-8, which prost would not let us write: a valid name's bytes are overwritten.
        let mut body = request(vec![span(0x7d), Span { name: "\u{1}\u{2}\u{3}!?!".into(), ..span(0x7e) }]);
        let at = body.windows(6).position(|six| six == b"\x01\x02\x03!?!").expect("the name");
        body[at] = 0xff;
        assert_eq!(export(server.grpc, &body).await, Outcome::Acked { rejected: 1 });
        let ledger = Query::new(server.query).ledger().await.expect("a ledger");
        assert_eq!((ledger.accepted, ledger.balances()), (9, true));
    })
    .await;
}

#[tokio::test]
async fn odd_but_allowed() {
    with_server(64, async |_, server| {
        let now_ns = Clock::system().now_ns();
        let backwards = Span { end_time_unix_nano: now_ns - 5 * SECOND_NS, ..span(2) };
        assert_eq!(export(server.grpc, &request(vec![backwards])).await, Outcome::Acked { rejected: 0 });
        let large = Span { attributes: vec![text("large", "x".repeat(1 << 20))], ..span(3) };
        assert_eq!(export(server.grpc, &request(vec![large.clone()])).await, Outcome::Acked { rejected: 0 });
        let query = Query::new(server.query);
        let found = query.trace(weir_proto::TraceId([3; 16])).await.expect("an answer");
        assert_eq!(found[0].scope_spans[0].spans[0].attributes, large.attributes);
        let (_, found) = query.json(&format!("/jaeger/api/traces/{}", "02".repeat(16))).await.expect("an answer");
        let span = &found["data"][0]["spans"][0];
        assert_eq!(span["duration"], 0, "{span}");
        assert!(span["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()), "{span}");
    })
    .await;
}

#[tokio::test]
async fn a_million_levels_of_nesting() {
    with_server(65, async |_, server| {
        let body = request_of(&deep_span(9, 1_000_000));
        let outcome = export(server.grpc, &body).await;
        let refused = matches!(&outcome, Outcome::Refused(status) if status == "INVALID_ARGUMENT");
        assert!(refused || outcome == (Outcome::Acked { rejected: 1 }), "{outcome:?}");
    })
    .await;
}

/// A request of one encoded span.
fn request_of(span: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, span)))
}

/// An encoded span with an attribute of arrays within arrays. Encoded by hand: prost would overflow its stack.
fn deep_span(id: u8, levels: usize) -> Vec<u8> {
    let now_ns = Clock::system().now_ns().to_le_bytes();
    let times = [&[7 << 3 | 1][..], &now_ns, &[8 << 3 | 1], &now_ns].concat();
    let attribute = field(9, &[field(1, b"deep"), field(2, &nested(levels))].concat());
    [field(1, &[id; 16]), field(2, &[id; 8]), times, attribute].concat()
}

/// An encoded AnyValue: `levels` arrays, each the only value of the one around it.
pub(crate) fn nested(levels: usize) -> Vec<u8> {
    // From the inside out, and so backwards.
    let mut backwards = Vec::new();
    for _ in 0..levels {
        for tag in [1 << 3 | 2, 5 << 3 | 2] {
            let mut len = varint(backwards.len());
            len.reverse();
            backwards.extend(len);
            backwards.push(tag);
        }
    }
    backwards.reverse();
    backwards
}

/// A length-delimited field.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], &varint(bytes.len())[..], bytes].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Zeros, compressed a thousandfold.
pub(crate) fn bomb(bytes: usize) -> Vec<u8> {
    let framed = Encoder::new(Encoding::Gzip, Pool::default()).message(|out| out.resize(HEAD_LEN + bytes, 0));
    framed[HEAD_LEN..].to_vec()
}
