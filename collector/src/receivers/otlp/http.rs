//! OTLP/HTTP: protobuf or JSON bodies by POST (OTLP specification, "OTLP/HTTP").

use http::{
    HeaderMap, HeaderValue, Request,
    header::{CONTENT_TYPE, ORIGIN},
};
use hyper::body::Incoming;
use weir_port::{CorsConfig, Refusal, Reply, ReplyBody, cors, essence};
use weir_proto::Signal;

use super::answer;
use crate::receivers::intake::{Accepted, Format, Post, Posted};

/// The label in metrics, of connections and of requests in protobuf.
pub(super) const PROTOCOL: &str = "http";

/// The label of requests in JSON.
const JSON_PROTOCOL: &str = "http_json";

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Answers the requests of one port.
pub(super) struct Http {
    pub(super) post: Post,
    pub(super) cors: CorsConfig,
}

impl Http {
    /// Answers one request, whatever it is, in the form in which it came; protobuf where that is neither.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if let Some(reply) = cors::preflight(&self.cors, &request) {
            return reply;
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let is_grpc =
            request.version() == http::Version::HTTP_2 && essence(request.headers()).starts_with(b"application/grpc");
        let format = format(request.headers());
        let answer_format = format.as_ref().cloned().unwrap_or(Format::OtlpProtobuf);
        let (protocol, content_type) =
            if answer_format.is_otlp_json() { (JSON_PROTOCOL, JSON) } else { (PROTOCOL, PROTOBUF) };
        let mut reply = match self.take(request, Posted { protocol, format }).await {
            Ok((signal, accepted)) => Reply::new(ReplyBody::new(answer::response(&answer_format, signal, &accepted))),
            Err(refusal) => {
                let mut reply = Reply::new(ReplyBody::new(answer::status(&answer_format, &refusal)));
                refusal.mark(&mut reply);
                reply
            }
        };
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if is_grpc {
            return for_grpc(&reply);
        }
        cors::mark(&self.cors, origin.as_ref(), &mut reply);
        reply
    }

    async fn take(&self, request: Request<Incoming>, posted: Posted) -> Result<(Signal, Accepted), Refusal> {
        let signal = self.post.signal(request.uri().path());
        let accepted = self.post.take(request, posted).await?;
        Ok((signal.expect("what is accepted came to a signal's path"), accepted))
    }
}

/// A gRPC client reads words in headers only.
fn for_grpc(reply: &Reply) -> Reply {
    const WORDS: &str = "this port speaks OTLP/HTTP; OTLP/gRPC has a port of its own, usually 4317";

    let mut answer = Reply::new(ReplyBody::default());
    *answer.status_mut() = reply.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static("12"));
    headers.insert("grpc-message", HeaderValue::from_static(WORDS));
    answer
}

fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let essence = essence(headers);
    if essence.eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
        return Ok(Format::OtlpProtobuf);
    }
    if essence.eq_ignore_ascii_case(JSON.as_bytes()) {
        return Ok(Format::OtlpJson);
    }
    let known = if essence.starts_with(b"application/grpc") {
        "the port for OTLP/gRPC, usually 4317: this one speaks OTLP/HTTP"
    } else {
        "application/x-protobuf or application/json"
    };
    Err(Refusal::content_type(essence, known))
}
