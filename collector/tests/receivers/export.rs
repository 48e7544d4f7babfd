//! What is accepted, how it arrives at the journal, and what the sender is told.

use tonic::Code;
use weir_store::AppendError;

use crate::{
    payload::{NOW_NS, deflate, framed, gzip, request, request_of, span, zstd},
    port::{Answer, EXPORT, GrpcClient, HttpClient, Receiver},
};
use weir_proto::otlp::messages::trace::v1::Span;

#[tokio::test]
async fn every_encoding_over_one_kept_connection() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    // Below and above what is copied, collected in one piece, and scanned inline.
    for len in [10, 100_000, 2_000_000, 5_000_000] {
        let payload = request_of(len - len / 8);
        let bodies = [
            ("identity", payload.clone()),
            ("gzip", gzip(&payload)),
            ("zstd", zstd(&payload)),
            ("deflate", deflate(&payload)),
        ];
        for (encoding, body) in bodies {
            receiver.journal.batches.lock().clear();
            let flag = u8::from(encoding != "identity");
            let answer = grpc.send_raw(EXPORT, &[("grpc-encoding", encoding)], framed(flag, &body)).await;
            let expected = if len > 4 << 20 { (1, "rejected spans: too_large 1".into()) } else { (0, String::new()) };
            assert_eq!((answer.code(), answer.partial()), ("0", expected.clone()), "{encoding} {len}");
            assert_eq!(answer.header("content-type"), "application/grpc");
            let answer = http.export(&[("content-encoding", encoding)], body).await;
            assert_eq!((answer.status.as_u16(), answer.partial()), (200, expected), "{encoding} {len}");
            assert_eq!(answer.header("content-type"), "application/x-protobuf");
            for batch in receiver.journal.batches.lock().iter() {
                assert!(*batch.payload == payload, "{encoding} {len}");
                assert_eq!((batch.items, batch.received_at_ns, batch.tenant.as_str()), (1, NOW_NS, "default"));
            }
            assert_eq!(receiver.journal.len(), 2, "a batch that was rejected whole is recorded too");
        }
    }
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_on_both_ports() {
    let receiver = Receiver::start().await;
    let mut http = GrpcClient::connect(receiver.http).await;
    let headers = [("content-type", "application/x-protobuf")];
    let answer = http.send_raw("/v1/traces", &headers, request_of(10)).await;
    assert_eq!((answer.status.as_u16(), receiver.journal.len()), (200, 1));
}

#[tokio::test]
async fn rejected_spans_are_reported_and_the_rest_is_kept() {
    let receiver = Receiver::start().await;
    let zero = Span { trace_id: vec![0; 16], ..span() };
    let payload = request(vec![span(), zero, Span { start_time_unix_nano: 5, ..span() }]);
    let expected = (2, "rejected spans: invalid_trace_id 1, too_old 1 (older than storage.accept.past, 1h)".to_owned());
    let answer = GrpcClient::connect(receiver.grpc).await.export(&payload).await;
    assert_eq!((answer.code(), answer.partial()), ("0", expected.clone()));
    let answer = HttpClient::connect(receiver.http).await.export(&[], payload).await;
    assert_eq!((answer.status.as_u16(), answer.partial()), (200, expected));
    for batch in receiver.journal.batches.lock().iter() {
        assert_eq!(batch.rejected.iter().map(|rejection| rejection.ordinal).collect::<Vec<_>>(), [1, 2]);
    }
}

