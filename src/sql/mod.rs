//! `weir sql`: asks a running weir and prints the rows as they come.

mod answer;
mod print;

use std::io::{self, BufWriter, Read, Write};

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use self::{
    answer::{Answer, Line},
    print::Printer,
};
use crate::cli::SqlOptions;

/// Most of a query that is read from stdin; the server's own limit is lower.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Most of an error's body that is read.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Asks, prints, and fails when there is no answer or not a whole one.
pub(crate) fn run(options: &SqlOptions) -> anyhow::Result<()> {
    let text = text(&options.query)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let printed = runtime.block_on(ask(options, text));
    match printed {
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The query itself, or what stdin holds for `-`.
fn text(query: &str) -> anyhow::Result<String> {
    if query != "-" {
        return Ok(query.to_owned());
    }
    let mut text = String::new();
    io::stdin().take(TEXT_BYTES_MAX).read_to_string(&mut text).context("cannot read the query from stdin")?;
    Ok(text)
}

async fn ask(options: &SqlOptions, text: String) -> anyhow::Result<()> {
    let uri: Uri = options.endpoint.parse().with_context(|| format!("--endpoint {}: not a URL", options.endpoint))?;
    if uri.scheme_str() != Some("http") {
        bail!("--endpoint {}: write it as http://HOST:PORT", options.endpoint);
    }
    let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
    let address = format!("{host}:{port}");
    let stream = TcpStream::connect(address.as_str()).await;
    let stream = stream.with_context(|| format!("cannot reach {}; is `weir run` running there?", options.endpoint))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = format!("{}/api/v1/sql", uri.path().trim_end_matches('/'));
    let asked = format!("http://{address}{path}");
    let request = Request::post(path).header(header::HOST, &address).header(header::ACCEPT, "application/json");
    let response = sender.send_request(request.body(Full::new(Bytes::from(text)))?).await;
    let response = response.with_context(|| nobody_answers(&asked))?;
    let (parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK {
        let mut error = Vec::new();
        while error.len() < ERROR_BYTES_MAX
            && let Some(frame) = body.frame().await
        {
            error.extend_from_slice(&frame?.into_data().unwrap_or_default());
        }
        bail!("{}", refusal(&asked, parts.status, &error));
    }
    let mut answer = Answer::default();
    let mut printer = Printer::new(options.format, BufWriter::new(io::stdout().lock()));
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the answer broke off; these are the first rows")?;
        for line in answer.take(&frame.into_data().unwrap_or_default())? {
            print(&mut printer, &line)?;
        }
    }
    for line in answer.rest()? {
        print(&mut printer, &line)?;
    }
    printer.finish()?;
    match answer.error() {
        Some(message) => bail!("{message}"),
        None => Ok(()),
    }
}

fn print<W: Write>(printer: &mut Printer<W>, line: &Line) -> anyhow::Result<()> {
    match line {
        Line::Columns(columns) => printer.columns(columns)?,
        Line::Row(row) => printer.row(row)?,
    }
    Ok(())
}

/// The server's own words, when it sent some: weir always does.
fn refusal(asked: &str, status: StatusCode, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"]["message"]
        .as_str()
        .map_or_else(|| format!("{}: the answer is {status}", nobody_answers(asked)), str::to_owned)
}

fn nobody_answers(asked: &str) -> String {
    format!("no weir answers SQL at {asked}; --endpoint is a running weir's query.endpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_is_named() {
        let asked = "http://127.0.0.1:4318/api/v1/sql";
        for body in ["404 page not found", "", "{\"error\":\"gone\"}"] {
            let said = refusal(asked, StatusCode::NOT_FOUND, body.as_bytes());
            let expected = "no weir answers SQL at http://127.0.0.1:4318/api/v1/sql; --endpoint is a running weir's \
                            query.endpoint: the answer is 404 Not Found";
            assert_eq!(said, expected);
        }
        let own = br#"{"error":{"code":400,"message":"there is no query"}}"#;
        assert_eq!(refusal(asked, StatusCode::BAD_REQUEST, own), "there is no query");
    }
}
