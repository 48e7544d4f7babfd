//! What an endpoint answers, good or bad, and how that becomes an HTTP response.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use weir_store::ReadError;

/// JSON text.
pub(super) const JSON: &str = "application/json; charset=utf-8";
/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// A web page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Seconds after which a refused client may try again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// A good answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// A bound or the deadline cut it short; the body says so too.
    pub(super) partial: bool,
}

impl Answer {
    /// Writes a value as JSON, indented when a person reads it.
    pub(super) fn json(value: &impl Serialize, pretty: bool) -> Result<Self, Failure> {
        let written = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
        let body = written.map_err(|error| Failure::Unwritable(error.to_string()))?;
        Ok(Self { content_type: JSON, body, partial: false })
    }

    pub(super) fn text(content_type: &'static str, text: String) -> Self {
        Self { content_type, body: text.into_bytes(), partial: false }
    }
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    BadRequest(String),
    #[error("no valid credential")]
    Unauthorized,
    #[error("{0}")]
    NotFound(String),
    /// With the methods that are.
    #[error("only {0} are served here")]
    MethodNotAllowed(&'static str),
    #[error("the request's body is longer than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the request's path and query are longer than {0} bytes")]
    UriTooLong(usize),
    #[error("too many queries are running (query.queries_max)")]
    Busy,
    #[error("not ready: {0}")]
    NotReady(String),
    #[error("the query took longer than query.timeout")]
    TimedOut,
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
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
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
            Self::BadRequest(_) | Self::MethodNotAllowed(_) | Self::BodyTooLarge(_) | Self::UriTooLong(_) => {
                "bad_request"
            }
        }
    }

    /// The response, in the style of its API.
    pub(super) fn into_response(self, style: ErrorStyle) -> Response {
        let status = self.status();
        let allowed = if let Self::MethodNotAllowed(methods) = &self { Some(*methods) } else { None };
        let (content_type, body) = match style {
            ErrorStyle::Jaeger => (JSON, self.jaeger_body()),
            ErrorStyle::JaegerV3 => {
                let error = serde_json::json!({"error": {"httpCode": status.as_u16(), "message": self.to_string()}});
                (JSON, error.to_string())
            }
            ErrorStyle::Weir => {
                let error = serde_json::json!({"error": {"code": status.as_u16(), "message": self.to_string()}});
                (JSON, error.to_string())
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

    fn jaeger_body(&self) -> String {
        let error = serde_json::json!({"code": self.status().as_u16(), "msg": self.to_string()});
        let body = serde_json::json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error]});
        body.to_string()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, self.content_type, self.body)
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
