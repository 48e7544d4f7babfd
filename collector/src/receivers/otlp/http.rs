//! OTLP/HTTP: protobuf bodies by POST (OTLP specification, "OTLP/HTTP").

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE},
};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    body::collect,
    config::CorsConfig,
    cors,
    decompress::Encoding,
    intake::{Accepted, Intake, Received},
    metrics::REQUESTS,
    refusal::Refusal,
    reply::{Reply, ReplyBody},
};

/// The label in metrics.
pub(super) const PROTOCOL: &str = "http";

const PROTOBUF: &str = "application/x-protobuf";

/// Answers the requests of one port.
pub(super) struct Http {
    pub(super) intake: Arc<Intake>,
    pub(super) traces_path: String,
    pub(super) body_bytes_max: usize,
    pub(super) read_timeout: Duration,
    pub(super) cors: CorsConfig,
}

impl Http {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if let Some(reply) = cors::preflight(&self.cors, &request) {
            return reply;
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let mut reply = match self.export(request).await {
            Ok(accepted) => {
                REQUESTS.with_label_values(&[PROTOCOL, accepted.outcome]).inc();
                protobuf(accepted.response)
            }
            Err(refusal) => {
                REQUESTS.with_label_values(&[PROTOCOL, refusal.outcome()]).inc();
                failure(&refusal)
            }
        };
        cors::mark(&self.cors, origin.as_ref(), &mut reply);
        reply
    }

    async fn export(&self, request: Request<Incoming>) -> Result<Accepted, Refusal> {
        let (head, body) = request.into_parts();
        if head.uri.path() != self.traces_path {
            return Err(Refusal::NotFound(head.uri.path().chars().take(200).collect()));
        }
        if head.method != Method::POST {
            return Err(Refusal::Method(head.method.to_string()));
        }
        let tenant = (self.intake.authenticate)(&head.headers)?;
        check_content_type(&head.headers)?;
        let encoding = head.headers.get(CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
        let encoding = Encoding::parse(encoding)?;
        let bytes_max = self.body_bytes_max;
        let length = content_length(&head.headers);
        if length.is_some_and(|length| length > bytes_max as u64) {
            return Err(Refusal::TooLarge { what: "the request", bytes_max });
        }

        let mut reservation = self.intake.budget.open();
        let declared = |_: &[u8]| Ok(length.map(|length| length as usize));
        let collected = collect(body, bytes_max, declared, &mut reservation);
        let body = timeout(self.read_timeout, collected).await.map_err(|_| Refusal::Slow(self.read_timeout))??;
        self.intake.take(Received { protocol: PROTOCOL, tenant, encoding, body, bytes_max, reservation }).await
    }
}

/// hyper has checked that it is a number and the only one.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(essence).chars().take(100).collect();
    Err(Refusal::UnknownContentType(text, PROTOBUF))
}

fn protobuf(body: impl Into<bytes::Bytes>) -> Reply {
    let mut reply = Reply::new(ReplyBody::new(body));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    reply
}

fn failure(refusal: &Refusal) -> Reply {
    let mut reply = protobuf(refusal.rpc_status());
    *reply.status_mut() = refusal.http_status();
    let headers = reply.headers_mut();
    if let Some(delay) = refusal.retry_delay() {
        headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs()));
    }
    match refusal {
        Refusal::Method(_) => headers.insert(ALLOW, HeaderValue::from_static("POST")),
        Refusal::Unauthenticated => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        _ => None,
    };
    reply
}
