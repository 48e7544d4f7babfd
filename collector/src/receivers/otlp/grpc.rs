//! OTLP/gRPC: unary calls by hand, so that each failure gets the code that OTLP clients read rightly.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md> and the OTLP specification, "OTLP/gRPC".

use std::{sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tokio::time::timeout;
use weir_port::{ACCEPTED, Caller, Encoding, Refusal, Reply, ReplyBody, collect};
use weir_proto::Signal;

use super::answer;
use crate::receivers::intake::{Accepted, Format, Intake, Received, metrics::REQUESTS};

/// The methods served.
const EXPORTS: [(&str, Signal); 3] = [
    ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", Signal::Traces),
    ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", Signal::Logs),
    ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Signal::Metrics),
];

/// A flag and a length precede each message.
const PREFIX_BYTES: usize = 5;

/// The label in metrics.
pub(super) const PROTOCOL: &str = "grpc";

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

const NOT_GRPC: &str = "this port speaks OTLP/gRPC over HTTP/2; OTLP/HTTP has a port of its own, usually 4318\n";

/// Answers the calls of one port.
pub(super) struct Grpc {
    pub(super) intake: Arc<Intake>,
    pub(super) message_bytes_max: usize,
    pub(super) read_timeout: Duration,
}

impl Grpc {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if request.version() != http::Version::HTTP_2 || !is_grpc(request.headers()) {
            REQUESTS.with_label_values(&[PROTOCOL, "unsupported"]).inc();
            let mut reply = Reply::new(ReplyBody::new(NOT_GRPC));
            *reply.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            return reply;
        }
        match self.in_time(request).await {
            Ok((signal, accepted)) => {
                REQUESTS.with_label_values(&[PROTOCOL, accepted.outcome()]).inc();
                success(&answer::response(&Format::OtlpProtobuf, signal, &accepted))
            }
            Err(refusal) => {
                REQUESTS.with_label_values(&[PROTOCOL, refusal.outcome()]).inc();
                failure(&refusal)
            }
        }
    }

    /// The call within the client's deadline, if it has one. What was handed to the journal by then is not taken back.
    async fn in_time(&self, request: Request<Incoming>) -> Result<(Signal, Accepted), Refusal> {
        match client_timeout(request.headers())? {
            None => self.call(request).await,
            Some(limit) => timeout(limit, self.call(request)).await.unwrap_or(Err(Refusal::Deadline(limit))),
        }
    }

    async fn call(&self, request: Request<Incoming>) -> Result<(Signal, Accepted), Refusal> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Refusal::Method(head.method.to_string()));
        }
        let Some((_, signal)) = EXPORTS.into_iter().find(|(path, _)| *path == head.uri.path()) else {
            return Err(not_served(head.uri.path()));
        };
        let tenant = (self.intake.authenticate)(&Caller::of(&head))?;
        let encoding = head.headers.get("grpc-encoding").map_or(&b""[..], HeaderValue::as_bytes);
        let encoding = Encoding::parse(encoding)?;

        let mut reservation = self.intake.budget.open();
        let bytes_max = self.message_bytes_max;
        let declared = |first: &[u8]| self.declared_bytes(first);
        let collected = collect(body, PREFIX_BYTES + bytes_max, declared, &mut reservation);
        let body = timeout(self.read_timeout, collected).await.map_err(|_| Refusal::Slow(self.read_timeout))??;
        let (compressed, body) = only_message(body)?;
        let encoding = match (compressed, encoding) {
            (false, _) => Encoding::Identity,
            (true, Encoding::Identity) => {
                return Err(Refusal::Malformed("a compressed message without grpc-encoding".into()));
            }
            (true, encoding) => encoding,
        };
        let received = Received {
            signal,
            protocol: PROTOCOL,
            format: Format::OtlpProtobuf,
            tenant,
            encoding,
            body,
            bytes_max,
            reservation,
        };
        Ok((signal, self.intake.take(received).await?))
    }

    /// Prefix and message, once the prefix is there.
    fn declared_bytes(&self, first: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some((_, rest)) = first.split_first() else { return Ok(None) };
        let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.message_bytes_max {
            return Err(Refusal::TooLarge { what: "the message", bytes_max: self.message_bytes_max });
        }
        Ok(Some(PREFIX_BYTES + length))
    }
}

/// `grpc-timeout`: up to eight digits and a unit; `None` without one.
fn client_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let read = |text: &str| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = is_number.then(|| digits.parse().ok())??;
        Some(match unit {
            "H" => Duration::from_secs(number * 3600),
            "M" => Duration::from_secs(number * 60),
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => return None,
        })
    };
    let limit = value.to_str().ok().and_then(read);
    limit.map(Some).ok_or_else(|| Refusal::Malformed("grpc-timeout is digits and a unit, like 10S or 500m".into()))
}

fn not_served(path: &str) -> Refusal {
    let hint = if path.contains(".profiles.") {
        "profiles are not there yet, traces, metrics and logs are"
    } else if path.starts_with("/grpc.health.") {
        "health is asked by HTTP: /healthz and /readyz on the query endpoint"
    } else if path.starts_with("/grpc.reflection.") {
        "the services are those of opentelemetry-proto: Export of traces, metrics and logs"
    } else if path.starts_with("/jaeger.") {
        "Jaeger's API is asked by HTTP, under /jaeger on the query endpoint"
    } else {
        let known = EXPORTS.iter().map(|(known, ..)| *known).collect::<Vec<_>>().join(", ");
        return Refusal::NotFound { path: path.chars().take(200).collect(), hint: format!("; {known} are") };
    };
    Refusal::NotFound { path: path.chars().take(200).collect(), hint: format!("; {hint}") }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    let value = value.as_bytes();
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/grpc") || essence.eq_ignore_ascii_case(b"application/grpc+proto")
}

/// Whether the message is compressed, and its bytes. A unary call has exactly one.
fn only_message(mut body: Bytes) -> Result<(bool, Bytes), Refusal> {
    let malformed = |what: &str| Err(Refusal::Malformed(what.to_owned()));
    if body.len() < PREFIX_BYTES {
        return malformed(if body.is_empty() { "no message" } else { "the message's prefix is cut off" });
    }
    let prefix = body.split_to(PREFIX_BYTES);
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if body.len() < length {
        return malformed("the message is cut off");
    }
    if body.len() > length {
        return malformed("more than one message");
    }
    match prefix[0] {
        0 => Ok((false, body)),
        1 => Ok((true, body)),
        _ => malformed("unknown flags before the message"),
    }
}

fn reply(body: ReplyBody) -> Reply {
    let mut reply = Reply::new(body);
    reply.headers_mut().insert(CONTENT_TYPE, GRPC);
    reply.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(ACCEPTED));
    reply
}

fn success(response: &[u8]) -> Reply {
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + response.len());
    message.put_u8(0);
    message.put_u32(response.len() as u32);
    message.put_slice(response);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    reply(ReplyBody::new(message).with_trailers(trailers))
}

/// Everything in the header block: what the protocol calls trailers-only.
fn failure(refusal: &Refusal) -> Reply {
    let mut reply = reply(ReplyBody::default());
    refusal.grpc_status().add_header(reply.headers_mut()).expect("percent-encoded text and base64 are valid headers");
    reply
}
