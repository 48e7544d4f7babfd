//! Answers pushes as Loki does: 204 without a word, or a status with a line of text. On a port of its own, or on one that hands them on.

use std::{fmt::Write, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, ORIGIN},
};
use http_body::Body;
use http_body_util::Full;
use weir_port::{Authenticate, Budget, CorsConfig, Reply, ReplyBody, cors, essence};
use weir_proto::{Signal, time::Clock};
use weir_store::RejectReason;

use super::LokiConfig;
use crate::{
    Append,
    admission::AdmissionRules,
    receivers::intake::{Accepted, Arriving, Format, Intake, LokiFormat, Post, Posted},
};

/// The label in metrics.
pub(super) const PROTOCOL: &str = "loki";

/// Where clients push to.
pub const PUSH_PATH: &str = "/loki/api/v1/push";

/// Where Vector looks before it pushes.
const READY_PATH: &str = "/ready";

const MIB: usize = 1 << 20;

/// What takes pushes, whatever port they come to.
#[derive(Clone)]
pub struct Push(Arc<Taking>);

struct Taking {
    post: Post,
    service_labels: Arc<[String]>,
    keeps_times: bool,
    cors: CorsConfig,
}

impl Push {
    /// Takes pushes within the config's bounds; `rules` are its `line_limits` and the storage's accepted times.
    pub fn new(
        config: &LokiConfig,
        rules: AdmissionRules,
        clock: Clock,
        append: Append,
        authenticate: Authenticate,
    ) -> Self {
        let budget = Budget::new(config.inflight_mib_max * MIB);
        let intake = Arc::new(Intake { append, metrics: None, authenticate, clock, rules, budget });
        let http = &config.protocols.http;
        let post = Post {
            intake,
            paths: vec![(PUSH_PATH.to_owned(), Signal::Logs)],
            body_bytes_max: http.max_request_body_size,
            read_timeout: http.read_timeout,
        };
        Self(Arc::new(Taking {
            post,
            service_labels: config.discover_service_name.clone().into(),
            keeps_times: config.use_incoming_timestamp,
            cors: http.cors.clone(),
        }))
    }

    /// Answers one request to [`PUSH_PATH`], which came to another's port.
    pub async fn answer<B>(&self, request: Request<B>) -> http::Response<Full<Bytes>>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display>,
    {
        self.reply(request).await.map(|body| Full::new(body.into_data()))
    }

    /// Answers one request, whatever it is.
    pub(super) async fn reply<B: Arriving>(&self, mut request: Request<B>) -> Reply {
        let Taking { post, cors, .. } = &*self.0;
        if let Some(reply) = cors::preflight(cors, &request) {
            return reply;
        }
        if request.uri().path() == READY_PATH && matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(Reply::new(ReplyBody::new("ready\n")));
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let format = self.format(request.headers_mut());
        let mut reply = match post.take(request, Posted { protocol: PROTOCOL, format: Ok(format) }).await {
            Ok(accepted) => taken(&accepted),
            Err(refusal) => {
                let mut reply = text(Reply::new(ReplyBody::new(format!("{refusal}\n"))));
                refusal.mark(&mut reply);
                reply
            }
        };
        cors::mark(cors, origin.as_ref(), &mut reply);
        reply
    }

    /// JSON where the header says so; anything else is protobuf behind snappy, as it is for Loki.
    fn format(&self, headers: &mut HeaderMap) -> Format {
        let is_json = essence(headers).eq_ignore_ascii_case(b"application/json");
        let names_snappy = headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes() == b"snappy");
        if !is_json && names_snappy {
            // Vector says what is understood anyway.
            headers.remove(CONTENT_ENCODING);
        }
        let (service_labels, keeps_times) = (self.0.service_labels.clone(), self.0.keeps_times);
        Format::Loki(LokiFormat { is_json, service_labels, keeps_times })
    }
}

/// 204; or 400 where lines were refused, so that nobody sends the same again: what is left is kept.
fn taken(accepted: &Accepted) -> Reply {
    let Some(partial) = &accepted.partial else {
        let mut reply = Reply::new(ReplyBody::default());
        *reply.status_mut() = StatusCode::NO_CONTENT;
        return reply;
    };
    let mut words = partial.message.clone();
    let is_time = |(reason, _): &(RejectReason, u32)| matches!(reason, RejectReason::TooOld | RejectReason::TooNew);
    if partial.reasons.iter().any(is_time) {
        words.push_str("; times are nanoseconds since 1970");
    }
    let _ = match accepted.items {
        0 => writeln!(words, "; nothing else was in the push"),
        1 => writeln!(words, "; the other one is kept"),
        kept => writeln!(words, "; the other {kept} are kept"),
    };
    let mut reply = text(Reply::new(ReplyBody::new(words)));
    *reply.status_mut() = StatusCode::BAD_REQUEST;
    reply
}

fn text(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
