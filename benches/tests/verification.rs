//! The load generator against a server made for it, which keeps spans in memory and can be told to lie.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse},
    trace::v1::{ResourceSpans, ScopeSpans},
};
use parking_lot::Mutex;
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;
use weir_benches::{
    client::{Encoding, Protocol},
    load::{Load, LoadReport, Plan, Record},
    query::Query,
    shop::Traffic,
    verify::{Verification, verify},
};

/// How the server misbehaves, at its third request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Nothing,
    LosesABatch,
    LosesASpan,
    KeepsTwice,
    Changes,
    AddsASpan,
    Refuses,
    RefusesButKeeps,
    BreaksOff,
    RejectsASpan,
    MiscountsTheLedger,
}

struct Fake {
    lie: Lie,
    requests: Mutex<(u64, Vec<ResourceSpans>)>,
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

impl Fake {
    async fn start(lie: Lie) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let fake = Arc::new(Self { lie, requests: Mutex::default() });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = Arc::clone(&fake);
                tokio::spawn(async move {
                    let serve = service_fn(|request| Arc::clone(&fake).answer(request));
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        address
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
        let path = request.uri().path().to_string();
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().expect("ascii").to_string());
        let encoding = header("grpc-encoding").or_else(|| header("content-encoding"));
        let grpc = path.contains("TraceService/Export");
        let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        if let Some(id) = path.strip_prefix("/api/v1/trace/") {
            return Ok(self.trace(id));
        }
        if path == "/api/v1/ledger" {
            return Ok(self.ledger());
        }
        let body = if grpc { body.slice(5..) } else { body };
        let message = match encoding.as_deref() {
            None => body.to_vec(),
            Some("gzip") => {
                let len = u32::from_le_bytes(body[body.len() - 4..].try_into().expect("gzip's last field"));
                let mut plain = vec![0; len as usize];
                libdeflater::Decompressor::new().gzip_decompress(&body, &mut plain).expect("gzip");
                plain
            }
            Some(_) => zstd::decode_all(&body[..])?,
        };
        let request = ExportTraceServiceRequest::decode(&message[..]).expect("OTLP");
        self.export(request, grpc)
    }

    fn export(&self, request: ExportTraceServiceRequest, grpc: bool) -> Result<Answer, std::io::Error> {
        let mut kept = self.requests.lock();
        kept.0 += 1;
        let mut spans = request.resource_spans;
        let mut response = ExportTraceServiceResponse::default();
        let lie = if kept.0 == 3 { self.lie } else { Lie::Nothing };
        let mut refused = false;
        match lie {
            Lie::Nothing | Lie::MiscountsTheLedger => {}
            Lie::LosesABatch => spans.clear(),
            Lie::LosesASpan => drop(spans[0].scope_spans[0].spans.pop()),
            Lie::KeepsTwice => {
                let again = spans[0].scope_spans[0].spans[0].clone();
                spans[0].scope_spans[0].spans.push(again);
            }
            Lie::Changes => spans[0].scope_spans[0].spans[0].attributes[1].value = None,
            Lie::AddsASpan => {
                let mut another = spans[0].scope_spans[0].spans[0].clone();
                another.span_id = vec![7; 8];
                spans[0].scope_spans[0].spans.push(another);
            }
            Lie::Refuses => {
                spans.clear();
                refused = true;
            }
            Lie::RefusesButKeeps => refused = true,
            Lie::BreaksOff => return Err(std::io::ErrorKind::BrokenPipe.into()),
            Lie::RejectsASpan => {
                spans[0].scope_spans[0].spans.pop();
                let error_message = "too old".into();
                response.partial_success = Some(ExportTracePartialSuccess { rejected_spans: 1, error_message });
            }
        }
        kept.1.extend(spans);
        let message = response.encode_to_vec();
        if !grpc {
            let status = if refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
            return Ok(plain(status, message));
        }
        let mut framed = vec![0];
        framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
        framed.extend_from_slice(&message);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(if refused { "14" } else { "0" }));
        let body = Full::new(Bytes::from(framed)).with_trailers(async move { Some(Ok(trailers)) });
        Ok(Response::new(body.boxed()))
    }

    fn trace(&self, id: &str) -> Answer {
        let mut found = Vec::new();
        for of in &self.requests.lock().1 {
            for scope in &of.scope_spans {
                let hex = |span: &[u8]| span.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let spans: Vec<_> = scope.spans.iter().filter(|span| hex(&span.trace_id) == id).cloned().collect();
                if !spans.is_empty() {
                    let scope_spans = vec![ScopeSpans { spans, ..scope.clone() }];
                    found.push(ResourceSpans { scope_spans, ..of.clone() });
                }
            }
        }
        let status = if found.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
        plain(status, json!({ "resourceSpans": found }).to_string())
    }

