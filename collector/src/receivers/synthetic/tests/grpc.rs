//! Probes by gRPC's health protocol.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

use super::world::probed;

/// Says SERVING of `shop`, NOT_SERVING of the server, and NOT_FOUND of all else.
async fn health(
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = std::convert::Infallible>>, std::convert::Infallible>
{
    assert!(request.headers()["traceparent"].to_str().expect("text").starts_with("00-"));
    assert_eq!(
        (request.uri().path(), &request.headers()["te"]),
        ("/grpc.health.v1.Health/Check", &HeaderValue::from_static("trailers"))
    );
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let (content, code): (&[u8], &str) = match &body[5..] {
        b"\x0a\x04shop" => (&[0, 0, 0, 0, 2, 8, 1], "0"),
        b"" => (&[0, 0, 0, 0, 2, 8, 2], "0"),
        _ => (&[], "5"),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_str(code).expect("a number"));
    let frames = [Frame::data(Bytes::copy_from_slice(content)), Frame::trailers(trailers)].map(Ok);
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service_fn(health)));
        }
    });
    address
}

#[tokio::test]
async fn health_is_asked_for() {
    let address = server().await;
    let seen = probed(json!({"prober": "grpc", "grpc": {"service": "shop"}}), &address).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    assert_eq!(seen.gauge("probe_grpc_healthcheck_response{serving_status=\"SERVING\"}"), Some(1.0));
    assert_eq!(seen.gauge("probe_grpc_healthcheck_response{serving_status=\"NOT_SERVING\"}"), Some(0.0));
    assert_eq!((seen.gauge("probe_grpc_status_code"), seen.gauge("probe_grpc_ssl")), (Some(0.0), Some(0.0)));
    assert!(seen.gauge("probe_grpc_duration_seconds{phase=\"check\"}").is_some_and(|seconds| seconds > 0.0));
    assert_eq!(seen.phases(), ["resolve", "connect", "check"]);
    let seen = probed(json!({"prober": "grpc"}), &address).await;
    assert_eq!(seen.failed(), "the service is NOT_SERVING");
    assert_eq!(seen.gauge("probe_grpc_healthcheck_response{serving_status=\"NOT_SERVING\"}"), Some(1.0));
    let seen = probed(json!({"prober": "grpc", "grpc": {"service": "other"}}), &address).await;
    assert_eq!(seen.gauge("probe_grpc_status_code"), Some(5.0));
    assert!(seen.failed().contains("code 5"), "{:?}", seen.failure);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let seen = probed(json!({"prober": "grpc"}), &address).await;
    assert_eq!((seen.is_ok(), seen.gauge("probe_grpc_status_code")), (false, Some(14.0)));
}
