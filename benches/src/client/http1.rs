//! HTTP/1.1 with keep-alive: OTLP/HTTP, and the queries that verify.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use super::{Encoding, Outcome, open, rejected};

/// Connections to one server, as many as requests overlap.
#[derive(Debug)]
pub struct Http1 {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Http1 {
    /// Connects when it is first used.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// GET: status and body.
    pub async fn get(&self, path: &str) -> std::io::Result<(StatusCode, Bytes)> {
        let request = Request::get(path)
            .header(header::HOST, self.address.to_string())
            .body(Full::default())
            .map_err(std::io::Error::other)?;
        self.send(request).await
    }

    /// POST of a body: status and body.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> std::io::Result<(StatusCode, Bytes)> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .body(Full::new(body.into()))
            .map_err(std::io::Error::other)?;
        self.send(request).await
    }

    /// Sends any request; status and body. `Host` is the caller's.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> std::io::Result<(StatusCode, Bytes)> {
        let mut sender = self.sender().await?;
        let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        self.idle.lock().push(sender);
        Ok((status, body))
    }

    pub(super) async fn export(&self, message: Bytes, encoding: Encoding) -> Result<Outcome, std::io::Error> {
        let mut request = Request::post("/v1/traces")
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/x-protobuf");
        if let Some(encoding) = encoding.header() {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        let (status, body) = self.send(request.body(Full::new(message)).expect("static parts")).await?;
        Ok(match status {
            StatusCode::OK => Outcome::Acked { rejected: rejected(&body) },
            other => Outcome::Refused(other.as_u16().to_string()),
        })
    }

    async fn sender(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        loop {
            let idle = self.idle.lock().pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = open(self.address).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
