//! Answers what shippers ask: on a port of its own, or under a prefix on one that hands requests on.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full};
use prometheus::{IntCounterVec, register_int_counter_vec};
use serde_json::Value;
use weir_port::{Authenticate, Budget, Reply, ReplyBody, essence};
use weir_proto::{Signal, elasticsearch::Bulk, time::Clock};

use super::{
    ElasticsearchConfig, PROTOCOL, answers,
    bulk::{Asked, BulkFormat},
    failure::Failure,
    filter_path::FilterPath,
    written,
};
use crate::{
    Append,
    admission::AdmissionRules,
    receivers::intake::{Arriving, Format, Intake, Post, Posted},
};

/// What paths begin with on the port for queries.
pub const PREFIX: &str = "/elasticsearch";

/// Documents that were refused before admission: what is no document is in no frame.
static DOCUMENTS_REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Documents of bulk requests that are none, by Elasticsearch's word for why";
    register_int_counter_vec!("weir_elasticsearch_documents_refused_total", text, &["reason"])
        .expect("each metric is registered once, under a valid name")
});

/// The one path that the port's intake knows.
const BULK: &str = "/_bulk";

/// What is posted beside documents is passed over up to this.
const PASSED_OVER_BYTES_MAX: usize = 4 << 20;

const MIB: usize = 1 << 20;

/// What takes requests, whatever port they come to.
#[derive(Clone)]
pub struct ElasticsearchPush(Arc<Taking>);

struct Taking {
    post: Post,
    documents_max: usize,
    fields_max: u32,
    clock: Clock,
}

/// A request that was understood, without its body.
pub(super) struct Asking<'r> {
    pub(super) method: &'r Method,
    /// The parts of the path, decoded.
    pub(super) path: Vec<&'r str>,
    /// The pairs of the query string, decoded.
    pub(super) query: HashMap<String, String>,
    /// `Host`, or this receiver's usual one.
    pub(super) host: &'r str,
}

impl ElasticsearchPush {
    /// Takes requests within the config's bounds; `rules` are its `line_limits` and the storage's accepted times.
    pub fn new(
        config: &ElasticsearchConfig,
        rules: AdmissionRules,
        clock: Clock,
        append: Append,
        authenticate: Authenticate,
    ) -> Self {
        let budget = Budget::new(config.inflight_mib_max * MIB);
        let fields_max = rules.limits.attributes_max;
        let intake = Arc::new(Intake { append, metrics: None, authenticate, clock: clock.clone(), rules, budget });
        let post = Post {
            intake,
            paths: vec![(BULK.to_owned(), Signal::Logs)],
            body_bytes_max: config.max_request_body_size,
            read_timeout: config.read_timeout,
        };
        Self(Arc::new(Taking { post, documents_max: config.documents_max, fields_max, clock }))
    }

    /// Answers one request below [`PREFIX`], which came to another's port.
    pub async fn answer<B>(&self, request: Request<B>) -> http::Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes, Error: std::fmt::Display>,
    {
        self.reply(request).await.map(|body| Full::new(body.into_data()))
    }