#[tokio::test]
async fn an_empty_request_is_fine_and_needs_no_journal() {
    let receiver = Receiver::start().await;
    receiver.refuse(Some(AppendError::Stopped));
    for payload in [Vec::new(), request(Vec::new())] {
        assert_eq!(GrpcClient::connect(receiver.grpc).await.export(&payload).await.code(), "0");
        let answer = HttpClient::connect(receiver.http).await.export(&[], payload).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn the_credential_names_the_tenant() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    let payload = request_of(10);
    let known = [("authorization", "Bearer team-a")];
    assert_eq!(grpc.send_raw(EXPORT, &known, framed(0, &payload)).await.code(), "0");
    assert_eq!(http.export(&known, payload.clone()).await.status, 200);
    for batch in receiver.journal.batches.lock().iter() {
        assert_eq!(batch.tenant.as_str(), "team-a");
    }
    let unknown = [("authorization", "Bearer nobody")];
    let answer = grpc.send_raw(EXPORT, &unknown, framed(0, &payload)).await;
    assert_eq!(answer.code(), (Code::Unauthenticated as i32).to_string());
    let answer = http.export(&unknown, payload).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(answer.rpc_status().code, Code::Unauthenticated as i32);
    assert_eq!(receiver.journal.len(), 2);
}

#[tokio::test]
async fn a_journal_that_refuses_is_unavailable() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    let second = std::time::Duration::from_secs(1);
    let rows = [
        (AppendError::Busy("the queue is full"), Some(second), "1"),
        (AppendError::DiskFull, Some(second), "1"),
        (AppendError::Stopped, None, ""),
    ];
    for (refusal, delay, retry_after) in rows {
        receiver.refuse(Some(refusal.clone()));
        let answer = grpc.export(&request_of(10)).await;
        assert_eq!((answer.code(), answer.retry_delay()), ("14", delay), "{refusal}");
        let answer = http.export(&[], request_of(10)).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, retry_after), "{refusal}");
        assert_eq!((answer.rpc_status().code, answer.retry_delay()), (14, delay), "{refusal}");
    }
    receiver.refuse(None);
    assert_eq!(grpc.export(&request_of(10)).await.code(), "0", "it recovers by itself");
    assert_eq!(http.export(&[], request_of(10)).await.status, 200);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let receiver = Receiver::start_with(|config| {
        let http = config.protocols.http.as_mut().expect("on");
        http.max_request_body_size = 1 << 20;
        let cors = &mut http.cors;
        cors.allowed_origins = vec!["https://*.shop.example".into()];
        cors.allowed_headers = vec!["X-Team".into()];
        cors.max_age = 600;
    })
    .await;
    let mut http = HttpClient::connect(receiver.http).await;
    let rows = [
        ("https://www.shop.example", "POST", "content-type, x-team", "https://www.shop.example"),
        ("https://www.shop.example", "POST", "x-other", ""),
        ("https://www.shop.example", "DELETE", "content-type", ""),
        ("https://evil.example", "POST", "content-type", ""),
    ];
    for (origin, method, asked, allowed) in rows {
        let headers =
            [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", asked)];
        let answer = http.send("OPTIONS", "/v1/traces", &headers, Vec::new()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (204, allowed),
            "{headers:?}"
        );
        let expected = if allowed.is_empty() { ("", "", "", "") } else { ("true", "POST", asked, "600") };
        let answered = (
            answer.header("access-control-allow-credentials"),
            answer.header("access-control-allow-methods"),
            answer.header("access-control-allow-headers"),
            answer.header("access-control-max-age"),
        );
        assert_eq!(answered, expected);
    }
    // Refused or not, the page may read the answer; what sendBeacon sends comes with credentials.
    let cors = |answer: &Answer| {
        let header = |name| answer.header(name).to_owned();
        (header("access-control-allow-origin"), header("access-control-allow-credentials"), header("vary"))
    };
    let origin = ("origin", "https://www.shop.example");
    let allowed = ("https://www.shop.example".to_owned(), "true".to_owned(), "Origin".to_owned());
    for (body, status) in [(request_of(10), 200), (b"x".to_vec(), 400), (vec![0; 2 << 20], 413)] {
        let answer = HttpClient::connect(receiver.http).await.export(&[origin], body).await;
        assert_eq!((answer.status.as_u16(), cors(&answer)), (status, allowed.clone()));
    }
    receiver.refuse(Some(AppendError::DiskFull));
    let answer = http.export(&[origin], request_of(10)).await;
    assert_eq!((answer.status.as_u16(), cors(&answer)), (503, allowed));
    receiver.refuse(None);
    let foreign = (String::new(), String::new(), "Origin".to_owned());
    for (body, status) in [(request_of(10), 200), (b"x".to_vec(), 400)] {
        let answer = http.export(&[("origin", "https://evil.example")], body).await;
        assert_eq!((answer.status.as_u16(), cors(&answer)), (status, foreign.clone()));
    }
}

#[tokio::test]
async fn all_origins_may_send_without_credentials() {
    let receiver = Receiver::start_with(|config| {
        let cors = &mut config.protocols.http.as_mut().expect("on").cors;
        cors.allowed_origins = vec!["*".into(), "https://shop.example".into()];
    })
    .await;
    let mut http = HttpClient::connect(receiver.http).await;
    for (origin, allowed, credentials) in
        [("https://other.example", "*", ""), ("https://shop.example", "https://shop.example", "true")]
    {
        let answer = http.export(&[("origin", origin)], request_of(10)).await;
        let header = |name| answer.header(name);
        assert_eq!(header("access-control-allow-origin"), allowed);
        assert_eq!(header("access-control-allow-credentials"), credentials);
    }
}

#[tokio::test]
async fn without_cors_there_is_no_preflight() {
    let receiver = Receiver::start().await;
    let headers = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    let answer = HttpClient::connect(receiver.http).await.send("OPTIONS", "/v1/traces", &headers, Vec::new()).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (405, ""));
}

#[tokio::test]
async fn what_happens_is_counted() {
    // Other tests count too, but only this one leaves out span ids.
    let values = || {
        let families = prometheus::gather();
        let value = |name: &str, labels: &[(&str, &str)]| {
            let family = families.iter().find(|family| family.name() == name);
            let metrics = family.map_or(&[][..], |family| family.get_metric());
            let wanted = |metric: &&prometheus::proto::Metric| {
                labels.iter().all(|(name, value)| {
                    metric.get_label().iter().any(|label| (label.name(), label.value()) == (*name, *value))
                })
            };
            metrics.iter().find(wanted).map_or(0.0, |metric| metric.get_counter().get_value())
        };
        [
            value("weir_receiver_items_rejected_total", &[("signal", "traces"), ("reason", "invalid_span_id")]),
            value("weir_receiver_wire_bytes_total", &[("protocol", "http"), ("encoding", "deflate")]),
            value("weir_receiver_payload_bytes_total", &[("protocol", "http"), ("encoding", "deflate")]),
        ]
    };
    assert_eq!(values()[0], 0.0);
    let receiver = Receiver::start().await;
    let without_id = Span { span_id: Vec::new(), ..span() };
    let payload = request(vec![without_id.clone(), span(), without_id]);
    let compressed = deflate(&payload);
    let before = values();
    let mut http = HttpClient::connect(receiver.http).await;
    assert_eq!(http.export(&[("content-encoding", "deflate")], compressed.clone()).await.partial().0, 2);
    let after = values();
    assert_eq!(after[0], 2.0);
    assert!(after[1] - before[1] >= compressed.len() as f64);
    assert!(after[2] - before[2] >= payload.len() as f64);
}
