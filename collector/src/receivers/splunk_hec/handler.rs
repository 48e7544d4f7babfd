//! Answers as Splunk's collector does.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode, Uri, header::RETRY_AFTER};
use hyper::body::Incoming;
use serde_json::json;
use weir_port::{Refusal, Reply};
use weir_proto::splunk_hec::{EventsError, Metadata, epoch_ns};

use super::{
    PROTOCOL,
    code::{Code, reply},
    events::EventsFormat,
    token,
};
use crate::receivers::{
    elasticsearch::pairs,
    intake::{Accepted, Format, Post, Posted},
};

/// The one path that the port's intake knows.
pub(super) const TAKEN: &str = "/services/collector";

/// Answers the requests of one port.
pub(super) struct Handler {
    pub(super) post: Post,
    pub(super) tokens: Vec<String>,
}

impl Handler {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().trim_end_matches('/');
        let is_raw = match path.strip_prefix(TAKEN) {
            Some("" | "/event" | "/event/1.0") => false,
            Some("/raw" | "/raw/1.0") => true,
            Some("/health" | "/health/1.0") => return Code::Healthy.reply(),
            Some("/ack" | "/ack/1.0") => return Code::AckDisabled.reply(),
            _ => {
                let body = json!({"text": "The requested URL was not found on this server.", "code": 404});
                return reply(StatusCode::NOT_FOUND, &body);
            }
        };
        if *request.method() != Method::POST {
            let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, &json!({"text": "Method Not Allowed", "code": 405}));
            reply.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("POST"));
            return reply;
        }
        let query = pairs(request.uri().query().unwrap_or_default());
        if let Err(code) = token::check(request.headers(), &self.tokens, query.contains_key("token")) {
            return code.reply();
        }
        let of = |name: &str| query.get(name).cloned().unwrap_or_default();
        let texts = ["host", "source", "sourcetype", "index"].map(of);
        let time_ns = query.get("time").and_then(|time| epoch_ns(time.as_bytes())).unwrap_or(0);
        self.take(request, EventsFormat::new(is_raw, Metadata { texts, time_ns })).await
    }

    async fn take(&self, mut request: Request<Incoming>, events: EventsFormat) -> Reply {
        *request.uri_mut() = Uri::from_static(TAKEN);
        let events = Arc::new(events);
        let posted = Posted { protocol: PROTOCOL, format: Ok(Format::Own(events.clone())) };
        match self.post.take(request, posted).await {
            Ok(accepted) => taken(&accepted),
            Err(refusal) => refused(&refusal, events.refused()),
        }
    }
}

/// Success; or what was rejected, in the code that nobody sends again for: what is left is kept.
fn taken(accepted: &Accepted) -> Reply {
    let Some(partial) = &accepted.partial else { return Code::Success.reply() };
    let first = accepted.rejected.first().map(|rejection| rejection.ordinal as usize);
    Code::InvalidDataFormat.about(first, &format!("{}; {} are kept", partial.message, accepted.items))
}

fn refused(refusal: &Refusal, events: Option<EventsError>) -> Reply {
    if let Some(error) = &events {
        let words = error.to_string();
        match error {
            EventsError::NoData => return Code::NoData.reply(),
            EventsError::Malformed { .. } => return Code::InvalidDataFormat.about(error.event(), &words),
            EventsError::EventMissing { .. } => return Code::EventRequired.about(error.event(), &words),
            EventsError::EventBlank { .. } => return Code::EventBlank.about(error.event(), &words),
            EventsError::TooLarge { .. } => {}
        }
    }
    match refusal {
        Refusal::Busy(_) | Refusal::DiskFull | Refusal::Stopped => {
            let mut reply = Code::ServerBusy.reply();
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            reply
        }
        Refusal::Unauthenticated => Code::InvalidToken.reply(),
        _ => {
            let mut reply = Code::InvalidDataFormat.about(None, &refusal.to_string());
            *reply.status_mut() = refusal.http_status();
            reply
        }
    }
}
