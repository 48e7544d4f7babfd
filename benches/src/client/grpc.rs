//! Unary OTLP/gRPC over hyper's HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;

use super::{Encoding, Outcome, open, rejected};
use crate::shop::HEAD_LEN;

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Connections to one gRPC server, used in turn.
#[derive(Debug)]
pub struct Grpc {
    address: SocketAddr,
    senders: Vec<Mutex<SendRequest<Full<Bytes>>>>,
    next: AtomicUsize,
}

impl Grpc {
    pub(super) async fn connect(address: SocketAddr, connections: usize) -> std::io::Result<Self> {
        let mut senders = Vec::new();
        for _ in 0..connections.max(1) {
            senders.push(Mutex::new(handshake(address).await?));
        }
        Ok(Self { address, senders, next: AtomicUsize::new(0) })
    }

    pub(super) async fn export(&self, message: Bytes, encoding: Encoding) -> Result<Outcome, hyper::Error> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.senders.len();
        let mut sender = self.senders[turn].lock().clone();
        if sender.is_closed() {
            // The request has not been sent yet: a new connection is not a retry.
            match handshake(self.address).await {
                Ok(fresh) => sender = fresh,
                Err(error) => return Ok(Outcome::Lost(error.to_string())),
            }
            *self.senders[turn].lock() = sender.clone();
        }
        let mut request = Request::post(format!("http://{}{PATH}", self.address))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers");
        if let Some(encoding) = encoding.header() {
            request = request.header("grpc-encoding", encoding);
        }
        let request = request.body(Full::new(message)).expect("static parts");
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if response.status() != http::StatusCode::OK {
            return Ok(Outcome::Refused(format!("HTTP {}", response.status().as_u16())));
        }
        if response.headers().contains_key("grpc-status") {
            return Ok(outcome(response.headers(), &[]));
        }
        let body = response.into_body().collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(outcome(&trailers, &body.to_bytes()))
    }
}

async fn handshake(address: SocketAddr) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let stream = open(address).await?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .max_send_buf_size(4 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

fn outcome(trailers: &HeaderMap, body: &[u8]) -> Outcome {
    let Some(status) = trailers.get("grpc-status").and_then(|value| value.to_str().ok()) else {
        return Outcome::Lost("no grpc-status".into());
    };
    if status == "0" {
        return Outcome::Acked { rejected: rejected(body.get(HEAD_LEN..).unwrap_or_default()) };
    }
    // Names of https://grpc.io/docs/guides/status-codes/
    let name = match status {
        "3" => "INVALID_ARGUMENT",
        "8" => "RESOURCE_EXHAUSTED",
        "12" => "UNIMPLEMENTED",
        "13" => "INTERNAL",
        "14" => "UNAVAILABLE",
        other => return Outcome::Refused(format!("grpc status {other}")),
    };
    Outcome::Refused(name.into())
}
