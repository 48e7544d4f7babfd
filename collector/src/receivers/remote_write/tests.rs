//! Requests and answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use weir_port::Authenticate;
use weir_proto::{TenantId, time::Clock};
use weir_store::{Store, StoreOptions};

use super::{RemoteWrite, RemoteWriteConfig};
use crate::samples::{AcceptWindow, SampleDoor};

const NOW_MS: u64 = 1_800_000_000_000;

async fn taking() -> (RemoteWrite, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::fixed(NOW_MS * 1_000_000);
    let store = Store::open(StoreOptions::new(folder.path()), None, clock.clone()).await.expect("a new store");
    let hour = Some(std::time::Duration::from_secs(3600));
    let door = SampleDoor::new(&store, AcceptWindow { past: hour, future: hour });
    let authenticate: Authenticate = Arc::new(|_| Ok(TenantId::default()));
    (RemoteWrite::new(&RemoteWriteConfig::default(), door, authenticate, clock), folder)
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

fn sample(value: f64, time_ms: u64) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend_from_slice(&value.to_le_bytes());
    out.push(2 << 3);
    prost::encoding::encode_varint(time_ms, &mut out);
    out
}

/// A TimeSeries of version 1.
fn series(name: &str, samples: &[(f64, u64)]) -> Vec<u8> {
    let label = [field(1, b"__name__"), field(2, name.as_bytes())].concat();
    let mut inner = field(1, &label);
    inner.extend(samples.iter().flat_map(|(value, time_ms)| field(2, &sample(*value, *time_ms))));
    field(1, &inner)
}

async fn send(taking: &RemoteWrite, headers: &[(&str, &str)], body: Vec<u8>) -> (StatusCode, String, [String; 3]) {
    let mut request = Request::post(super::PATH);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = taking.answer(request.body(Full::new(Bytes::from(body))).expect("a request")).await;
    let written = ["samples", "histograms", "exemplars"].map(|what| {
        let name = format!("x-prometheus-remote-write-{what}-written");
        reply.headers().get(name).map_or("", |value| value.to_str().expect("text")).to_owned()
    });
    let status = reply.status();
    let body = reply.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned(), written)
}

fn snappy(payload: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(payload).expect("short")
}

#[tokio::test]
async fn version_1_is_written_whole_or_as_far_as_it_goes() {
    let (taking, _folder) = taking().await;
    let body = snappy(&series("up", &[(1.0, NOW_MS), (2.0, NOW_MS + 1)]));
    for _ in 0..2 {
        // The same again is success.
        let (status, words, written) = send(&taking, &[("content-encoding", "snappy")], body.clone()).await;
        assert_eq!((status, words.as_str(), written.concat().as_str()), (StatusCode::NO_CONTENT, "", ""));
    }
    let mixed = [
        series("", &[(1.0, NOW_MS)]),
        series("up", &[(9.0, NOW_MS), (3.0, NOW_MS + 2), (4.0, 5)]),
        series("fine", &[(1.0, NOW_MS)]),
    ];
    let (status, words, _) = send(&taking, &[], snappy(&mixed.concat())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for expected in ["invalid metric name or labels", "too old sample", "duplicate sample for timestamp"] {
        assert!(words.contains(expected), "{words}");
    }
}

#[tokio::test]
async fn version_2_says_what_was_written() {
    let (taking, _folder) = taking().await;
    let symbols = [field(4, b""), field(4, b"__name__"), field(4, b"up")].concat();
    let good = field(5, &[field(1, &[1, 2]), field(2, &sample(1.0, NOW_MS))].concat());
    let bad = field(5, &[field(1, &[1, 9]), field(2, &sample(1.0, NOW_MS))].concat());
    let headers = [("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")];
    let (status, _, written) = send(&taking, &headers, snappy(&[&symbols[..], &good].concat())).await;
    assert_eq!((status, written.join(" ").as_str()), (StatusCode::NO_CONTENT, "1 0 0"));
    let (status, words, written) = send(&taking, &headers, snappy(&[&symbols[..], &bad, &good].concat())).await;
    assert_eq!((status, written.join(" ").as_str()), (StatusCode::BAD_REQUEST, "1 0 0"));
    assert!(words.contains("outside of symbols table (size 3)"), "{words}");
    let empty = field(5, &field(1, &[1, 2]));
    let (status, words, _) = send(&taking, &headers, snappy(&[&symbols[..], &empty].concat())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(words.contains("TimeSeries must contain at least one sample or histogram"), "{words}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let (taking, _folder) = taking().await;
    let good = snappy(&series("up", &[(1.0, NOW_MS)]));
    for (headers, body, expected) in [
        (vec![("content-type", "application/json")], good.clone(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            vec![("content-type", "application/x-protobuf;proto=other")],
            good.clone(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (vec![("content-encoding", "gzip")], good.clone(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (vec![], b"no snappy".to_vec(), StatusCode::BAD_REQUEST),
        (vec![], snappy(b"no protobuf"), StatusCode::BAD_REQUEST),
        // A block that says it holds 1 GiB.
        (vec![], vec![0x80, 0x80, 0x80, 0x80, 0x04, 0], StatusCode::PAYLOAD_TOO_LARGE),
        (vec![("content-type", "application/x-protobuf")], good.clone(), StatusCode::NO_CONTENT),
        (vec![("content-type", "application/x-protobuf;proto=prometheus.WriteRequest")], good, StatusCode::NO_CONTENT),
    ] {
        let (status, words, _) = send(&taking, &headers, body).await;
        assert_eq!(status, expected, "{headers:?}: {words}");
    }
}
