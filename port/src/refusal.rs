//! Why a request is refused, and how each protocol says so.

use std::time::Duration;

use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use prost::Message;
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};
use weir_proto::{Signal, json::JsonError};

use crate::{caller::Unauthenticated, reply::Reply};

/// Why a whole request is refused. Clients repeat only what is [`Refusal::Busy`], [`Refusal::DiskFull`] or
/// [`Refusal::Stopped`] (and over gRPC what is [`Refusal::Slow`]); everything else they drop, as the OTLP specification's
/// tables of codes say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not what it says.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// Over a limit in bytes.
    #[error("{what} is larger than {bytes_max} bytes")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// Nobody we know.
    #[error("missing or unknown credential")]
    Unauthenticated,
    /// Compressed in another way.
    #[error("content encoding {0:?} is not supported; use gzip, zstd, deflate or none")]
    UnknownEncoding(String),
    /// Written in another way; what is known here.
    #[error("{0}; use {1}")]
    UnknownContentType(String, &'static str),
    /// Another path, with what may have been meant.
    #[error("{path} is not served here{hint}")]
    NotFound {
        /// What was asked for.
        path: String,
        /// Begins with a semicolon.
        hint: String,
    },
    /// Another method.
    #[error("method {0} is not allowed; use POST")]
    Method(String),
    /// The body took longer than this.
    #[error("the request did not arrive within {0:?}")]
    Slow(Duration),
    /// The client's own deadline passed.
    #[error("the client's deadline of {0:?} passed; what was journalled by then stays")]
    Deadline(Duration),
    /// A limit is reached for now.
    #[error("busy: {0}; try again")]
    Busy(&'static str),
    /// The disk is.
    #[error("disk space is below the limit; try again")]
    DiskFull,
    /// The process stops.
    #[error("shutting down; try again elsewhere or later")]
    Stopped,
}

/// When a busy receiver may be tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

impl Refusal {
    /// The code of each protocol, and the name in metrics.
    fn row(&self) -> (Code, StatusCode, &'static str) {
        match self {
            Self::Malformed(_) => (Code::InvalidArgument, StatusCode::BAD_REQUEST, "malformed"),
            Self::TooLarge { .. } => (Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::UnknownEncoding(_) => (Code::Unimplemented, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported"),
            Self::UnknownContentType(..) => (Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported"),
            Self::NotFound { .. } => (Code::Unimplemented, StatusCode::NOT_FOUND, "not_found"),
            Self::Method(_) => (Code::Unimplemented, StatusCode::METHOD_NOT_ALLOWED, "not_found"),
            Self::Slow(_) => (Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT, "slow"),
            Self::Deadline(_) => (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT, "deadline"),
            Self::Busy(_) => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::DiskFull => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "disk_full"),
            Self::Stopped => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "stopped"),
        }
    }

    /// A content type that is not among `known`.
    pub fn content_type(essence: &[u8], known: &'static str) -> Self {
        let text: String = String::from_utf8_lossy(essence).chars().take(100).collect();
        let words = if text.is_empty() {
            "the request has no Content-Type".to_owned()
        } else {
            format!("content type {text:?} is not supported")
        };
        Self::UnknownContentType(words, known)
    }

    /// A path that is not `served`, with what may have been meant.
    pub fn not_found(path: &str, served: &[(String, Signal)]) -> Self {
        let served: Vec<&str> = served.iter().map(|(path, _)| path.as_str()).collect();
        let like = |is_like: &dyn Fn(&str) -> bool| served.iter().copied().find(|served| is_like(served));
        let end = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
        let hint = if let Some(served) = like(&|served| path.trim_end_matches('/') == served) {
            format!("; without the slash at its end, {served} is")
        } else if let Some(served) = like(&|served| path.eq_ignore_ascii_case(served)) {
            format!("; written {served}, it is")
        } else if let Some(served) = like(&|served| path.len() > served.len() && path.ends_with(served)) {
            let before = &path[..path.len() - served.len()];
            if before == served {
                format!("; the endpoint has {served} already: with OTEL_EXPORTER_OTLP_ENDPOINT it is left out")
            } else {
                format!("; without what stands before it, {served} is")
            }
        } else if path.contains("/opentelemetry.proto.collector.") {
            "; OTLP/gRPC has a port of its own, usually 4317".to_owned()
        } else if path.starts_with("/api/v2/spans") || path.starts_with("/api/v1/spans") {
            "; Zipkin's spans go to a zipkin receiver, usually on 9411".to_owned()
        } else if path.starts_with("/api/traces") {
            "; Jaeger's spans are not taken: send OTLP".to_owned()
        } else if ["logs", "metrics", "profiles"].contains(&end) && like(&|served| served.ends_with(end)).is_none() {
            format!("; {end} are not there yet, traces go to {}", served[0])
        } else if let [served] = served[..] {
            format!("; {served} is")
        } else {
            format!("; {} are", served.join(" and "))
        };
        Self::NotFound { path: path.chars().take(200).collect(), hint }
    }

    /// The same with what the body seems to be.
    pub fn with_hint(self, hint: Option<String>) -> Self {
        match (self, hint) {
            (Self::Malformed(words), Some(hint)) => Self::Malformed(format!("{words} ({hint})")),
            (refusal, _) => refusal,
        }
    }

    /// The name in metrics.
    pub fn outcome(&self) -> &'static str {
        self.row().2
    }

    /// For OTLP/HTTP.
    pub fn http_status(&self) -> StatusCode {
        self.row().1
    }

    /// The number of the gRPC code.
    pub fn code(&self) -> i32 {
        self.row().0 as i32
    }

    /// How long the client should wait; `None` when it should not repeat the request, or not here.
    pub fn retry_delay(&self) -> Option<Duration> {
        matches!(self, Self::Busy(_) | Self::DiskFull).then_some(RETRY_DELAY)
    }

    /// For OTLP/gRPC, with RetryInfo where a delay is asked for.
    pub fn grpc_status(&self) -> tonic::Status {
        let (code, ..) = self.row();
        match self.retry_delay() {
            None => tonic::Status::new(code, self.to_string()),
            Some(delay) => {
                let details = ErrorDetails::with_retry_info(Some(delay));
                tonic::Status::with_error_details(code, self.to_string(), details)
            }
        }
    }

    /// An encoded google.rpc.Status: the body of an OTLP/HTTP response to protobuf.
    pub fn rpc_status(&self) -> Vec<u8> {
        let status = self.grpc_status();
        if !status.details().is_empty() {
            // tonic's details are the whole google.rpc.Status already.
            return status.details().to_vec();
        }
        let code = status.code() as i32;
        tonic_types::Status { code, message: status.message().to_owned(), details: Vec::new() }.encode_to_vec()
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooLarge { bytes_max } => Self::TooLarge { what: "the request as protobuf", bytes_max },
            JsonError::Syntax { .. } | JsonError::Value { .. } => Self::Malformed(error.to_string()),
        }
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(_: Unauthenticated) -> Self {
        Self::Unauthenticated
    }
}

impl Refusal {
    /// Sets status and headers of a reply whose body says why.
    pub fn mark(&self, reply: &mut Reply) {
        *reply.status_mut() = self.http_status();
        let headers = reply.headers_mut();
        if let Some(delay) = self.retry_delay() {
            headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs()));
        }
        match self {
            Self::Method(_) => headers.insert(ALLOW, HeaderValue::from_static("POST")),
            Self::Unauthenticated => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            _ => None,
        };
    }
}