    /// Answers one request, whatever it is.
    pub(super) async fn reply<B: Arriving>(&self, request: Request<B>) -> Reply {
        let media = media(request.headers());
        let mut reply = match self.routed(request).await {
            Ok((status, text)) => {
                let mut reply = Reply::new(ReplyBody::new(text));
                *reply.status_mut() = status;
                reply
            }
            Err(failure) => {
                let mut reply = Reply::new(ReplyBody::new(failure.body().to_string()));
                *reply.status_mut() = failure.status;
                if failure.status == StatusCode::TOO_MANY_REQUESTS {
                    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                reply
            }
        };
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, media);
        headers.insert(HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));
        reply
    }

    async fn routed<B: Arriving>(&self, request: Request<B>) -> Result<(StatusCode, String), Failure> {
        let path = request.uri().path().to_owned();
        let below = path.strip_prefix(PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(&path);
        let parts: Vec<String> = below.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let query = pairs(request.uri().query().unwrap_or_default());
        let filter = FilterPath::parse(query.get("filter_path").map_or("", String::as_str));
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let is_write = matches!(*request.method(), Method::POST | Method::PUT);
        match names[..] {
            ["_bulk"] if is_write => return self.bulk(request, None, &filter).await,
            [index, "_bulk"] if is_write => return self.bulk(request, Some(index.to_owned()), &filter).await,
            [index, "_doc"] if is_write => return self.document(request, index, None, &filter).await,
            [index, "_doc" | "_create", id] if is_write => {
                return self.document(request, index, Some(id.to_owned()), &filter).await;
            }
            _ => {}
        }
        let (head, body) = request.into_parts();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("127.0.0.1:9200");
        let asking = Asking { method: &head.method, path: names, query, host };
        let answer = answers::answer(&asking, self.0.post.body_bytes_max);
        pass_over(body).await;
        let (status, answer) = answer?;
        let answer = filter.of(answer);
        let is_pretty = asking.query.get("pretty").is_some_and(|value| value != "false");
        let text = if is_pretty { format!("{answer:#}\n") } else { answer.to_string() };
        Ok((status, text))
    }

    async fn bulk<B: Arriving>(
        &self,
        request: Request<B>,
        index: Option<String>,
        filter: &FilterPath,
    ) -> Result<(StatusCode, String), Failure> {
        let begun_ns = self.0.clock.now_ns();
        let (bulk, rejected) = self.take(request, Asked::Bulk { index }).await?;
        let now_ns = self.0.clock.now_ns();
        let took_ms = now_ns.saturating_sub(begun_ns) / 1_000_000;
        Ok((StatusCode::OK, written::answer(&bulk, &rejected, took_ms, now_ns, filter)))
    }

    async fn document<B: Arriving>(
        &self,
        request: Request<B>,
        index: &str,
        id: Option<String>,
        filter: &FilterPath,
    ) -> Result<(StatusCode, String), Failure> {
        let (bulk, rejected) = self.take(request, Asked::Document { index: index.to_owned(), id }).await?;
        match written::single(&bulk, &rejected, self.0.clock.now_ns()) {
            Ok(answer) => Ok((StatusCode::CREATED, filter.of(answer).to_string())),
            Err((kind, reason)) => Err(Failure::new(StatusCode::BAD_REQUEST, kind, reason)),
        }
    }

    /// Takes documents in: what the body held, and which of its documents were rejected.
    async fn take<B: Arriving>(
        &self,
        mut request: Request<B>,
        asked: Asked,
    ) -> Result<(Bulk, Vec<weir_store::Rejection>), Failure> {
        is_media_known(request.headers())?;
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(BULK);
        let format = Arc::new(BulkFormat::new(asked, self.0.documents_max, self.0.fields_max));
        let posted = Posted { protocol: PROTOCOL, format: Ok(Format::Own(format.clone())) };
        let result = self.0.post.take(request, posted).await;
        match (result, format.came_to()) {
            (Ok(accepted), Some(Ok(bulk))) => {
                for fault in bulk.items.iter().filter_map(|item| item.fault.as_ref()) {
                    DOCUMENTS_REFUSED.with_label_values(&[fault.kind()]).inc();
                }
                Ok((bulk, accepted.rejected))
            }
            (Err(_), Some(Err(error))) => Err(error.into()),
            (Err(refusal), _) => Err((&refusal).into()),
            (Ok(_), _) => Err(Failure::new(StatusCode::BAD_REQUEST, "parse_exception", "a request body is needed")),
        }
    }
}

/// What is sent along with what needs no body is read, so that its sender reads the answer.
async fn pass_over<B: Arriving>(body: B) {
    let mut body = std::pin::pin!(body);
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > PASSED_OVER_BYTES_MAX {
            return;
        }
    }
}

/// JSON as the client calls it: those of 8 and 9 ask for the name that says so.
fn media(headers: &HeaderMap) -> HeaderValue {
    let accepted = headers.get(ACCEPT).filter(|value| {
        let text = value.to_str().unwrap_or_default().trim();
        text.starts_with("application/vnd.elasticsearch+json") && !text.contains(',')
    });
    accepted.cloned().unwrap_or_else(|| HeaderValue::from_static("application/json"))
}

/// A form is no JSON, whoever sends it; nor is what is sent without a name.
fn is_media_known(headers: &HeaderMap) -> Result<(), Failure> {
    const KNOWN: [&str; 5] = [
        "application/json",
        "application/x-ndjson",
        "application/vnd.elasticsearch+json",
        "application/vnd.elasticsearch+x-ndjson",
        "application/x-json",
    ];
    let essence = essence(headers);
    if KNOWN.iter().any(|known| essence.eq_ignore_ascii_case(known.as_bytes())) {
        return Ok(());
    }
    let reason = if essence.is_empty() {
        "the header Content-Type is missing; use application/x-ndjson or application/json".to_owned()
    } else {
        let text = String::from_utf8_lossy(essence);
        format!("Content-Type [{text}] is not supported; use application/x-ndjson or application/json")
    };
    Err(Failure::new(StatusCode::NOT_ACCEPTABLE, "media_type_header_exception", reason))
}

/// The pairs of a query string.
pub(in crate::receivers) fn pairs(query: &str) -> HashMap<String, String> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Text with its percent signs resolved; what is not UTF-8 then is replaced.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// For answers that are whole values.
pub(super) type Told = Result<(StatusCode, Value), Failure>;
