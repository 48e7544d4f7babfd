//! Requests that no client library would send: bytes straight to a port.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use weir_benches::client::{Client, Encoding, Http1, Outcome, Protocol};

/// POST /v1/traces.
pub(crate) async fn post(address: SocketAddr, headers: &[(&str, &str)], body: Vec<u8>) -> (StatusCode, Bytes) {
    post_to("/v1/traces", address, headers, body).await
}

/// POST anywhere.
pub(crate) async fn post_to(
    path: &str,
    address: SocketAddr,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (StatusCode, Bytes) {
    try_post_to(path, address, headers, body).await.expect("an answer, not a broken connection")
}

/// POST to a server that may be killed meanwhile.
pub(crate) async fn try_post_to(
    path: &str,
    address: SocketAddr,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> std::io::Result<(StatusCode, Bytes)> {
    let mut request = Request::post(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    Http1::new(address).send(request).await
}

/// Export by gRPC.
pub(crate) async fn export(address: SocketAddr, message: &[u8]) -> Outcome {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let client = Client::connect(Protocol::Grpc, address, 1).await.expect("connects");
    client.export(framed.into(), Encoding::None).await
}

/// Writes bytes as they are; returns what comes back until the server closes, or `limit`.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8], limit: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(limit, stream.read_to_end(&mut answer)).await;
    answer
}

/// For requests without anything special.
pub(crate) fn protobuf() -> [(&'static str, &'static str); 1] {
    [("content-type", "application/x-protobuf")]
}
