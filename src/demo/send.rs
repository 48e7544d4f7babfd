//! Sends OTLP over HTTP to this process's own port, as any SDK would.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Tries of a request that is refused for now.
const TRIES: u32 = 20;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// A connection, opened again when it breaks.
#[derive(Debug)]
pub(super) struct Sender {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Sender {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Until it is taken.
    pub(super) async fn post(&mut self, path: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let body = Bytes::from(body);
        let mut refused = None;
        for _ in 0..TRIES {
            match self.post_once(path, body.clone()).await {
                Ok(StatusCode::OK) => return Ok(()),
                Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                    refused = Some(anyhow::anyhow!("refused as busy"));
                }
                Ok(status) => bail!("the answer is {status}"),
                Err(error) => {
                    self.open = None;
                    refused = Some(error);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(refused.unwrap_or_else(|| anyhow::anyhow!("nobody took it")))
    }

    async fn post_once(&mut self, path: &str, body: Bytes) -> anyhow::Result<StatusCode> {
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect(self.address).await.context("cannot connect")?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            self.open = Some(sender);
        }
        let sender = self.open.as_mut().context("no connection")?;
        sender.ready().await?;
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/x-protobuf");
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        // To its end, so that the connection can be used again.
        response.into_body().collect().await?;
        Ok(status)
    }
}