    fn ledger(&self) -> Answer {
        let kept = self.requests.lock();
        let spans = kept.1.iter().flat_map(|of| &of.scope_spans).map(|of| of.spans.len() as u64).sum::<u64>();
        let accepted = spans + u64::from(self.lie == Lie::MiscountsTheLedger);
        let tally = json!({ "accepted": accepted, "kept": spans, "pending": 0, "dropped": {}, "damaged": 0 });
        plain(StatusCode::OK, json!({ "traces": { "default": tally } }).to_string())
    }
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed());
    *answer.status_mut() = status;
    answer
}

/// Six batches of 40 spans, one after the other, and what verification says of them.
async fn tell(lie: Lie, protocol: Protocol, encoding: Encoding) -> (LoadReport, Verification) {
    let address = Fake::start(lie).await;
    let traffic = Arc::new(Traffic::new(5, 40, 2));
    let record = Arc::new(Record::new(0));
    let plan = Plan { protocol, encoding, concurrency: 1, spans: Some(240), ..Plan::new(address) };
    let report = Load::run(plan, Arc::clone(&traffic), Arc::clone(&record), 0).await.expect("it sends");
    assert_eq!((report.sent, report.requests), (240, 6));
    let query = Arc::new(Query::new(address));
    let found = verify(&query, &traffic, &record, None, 0).await.expect("it answers");
    (report, found)
}

#[tokio::test]
async fn an_honest_server_is_believed() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for encoding in [Encoding::None, Encoding::Gzip, Encoding::Zstd] {
            let (report, found) = tell(Lie::Nothing, protocol, encoding).await;
            assert!(report.all_acked() && found.good(), "{protocol:?} {encoding:?}: {report} {found}");
            assert_eq!((found.spans, found.ledger.accepted, report.latency.count), (240, 240, 6));
        }
    }
}

#[tokio::test]
async fn every_lie_is_noticed() {
    type Count = fn(&Verification) -> u64;
    let lies: [(Lie, Count, u64); 5] = [
        (Lie::LosesABatch, |found| found.missing, 40),
        (Lie::LosesASpan, |found| found.missing, 1),
        (Lie::KeepsTwice, |found| found.duplicated, 1),
        (Lie::Changes, |found| found.different, 1),
        (Lie::AddsASpan, |found| found.foreign, 1),
    ];
    for (lie, count, expected) in lies {
        let (report, found) = tell(lie, Protocol::Grpc, Encoding::None).await;
        assert!(report.all_acked() && !found.good(), "{lie:?}: {found}");
        assert_eq!(count(&found), expected, "{lie:?}: {found}");
    }
    let (_, found) = tell(Lie::MiscountsTheLedger, Protocol::Grpc, Encoding::None).await;
    assert!(!found.good() && found.missing == 0 && !found.ledger_faults.is_empty(), "{found}");
}

#[tokio::test]
async fn without_an_ack_nothing_is_promised() {
    for (lie, status, there) in
        [(Lie::Refuses, "UNAVAILABLE", 0), (Lie::RefusesButKeeps, "UNAVAILABLE", 40), (Lie::BreaksOff, "lost", 0)]
    {
        let (report, found) = tell(lie, Protocol::Grpc, Encoding::None).await;
        assert_eq!((report.acked, report.failed.values().sum::<u64>()), (200, 40), "{report}");
        assert!(report.failed.keys().all(|found| found.starts_with(status)), "{report}");
        assert!(found.good(), "{lie:?}: {found}");
        assert_eq!((found.unacked_there, found.spans), (there, 200), "{found}");
    }
    let (report, _) = tell(Lie::Refuses, Protocol::Http, Encoding::None).await;
    assert_eq!(report.failed.get("503"), Some(&40), "{report}");
    let (report, _) = tell(Lie::RejectsASpan, Protocol::Grpc, Encoding::None).await;
    assert_eq!((report.acked, report.rejected), (239, 1), "{report}");
}

#[tokio::test]
async fn a_schedule_is_kept() {
    let address = Fake::start(Lie::Nothing).await;
    let traffic = Arc::new(Traffic::new(5, 10, 2));
    let duration = Some(Duration::from_millis(400));
    let plan = Plan { rate: Some(1_000.0), duration, ..Plan::new(address) };
    let report = Load::run(plan, traffic, Arc::new(Record::new(0)), 0).await.expect("it sends");
    // 100 requests a second: the first at once, none after the end.
    assert!((30..=41).contains(&report.requests), "{report}");
    assert!(report.all_acked(), "{report}");
}
