//! One request and the head of its answer: the phase `processing`.

use bytes::Bytes;
use http::{Request, Uri, response::Parts};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

use super::super::{findings::Findings, stream::Stream};

/// Largest head of an answer.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// An answer whose body is not read yet.
#[derive(Debug)]
pub(in super::super) struct Answer {
    pub(in super::super) head: Parts,
    pub(in super::super) body: Incoming,
    /// What reads the connection; ends with the answer.
    pub(in super::super) _driver: JoinSet<()>,
}

/// Sends a request over a connection of its own.
pub(in super::super) async fn exchange(
    stream: Stream,
    request: Request<Full<Bytes>>,
    uri: &Uri,
    findings: &mut Findings,
) -> Result<Answer, String> {
    let method = request.method().as_str().to_owned();
    let place = super::shown(uri);
    let said = |error: hyper::Error| format!("{method} {place}: {}", in_words(&error));
    findings.begin("processing");
    let mut driver = JoinSet::new();
    let response = if stream.speaks_http2() {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(HEAD_BYTES_MAX as u32);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(said)?;
        driver.spawn(async move { drop(connection.await) });
        sender.send_request(request).await
    } else {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX).title_case_headers(true);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(said)?;
        driver.spawn(async move { drop(connection.await) });
        sender.send_request(request).await
    };
    let (head, body) = response.map_err(said)?.into_parts();
    findings.note_phase("http.response.status_code", i64::from(head.status.as_u16()));
    findings.end();
    Ok(Answer { head, body, _driver: driver })
}

/// An error and what is behind it.
pub(in super::super) fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let next = deeper.to_string();
        if !words.ends_with(&next) {
            words += &format!(": {next}");
        }
        cause = deeper.source();
    }
    words
}
