//! Errors in the shape that Elasticsearch's clients read.

use http::StatusCode;
use serde_json::{Value, json};
use weir_port::Refusal;
use weir_proto::elasticsearch::BulkError;

/// Why a whole request is refused.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// Elasticsearch's word for it.
    kind: &'static str,
    reason: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into() }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Value {
        let Self { status, kind, reason } = self;
        json!({
            "error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason},
            "status": status.as_u16(),
        })
    }
}

impl From<BulkError> for Failure {
    fn from(error: BulkError) -> Self {
        let status = if error.is_size() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        Self::new(status, error.kind(), error.to_string())
    }
}

impl From<&Refusal> for Failure {
    /// Busy is 429: clients wait, and send the same again.
    fn from(refusal: &Refusal) -> Self {
        let (status, kind) = match refusal {
            Refusal::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "es_rejected_execution_exception"),
            Refusal::DiskFull => (StatusCode::TOO_MANY_REQUESTS, "cluster_block_exception"),
            Refusal::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "node_closed_exception"),
            Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "content_too_long_exception"),
            Refusal::Unauthenticated => (StatusCode::UNAUTHORIZED, "security_exception"),
            Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, "parse_exception"),
            _ => (refusal.http_status(), "illegal_argument_exception"),
        };
        Self::new(status, kind, refusal.to_string())
    }
}
