//! Answers as Zipkin's server does: 202 without a word, or a status with a line of text.

use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{CONTENT_TYPE, ORIGIN},
};
use hyper::body::Incoming;

use weir_port::{CorsConfig, Refusal, Reply, ReplyBody, cors, essence};

use crate::receivers::intake::{Format, Post, Posted};

/// The label in metrics.
pub(super) const PROTOCOL: &str = "zipkin";

/// What Zipkin's other encodings call themselves.
const OTHER_ENCODINGS: [&str; 3] = ["application/x-protobuf", "application/protobuf", "application/x-thrift"];

/// Answers the requests of one port.
pub(super) struct Handler {
    pub(super) post: Post,
    pub(super) parse_string_tags: bool,
    pub(super) cors: CorsConfig,
}

impl Handler {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if let Some(reply) = cors::preflight(&self.cors, &request) {
            return reply;
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let format = self.format(request.headers());
        let mut reply = match self.post.take(request, Posted { protocol: PROTOCOL, format }).await {
            Ok(accepted) => {
                // Zipkin knows no partial success: whoever sends by hand can read it all the same.
                let words = accepted.partial.map_or(String::new(), |partial| partial.message + "\n");
                let mut reply = Reply::new(ReplyBody::new(words));
                *reply.status_mut() = StatusCode::ACCEPTED;
                reply
            }
            Err(refusal) => {
                let mut reply = Reply::new(ReplyBody::new(format!("{refusal}\n")));
                refusal.mark(&mut reply);
                reply
            }
        };
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        reply.headers_mut().insert(CONTENT_TYPE, content_type);
        cors::mark(&self.cors, origin.as_ref(), &mut reply);
        reply
    }

    /// JSON, unless the header names another encoding of Zipkin's: many senders name none, or `text/plain`.
    fn format(&self, headers: &HeaderMap) -> Result<Format, Refusal> {
        let essence = essence(headers);
        for other in OTHER_ENCODINGS {
            if essence.eq_ignore_ascii_case(other.as_bytes()) {
                return Err(Refusal::content_type(other.as_bytes(), "application/json"));
            }
        }
        Ok(Format::Zipkin { parse_string_tags: self.parse_string_tags })
    }
}
