//! OTLP clients made by hand over hyper: as little work per request as the protocol allows, and no retries.

mod grpc;
mod http1;
mod payload;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::net::TcpStream;

pub use http1::Http1;
pub use payload::{Encoder, Encoding, Pool};

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, but for so many rejected spans.
    Acked {
        /// From partial_success.
        rejected: u64,
    },
    /// Refused by the server: `UNAVAILABLE`, `503`, ….
    Refused(String),
    /// No answer: whether it arrived is unknown.
    Lost(String),
}

/// A client of one server. Requests share its connections.
#[derive(Debug)]
pub enum Client {
    /// HTTP/2, many requests at once on each connection.
    Grpc(grpc::Grpc),
    /// HTTP/1.1, one request at a time on each connection.
    Http(Http1),
}

/// Longest wait for an answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Connects `connections` times (gRPC), or as often as requests overlap (HTTP).
    pub async fn connect(protocol: Protocol, address: SocketAddr, connections: usize) -> std::io::Result<Self> {
        match protocol {
            Protocol::Grpc => grpc::Grpc::connect(address, connections).await.map(Self::Grpc),
            Protocol::Http => Ok(Self::Http(Http1::new(address))),
        }
    }

    /// Sends an encoded ExportTraceServiceRequest once. `message` begins with [`crate::shop::HEAD_LEN`] bytes that gRPC's prefix
    /// has been written to.
    pub async fn export(&self, message: Bytes, encoding: Encoding) -> Outcome {
        let answer = async {
            match self {
                Self::Grpc(grpc) => grpc.export(message, encoding).await.map_err(|error| error.to_string()),
                Self::Http(http) => {
                    let message = message.slice(crate::shop::HEAD_LEN..);
                    http.export(message, encoding).await.map_err(|error| error.to_string())
                }
            }
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
            Ok(answer) => answer.unwrap_or_else(Outcome::Lost),
            Err(_) => Outcome::Lost("timeout".into()),
        }
    }
}

async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Spans that an ExportTraceServiceResponse says were rejected.
fn rejected(response: &[u8]) -> u64 {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;
    let response = ExportTraceServiceResponse::decode(response).unwrap_or_default();
    response.partial_success.map_or(0, |partial| partial.rejected_spans.max(0) as u64)
}
