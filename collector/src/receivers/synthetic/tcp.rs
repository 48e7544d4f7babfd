//! Probes over TCP: a connection, and lines that are expected and sent over it.

use std::{io, net::IpAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    findings::Findings,
    module::QueryResponse,
    probe::{Bounds, Ready},
    resolve::{Resolved, Wanted, split},
    stream::{self, Stream},
};

/// Longest line, as Go's scanner has it.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Connects to `host:port` and goes through the steps.
pub(super) async fn probe(
    ready: &Ready,
    target: &str,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    findings.gauges.set("probe_failed_due_to_regex", 0.0);
    let settings = &ready.module.tcp;
    if settings.query_response.iter().any(|step| !step.expect_bytes.is_empty()) {
        findings.gauges.set("probe_failed_due_to_bytes", 0.0);
    }
    let (host, port) = split(target)?;
    let port =
        port.ok_or_else(|| format!("error splitting target address and port: {target}: missing port in address"))?;
    findings.note("server.address", host);
    findings.note("server.port", i64::from(port));
    let wanted = Wanted { protocol: settings.preferred_ip_protocol, fallback: settings.ip_protocol_fallback };
    let address = Resolved::default().address(host, wanted, bounds.allow, findings).await?;
    findings.begin("connect");
    let tcp = stream::connect((address, port).into(), source(&settings.source_ip_address)).await?;
    findings.end();
    let mut lines = Lines::new(Stream::Plain(tcp), bounds.body_bytes_max);
    if settings.tls {
        lines = with_tls(lines, ready, host, findings).await?;
    }
    for (index, step) in settings.query_response.iter().enumerate() {
        findings.begin("query_response");
        findings.note_phase("weir.probe.step", index as i64);
        speak(&mut lines, step, findings).await?;
        findings.end();
        if step.starttls {
            lines = with_tls(lines, ready, host, findings).await?;
        }
    }
    Ok(())
}

/// An address to begin at; it was checked with the configuration.
pub(super) fn source(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

async fn with_tls(lines: Lines, ready: &Ready, host: &str, findings: &mut Findings) -> Result<Lines, String> {
    let Stream::Plain(tcp) = lines.stream else { return Err("starttls: TLS is spoken already".into()) };
    findings.begin("tls");
    let tls = ready.tls.connect(tcp, host, true).await?;
    findings.end();
    ready.tls.tell(&tls, findings);
    Ok(Lines::new(Stream::Tls(Box::new(tls)), lines.left))
}

/// One step: what is expected, then what is sent.
async fn speak(lines: &mut Lines, step: &QueryResponse, findings: &mut Findings) -> Result<(), String> {
    let mut send = step.send.clone().into_bytes();
    if let Some(expected) = &step.expect {
        let mut last = Vec::new();
        loop {
            let Some(line) = lines.next().await.map_err(|error| format!("error reading from connection: {error}"))?
            else {
                findings.gauges.set("probe_failed_due_to_regex", 1.0);
                let last = String::from_utf8_lossy(&last).into_owned();
                return Err(format!("regexp {:?} did not match; the last line was {last:?}", expected.as_str()));
            };
            if let Some(found) = expected.regex().captures(&line) {
                findings.gauges.set("probe_failed_due_to_regex", 0.0);
                let mut expanded = Vec::new();
                found.expand(&send, &mut expanded);
                send = expanded;
                tell_expected(step, &found, findings);
                break;
            }
            last = line;
        }
    }
    if !step.expect_bytes.is_empty() {
        let found = lines.exactly(step.expect_bytes.len()).await;
        let is_there = found.as_ref().is_ok_and(|found| found == step.expect_bytes.as_bytes());
        findings.gauges.set("probe_failed_due_to_bytes", f64::from(u8::from(!is_there)));
        if !is_there {
            return Err(format!("bytes {:?} did not come", step.expect_bytes));
        }
    }
    if !send.is_empty() {
        send.push(b'\n');
        lines.stream.write_all(&send).await.map_err(|error| format!("failed to send: {error}"))?;
        lines.stream.flush().await.map_err(|error| format!("failed to send: {error}"))?;
    }
    Ok(())
}

fn tell_expected(step: &QueryResponse, found: &regex::bytes::Captures<'_>, findings: &mut Findings) {
    if step.labels.is_empty() {
        return;
    }
    let expanded: Vec<(&str, String)> = step
        .labels
        .iter()
        .map(|label| {
            let mut value = Vec::new();
            found.expand(label.value.as_bytes(), &mut value);
            (label.name.as_str(), String::from_utf8_lossy(&value).into_owned())
        })
        .collect();
    let labels: Vec<(&str, &str)> = expanded.iter().map(|(name, value)| (*name, value.as_str())).collect();
    findings.gauges.set_labelled("probe_expect_info", &labels, 1.0);
}

/// A connection read by lines.
struct Lines {
    stream: Stream,
    buffer: Vec<u8>,
    /// Bytes that may still come.
    left: usize,
}

impl Lines {
    fn new(stream: Stream, left: usize) -> Self {
        Self { stream, buffer: Vec::new(), left }
    }

    /// The next line without its end, or what is left when the other side has ended; `None` after that.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer) {
                let mut line: Vec<u8> = self.buffer.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(io::Error::other(format!("a line of more than {LINE_BYTES_MAX} bytes")));
            }
            if self.more().await? == 0 {
                let line = std::mem::take(&mut self.buffer);
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// The next bytes, whatever they are.
    async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        let read = self.stream.read(&mut chunk).await?;
        self.left =
            self.left.checked_sub(read).ok_or_else(|| io::Error::other("more than body_bytes_max bytes came"))?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}
