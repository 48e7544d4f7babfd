//! What senders are told: Splunk's codes, as its documentation lists them ("Possible error codes").

use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use weir_port::{Reply, ReplyBody};

/// One of Splunk's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Success,
    TokenRequired,
    InvalidAuthorization,
    InvalidToken,
    NoData,
    InvalidDataFormat,
    ServerBusy,
    EventRequired,
    EventBlank,
    AckDisabled,
    QueryStringAuthorization,
    Healthy,
}

impl Code {
    fn row(self) -> (u32, StatusCode, &'static str) {
        match self {
            Self::Success => (0, StatusCode::OK, "Success"),
            Self::TokenRequired => (2, StatusCode::UNAUTHORIZED, "Token is required"),
            Self::InvalidAuthorization => (3, StatusCode::UNAUTHORIZED, "Invalid authorization"),
            Self::InvalidToken => (4, StatusCode::FORBIDDEN, "Invalid token"),
            Self::NoData => (5, StatusCode::BAD_REQUEST, "No data"),
            Self::InvalidDataFormat => (6, StatusCode::BAD_REQUEST, "Invalid data format"),
            Self::ServerBusy => (9, StatusCode::SERVICE_UNAVAILABLE, "Server is busy"),
            Self::EventRequired => (12, StatusCode::BAD_REQUEST, "Event field is required"),
            Self::EventBlank => (13, StatusCode::BAD_REQUEST, "Event field cannot be blank"),
            Self::AckDisabled => (14, StatusCode::BAD_REQUEST, "ACK is disabled"),
            Self::QueryStringAuthorization => {
                (16, StatusCode::BAD_REQUEST, "Query string authorization is not enabled")
            }
            Self::Healthy => (17, StatusCode::OK, "HEC is healthy"),
        }
    }

    /// The answer.
    pub(super) fn reply(self) -> Reply {
        self.with(None, None)
    }

    /// The answer about the event of this number, from 0.
    pub(super) fn about(self, event: Option<usize>, more: &str) -> Reply {
        self.with(event, Some(more))
    }

    fn with(self, event: Option<usize>, more: Option<&str>) -> Reply {
        let (code, status, text) = self.row();
        let mut body = json!({"text": text, "code": code});
        if let Some(event) = event {
            body["invalid-event-number"] = event.into();
        }
        // Splunk says no more than that; a person who reads it wants to know.
        if let Some(more) = more {
            body["detail"] = more.into();
        }
        reply(status, &body)
    }
}

/// An answer in JSON.
pub(super) fn reply(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut reply = Reply::new(ReplyBody::new(body.to_string()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    reply
}
