//! Asks a running weir over HTTP, one question after the other.

use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Runtime};

/// Most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// A running weir.
pub(crate) struct Server {
    url: String,
    address: String,
    path: String,
    runtime: Runtime,
}

/// What it answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("--url {url}: not a URL"))?;
        if uri.scheme_str() != Some("http") {
            bail!("--url {url}: write it as http://HOST:PORT");
        }
        let address = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
        let path = uri.path().trim_end_matches('/').to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        Ok(Self { url: url.to_owned(), address, path, runtime })
    }

    /// Posts a body, and waits for the whole answer.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Answered> {
        self.ask(Method::POST, path, headers, body)
    }

    /// Asks for what is at a path.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Answered> {
        self.ask(Method::GET, path, &[], Vec::new())
    }

    /// Waits between two questions.
    pub(crate) fn wait(&self, length: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(length).await });
    }

    fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Answered> {
        self.runtime.block_on(async {
            let stream = TcpStream::connect(self.address.as_str()).await;
            let stream = stream.with_context(|| format!("cannot reach {}; is `weir run` running there?", self.url))?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let request = Request::builder().method(method).uri(format!("{}{path}", self.path));
            let mut request = request.header(header::HOST, &self.address);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await;
            let response = response.with_context(|| format!("no answer from {}{path}", self.url))?;
            let (parts, mut body) = response.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.context("the answer broke off")?;
                bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
                if bytes.len() > ANSWER_BYTES_MAX {
                    bail!("the answer has more than {ANSWER_BYTES_MAX} bytes");
                }
            }
            Ok(Answered { status: parts.status.as_u16(), body: bytes })
        })
    }

    /// Posts a form.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answered> {
        let mut body = String::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(name);
            body.push('=');
            for byte in value.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => body.push(char::from(byte)),
                    byte => body.push_str(&format!("%{byte:02X}")),
                }
            }
        }
        self.post(path, &[("content-type", "application/x-www-form-urlencoded")], body.into_bytes())
    }
}
