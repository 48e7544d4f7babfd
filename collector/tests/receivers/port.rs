//! Receivers on ports of their own, with a journal that records or refuses; and clients for them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use prost::Message;
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_collector::{
    Append, Arrival,
    admission::AdmissionRules,
    processors::Processing,
    receivers::{
        SpanLimits,
        loki::{self, LokiConfig, Push},
        otlp::{self, OtlpConfig},
        zipkin::{self, ZipkinConfig},
    },
    samples::{AcceptWindow, SampleDoor},
};
use weir_port::{Authenticate, Caller, Unauthenticated};
use weir_proto::{TenantId, otlp::messages::collector::trace::v1::ExportTraceServiceResponse, time::Clock};
use weir_store::{AppendError, LogsBatch, Store, StoreOptions, TracesBatch};

use crate::payload::{NOW_NS, framed};

pub(crate) const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What tests need of the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) batches: Mutex<Vec<TracesBatch>>,
    pub(crate) lines: Mutex<Vec<LogsBatch>>,
    /// What the next appends are answered.
    pub(crate) refusal: Mutex<Option<AppendError>>,
    /// Appends wait here for a permit.
    pub(crate) gate: Semaphore,
    /// Told when an append begins.
    pub(crate) begun: Notify,
}

impl Journal {
    pub(crate) fn len(&self) -> usize {
        self.batches.lock().len()
    }

    async fn append(&self, arrival: Arrival) -> Result<(), AppendError> {
        self.begun.notify_one();
        let _pass = self.gate.acquire().await.expect("never closed");
        if let Some(refusal) = self.refusal.lock().clone() {
            return Err(refusal);
        }
        match arrival {
            Arrival::Spans(batch) => self.batches.lock().push(batch),
            Arrival::Lines(batch) => self.lines.lock().push(batch),
        }
        Ok(())
    }
}

pub(crate) struct Receiver {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) journal: Arc<Journal>,
    /// Where samples go.
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

/// A journal, the way to it, and who may send.
fn surroundings() -> (Arc<Journal>, Append, Authenticate) {
    let journal = Arc::new(Journal {
        batches: Mutex::default(),
        lines: Mutex::default(),
        refusal: Mutex::default(),
        gate: Semaphore::new(1000),
        begun: Notify::new(),
    });
    let appended = journal.clone();
    let append: Append = Arc::new(move |batch| {
        let journal = appended.clone();
        Box::pin(async move { journal.append(batch).await })
    });
    let authenticate: Authenticate =
        Arc::new(|caller: &Caller<'_>| match caller.headers.get("authorization").map(|value| value.as_bytes()) {
            None => Ok(TenantId::default()),
            Some(b"Bearer team-a") => Ok(TenantId::new("team-a").expect("a name")),
            Some(_) => Err(Unauthenticated),
        });
    (journal, append, authenticate)
}

/// A store for samples of the last hour.
pub(crate) async fn samples() -> (SampleDoor, Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(StoreOptions::new(folder.path()), None, Clock::fixed(NOW_NS)).await.expect("a new store");
    let accept = AcceptWindow { past: Some(Duration::from_secs(3600)), future: Some(Duration::from_secs(60)) };
    (SampleDoor::new(&store, accept), store, folder)
}

fn rules(limits: SpanLimits) -> AdmissionRules {
    AdmissionRules {
        limits: limits.into(),
        accept_past: Some(Duration::from_secs(3600)),
        accept_future: Some(Duration::from_secs(60)),
        processing: Processing::NONE,
        line_ids: weir_proto::otlp::logs::IdNames::USUAL,
    }
}

/// A Zipkin receiver on a free port.
pub(crate) struct ZipkinReceiver {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Arc<Journal>,
}

impl ZipkinReceiver {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| (), true).await
    }

    /// With a config changed by `change`; spans of the last hour only, or of any time.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ZipkinConfig), recent_only: bool) -> Self {
        let mut config = ZipkinConfig { endpoint: "127.0.0.1:0".into(), ..ZipkinConfig::default() };
        change(&mut config);
        let (journal, append, authenticate) = surroundings();
        let mut rules = rules(config.span_limits);
        if !recent_only {
            (rules.accept_past, rules.accept_future) = (None, None);
        }
        let clock = Clock::fixed(NOW_NS);
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let listening = zipkin::start(&config, rules, clock, append, authenticate, &tracker, shutdown).await;
        Self { address: listening.expect("a free port").address, journal }
    }
}

/// A Loki receiver on a free port.
pub(crate) struct LokiReceiver {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Arc<Journal>,
}

