//! What an endpoint answers, good or bad, and how that becomes an HTTP response.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use weir_store::ReadError;

use super::allowance::{Allowance, Holding};
use crate::{coding::Coding, explore::condition::BadCondition};

/// JSON text.
pub(super) const JSON: &str = "application/json; charset=utf-8";
/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// A web page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Seconds after which a refused client may try again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// A bound or the deadline cut it short; the body says so too.
    pub(super) partial: bool,
    /// What could not be read, a sentence for each segment.
    pub(super) missing: Vec<String>,
    /// How the body is compressed.
    pub(super) coding: Option<Coding>,
    /// What the body takes of all answers' bytes.
    holding: Option<Holding>,
}

impl Answer {
    /// A whole one.
    pub(super) fn of(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { content_type, body, partial: false, missing: Vec::new(), coding: None, holding: None }
    }

    /// The same; its body, unless it does so already, takes its bytes from what answers may hold.
    pub(super) fn held(mut self, allowance: &Allowance) -> Result<Self, Failure> {
        if self.holding.is_none() {
            let bytes = self.body.len() as u64;
            let mut holding = allowance.body();
            if !holding.take(bytes) {
                let is_alone = bytes > allowance.answer_bytes_max();
                let words = "the answer is larger than query.answer_bytes_max";
                return Err(if is_alone { Failure::Execution(words.into()) } else { Failure::Busy });
            }
            self.body.shrink_to_fit();
            self.holding = Some(holding);
        }
        Ok(self)
    }

    /// The same, compressed if that makes it smaller. Takes a while for a large one: not for async threads.
    pub(super) fn coded(mut self, coding: Option<Coding>) -> Self {
        if let Some((coding, body)) = coding.and_then(|coding| Some((coding, coding.of(&self.body)?))) {
            if let Some(holding) = &mut self.holding {
                holding.shrink_to(body.len() as u64);
            }
            self.body = body;
            self.coding = Some(coding);
        }
        self
    }

    /// Writes a value as JSON, indented when a person reads it.
    pub(super) fn json(value: &impl Serialize, pretty: bool) -> Result<Self, Failure> {
        let written = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
        let body = written.map_err(|error| Failure::Unwritable(error.to_string()))?;
        Ok(Self::of(JSON, body))
    }

    /// The same, within what an answer may hold; `None` when that is not enough.
    pub(super) fn json_within(
        allowance: &Allowance,
        value: &impl Serialize,
        pretty: bool,
    ) -> Result<Option<Self>, Failure> {
        let mut bounded = Bounded { bytes: Vec::new(), holding: allowance.body(), room: 0, is_full: false };
        let written = if pretty {
            serde_json::to_writer_pretty(&mut bounded, value)
        } else {
            serde_json::to_writer(&mut bounded, value)
        };
        match written {
            Ok(()) => {
                bounded.bytes.shrink_to_fit();
                bounded.holding.shrink_to(bounded.bytes.len() as u64);
                Ok(Some(Self { holding: Some(bounded.holding), ..Self::of(JSON, bounded.bytes) }))
            }
            Err(_) if bounded.is_full => Ok(None),
            Err(error) => Err(Failure::Unwritable(error.to_string())),
        }
    }

    /// The same; whether a bound or the deadline cut it short.
    pub(super) fn that_is_partial(self, partial: bool) -> Self {
        Self { partial, ..self }
    }

    pub(super) fn text(content_type: &'static str, text: String) -> Self {
        Self::of(content_type, text.into_bytes())
    }
}

/// A body that takes its bytes from what answers may hold.
struct Bounded {
    bytes: Vec<u8>,
    holding: Holding,
    /// Taken, and not yet written to.
    room: u64,
    is_full: bool,
}

impl Bounded {
    /// Taken at a time.
    const STEP_BYTES: u64 = 64 << 10;
}

impl Write for Bounded {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        let len = some.len() as u64;
        if len > self.room {
            let missing = len - self.room;
            let taken = [missing.max(Self::STEP_BYTES), missing].into_iter().find(|&bytes| self.holding.take(bytes));
            let Some(taken) = taken else {
                self.is_full = true;
                return Err(io::Error::other("the answer is full"));
            };
            self.room += taken;
        }
        self.room -= len;
        // A quarter more at a time: twice as much would be too much of a large one.
        if self.bytes.capacity() - self.bytes.len() < some.len() {
            self.bytes.reserve_exact(some.len().max(self.bytes.len() / 4).max(4096));
        }
        self.bytes.extend_from_slice(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body that gives back what it holds when the client has it, or is gone.
struct HeldBody {
    body: Option<Bytes>,
    _holding: Holding,
}

impl http_body::Body for HeldBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        /// Handed over at a time, as a copy: what the connection still has of it must not hold the whole body.
        const PIECE_BYTES: usize = 256 << 10;

        let Some(body) = self.body.as_mut().filter(|body| !body.is_empty()) else { return Poll::Ready(None) };
        let piece = Bytes::copy_from_slice(&body.split_to(body.len().min(PIECE_BYTES)));
        Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    BadRequest(String),
    #[error("parameter 'q': {0}")]
    BadCondition(#[from] BadCondition),
    #[error("no valid credential")]
    Unauthorized,
    #[error("{0}")]
    NotFound(String),
    /// With the methods that are.
    #[error("only {0} are served here")]
    MethodNotAllowed(&'static str),
    #[error("this name of the server is not known here: list it in query.hosts")]
    StrangeHost,
    #[error("the request's body is longer than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the request's path and query are longer than {0} bytes")]
    UriTooLong(usize),
    #[error(
        "too many queries are running (query.queries_max), or their answers hold too much (query.answers_bytes_max)"
    )]
    Busy,
    #[error("not ready: {0}")]
    NotReady(String),
    #[error("the query took longer than query.timeout")]
    TimedOut,
    /// A query that cannot be answered with the data that is there, or within its limits.
    #[error("{0}")]
    Execution(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot write the answer: {0}")]
    Unwritable(String),
    #[error("the query failed; the log says why")]
    Panicked,
}

/// How an API writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorStyle {
    /// `{"data":null,…,"errors":[{"code":404,"msg":"…"}]}`
    Jaeger,
    /// `{"error":{"httpCode":404,"message":"…"}}`
    JaegerV3,
    /// `{"status":"error","errorType":"bad_data","error":"…"}`
    Prometheus,
    /// `{"error":{"code":404,"message":"…"}}`
    Weir,
    /// One line of text.
    Text,
}

impl ErrorStyle {
    /// The style of whatever is served at `path`.
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/jaeger/api/v3/") {
            return Self::JaegerV3;
        }
        if path.starts_with("/prometheus/api/") {
            return Self::Prometheus;
        }
        if path.starts_with("/jaeger/") {
            return Self::Jaeger;
        }
        if path.starts_with("/api/") { Self::Weir } else { Self::Text }
    }
}