impl LokiReceiver {
    pub(crate) async fn start() -> Self {
        let mut config = LokiConfig::default();
        config.protocols.http.endpoint = "127.0.0.1:0".into();
        let (journal, append, authenticate) = surroundings();
        let push = Push::new(&config, rules(config.line_limits), Clock::fixed(NOW_NS), append, authenticate);
        let listening = loki::start(&config, push, &TaskTracker::new(), CancellationToken::new()).await;
        Self { address: listening.expect("a free port").address, journal }
    }
}

/// A config on free ports, changed by `change`.
pub(crate) fn config(change: impl FnOnce(&mut OtlpConfig)) -> OtlpConfig {
    let mut config = OtlpConfig::default();
    config.protocols.grpc.as_mut().expect("on by default").endpoint = "127.0.0.1:0".into();
    config.protocols.http.as_mut().expect("on by default").endpoint = "127.0.0.1:0".into();
    change(&mut config);
    config
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut OtlpConfig)) -> Self {
        let config = config(change);
        let (journal, append, authenticate) = surroundings();
        let rules = rules(config.span_limits);
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let clock = Clock::fixed(NOW_NS);
        let (samples, store, folder) = samples().await;
        let listening = otlp::start(&config, rules, clock, append, samples, authenticate, &tracker, shutdown.clone())
            .await
            .expect("free ports");
        let at = |protocol| listening.iter().find(|port| port.protocol == protocol).expect("started").address;
        Self { grpc: at("OTLP/gRPC"), http: at("OTLP/HTTP"), journal, store, _folder: folder, tracker, shutdown }
    }

    pub(crate) fn refuse(&self, refusal: Option<AppendError>) {
        *self.journal.refusal.lock() = refusal;
    }
}

/// An answer: headers and trailers in one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The gRPC code.
    pub(crate) fn code(&self) -> &str {
        self.header("grpc-status")
    }

    /// RetryInfo's delay, from either protocol.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        use tonic_types::StatusExt;
        let status = match tonic::Status::from_header_map(&self.headers) {
            Some(status) => status,
            None => tonic::Status::with_details(tonic::Code::Unavailable, "", self.body.clone()),
        };
        status.get_details_retry_info().and_then(|info| info.retry_delay)
    }

    /// The answer to JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The google.rpc.Status of an OTLP/HTTP answer to protobuf.
    pub(crate) fn rpc_status(&self) -> tonic_types::Status {
        assert_eq!(self.header("content-type"), "application/x-protobuf");
        tonic_types::Status::decode(self.body.clone()).expect("a google.rpc.Status")
    }

    /// Rejected spans and the reason.
    pub(crate) fn partial(&self) -> (i64, String) {
        let message = if self.headers.contains_key("grpc-status") { self.body.slice(5..) } else { self.body.clone() };
        let response = ExportTraceServiceResponse::decode(message).expect("a response");
        response.partial_success.map_or((0, String::new()), |partial| (partial.rejected_spans, partial.error_message))
    }
}

async fn read<B>(response: http::Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (head, body) = response.into_parts();
    let collected = body.collect().await.expect("a whole body");
    let mut headers = head.headers;
    if let Some(trailers) = collected.trailers() {
        headers.extend(trailers.clone());
    }
    Answer { status: head.status, headers, body: collected.to_bytes() }
}

/// A gRPC connection.
#[derive(Clone)]
pub(crate) struct GrpcClient(http2::SendRequest<Full<Bytes>>);

impl GrpcClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("listening");
        let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(socket));
        let (sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        self.0.ready().await?;
        Ok(read(self.0.send_request(request).await?).await)
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::post(format!("http://weir{path}"));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::from(body)).expect("a request")).await.expect("an answer")
    }

    /// Exports an uncompressed message.
    pub(crate) async fn export(&mut self, message: &[u8]) -> Answer {
        self.send_raw(EXPORT, &[], framed(0, message)).await
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct HttpClient(http1::SendRequest<Full<Bytes>>);

impl HttpClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("listening");
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.expect("HTTP/1");
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "weir");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.ready().await.expect("an open connection");
        let request = request.body(Full::from(body)).expect("a request");
        read(self.0.send_request(request).await.expect("an answer")).await
    }

    /// Posts traces in JSON, with headers beside the content type.
    pub(crate) async fn export_json(&mut self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", "/v1/traces", &headers, body.into()).await
    }

    /// Posts Zipkin spans.
    pub(crate) async fn post_zipkin(&mut self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        self.send("POST", "/api/v2/spans", headers, body.into()).await
    }

    /// Posts traces, with headers beside the content type.
    pub(crate) async fn export(&mut self, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let headers = [&[("content-type", "application/x-protobuf")], headers].concat();
        self.send("POST", "/v1/traces", &headers, body).await
    }
}

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}