impl Failure {
    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::BadCondition(_) => StatusCode::BAD_REQUEST,
            Self::Execution(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::StrangeHost => StatusCode::MISDIRECTED_REQUEST,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::Busy | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Read(_) | Self::Unwritable(_) | Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The value of the metrics' `outcome` label.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Busy | Self::NotReady(_) => "busy",
            Self::TimedOut => "timeout",
            Self::NotFound(_) => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Read(_) | Self::Unwritable(_) | Self::Panicked => "failed",
            Self::BadRequest(_)
            | Self::BadCondition(_)
            | Self::Execution(_)
            | Self::MethodNotAllowed(_)
            | Self::StrangeHost
            | Self::BodyTooLarge(_)
            | Self::UriTooLong(_) => "bad_request",
        }
    }

    /// The response, in the style of its API.
    pub(super) fn into_response(self, style: ErrorStyle) -> Response {
        let status = match (style, &self) {
            // As Prometheus does.
            (ErrorStyle::Prometheus, Self::TimedOut) => StatusCode::SERVICE_UNAVAILABLE,
            _ => self.status(),
        };
        let allowed = if let Self::MethodNotAllowed(methods) = &self { Some(*methods) } else { None };
        let (content_type, body) = match style {
            ErrorStyle::Jaeger => (JSON, self.jaeger_body()),
            ErrorStyle::JaegerV3 => {
                let error = serde_json::json!({"error": {"httpCode": status.as_u16(), "message": self.to_string()}});
                (JSON, error.to_string())
            }
            ErrorStyle::Prometheus => {
                let error = match &self {
                    Self::TimedOut => "query timed out in expression evaluation".to_owned(),
                    other => other.to_string(),
                };
                // In the order in which Prometheus writes them.
                let (kind, error) = (serde_json::Value::from(self.kind()), serde_json::Value::from(error));
                (JSON, format!(r#"{{"status":"error","errorType":{kind},"error":{error}}}"#))
            }
            ErrorStyle::Weir => {
                let mut error = serde_json::json!({"code": status.as_u16(), "message": self.to_string()});
                if let Self::BadCondition(bad) = &self {
                    error["position"] = bad.position.into();
                }
                (JSON, serde_json::json!({"error": error}).to_string())
            }
            ErrorStyle::Text => (TEXT, format!("{self}\n")),
        };
        let mut response = respond(status, content_type, body);
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(methods) = allowed {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response
    }

    /// What Prometheus calls such a failure.
    fn kind(&self) -> &'static str {
        match self {
            Self::Execution(_) => "execution",
            Self::TimedOut => "timeout",
            Self::NotFound(_) => "not_found",
            Self::Busy | Self::NotReady(_) => "unavailable",
            Self::Read(_) | Self::Unwritable(_) | Self::Panicked => "internal",
            Self::Unauthorized => "unauthorized",
            Self::BadRequest(_)
            | Self::BadCondition(_)
            | Self::MethodNotAllowed(_)
            | Self::StrangeHost
            | Self::BodyTooLarge(_)
            | Self::UriTooLong(_) => "bad_data",
        }
    }

    fn jaeger_body(&self) -> String {
        let error = serde_json::json!({"code": self.status().as_u16(), "msg": self.to_string()});
        let body = serde_json::json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error]});
        body.to_string()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = match self.holding {
            Some(holding) => Body::new(HeldBody { body: Some(self.body.into()), _holding: holding }),
            None => self.body.into(),
        };
        let mut response = respond(StatusCode::OK, self.content_type, body);
        say_coding(response.headers_mut(), self.coding);
        if let Some(missing) = missing_header(&self.missing) {
            response.headers_mut().insert(MISSING, missing);
        }
        response
    }
}

/// The header that says what an answer lacks, whatever the body has room for.
const MISSING: HeaderName = HeaderName::from_static("weir-missing");

/// Bytes of that header: clients and proxies have bounds of their own.
const MISSING_BYTES_MAX: usize = 1024;

fn missing_header(missing: &[String]) -> Option<HeaderValue> {
    if missing.is_empty() {
        return None;
    }
    let text = missing.join("; ");
    let plain = text.bytes().map(|byte| if (b' '..=b'~').contains(&byte) { byte } else { b'?' });
    HeaderValue::from_bytes(&plain.take(MISSING_BYTES_MAX).collect::<Vec<u8>>()).ok()
}

/// Says how a body is compressed, and that another client may get it otherwise.
pub(super) fn say_coding(headers: &mut HeaderMap, coding: Option<Coding>) {
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding.header());
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
