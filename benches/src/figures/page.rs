//! What the web UI's pages ask: search, rates, heatmap and differences over 10 million spans, windows of a trace of a million.

use anyhow::ensure;
use http::StatusCode;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use tokio::time::Instant;

use super::{
    Row, Settings,
    queries::{found, ms},
    stage::Stage,
};
use crate::{
    client::{Client, Encoding, Outcome, Protocol},
    load::Plan,
    rng::Rng,
    shop::HEAD_LEN,
};

const STORAGE: &str = "  accept: any\n  retention: {traces: forever}\n  seal: {age_max: 5s}\n";
/// All of the range that traffic was sent in, and more.
const RANGE: &str = "from=-6h";
/// Spans of the large trace, and of a request of it.
const LARGE: u64 = 1_000_000;
const REQUEST: u64 = 10_000;
const SERVICES: u64 = 20;
const LARGE_ID: [u8; 16] = *b"one large trace.";

/// What is asked: what for, path, must, goal.
const ASKED: [(&str, &str, &str, &str); 9] = [
    ("search, first page: all", "search?limit=50", "1 s", "0.3 s"),
    (
        "search, first page: failed spans of a service",
        "search?limit=50&q=service%3Dcheckout%20status%3Derror",
        "1 s",
        "0.3 s",
    ),
    ("search, first page: no such value", "search?limit=50&q=app.lane%3Dnowhere", "1 s", "0.3 s"),
    ("red of all services in 60 steps", "red?by=service&steps=60", "1.5 s", "0.5 s"),
    ("red by an attribute", "red?by=app.lane&steps=60&q=service%3Dcheckout", "1.5 s", "0.5 s"),
    ("heatmap of all", "heatmap?steps=120&rows=40", "1.5 s", "0.5 s"),
    ("heatmap of a service", "heatmap?steps=120&rows=40&q=service%3Dcheckout", "1.5 s", "0.5 s"),
    ("differences: slow entry spans", "differences?spans=entry&a.q=duration%3E50ms", "3 s", "1 s"),
    ("differences: slow spans of a service", "differences?service=checkout&a.q=duration%3E50ms", "3 s", "1 s"),
];

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::with_lanes(settings, STORAGE).await?;
    let spans = settings.spans.max(100_000) / 6 * 10;
    stage.load(Plan { spans: Some(spans), ..Plan::new(stage.server.grpc) }).await?;
    stage.sealed().await?;
    stage.merged().await?;
    let mut rows = Vec::new();
    for (what, path, must, goal) in ASKED {
        let took = found(&stage, &format!("/api/v1/{path}&{RANGE}")).await?;
        rows.push(Row::new(format!("{what}, {:.0}M spans", spans as f64 / 1e6), ms(took), must, goal));
    }
    rows.extend(large(&stage).await?);
    Ok(rows)
}

/// A window of a large trace: the first one that is asked for, and one in its middle.
async fn large(stage: &Stage) -> anyhow::Result<Vec<Row>> {
    let client = Client::connect(Protocol::Grpc, stage.server.grpc, 1).await?;
    let mut rng = Rng::new(1);
    let begin_ns = weir_proto::time::Clock::system().now_ns() - 60_000_000_000;
    for first in (0..LARGE).step_by(REQUEST as usize) {
        let mut message = vec![0; HEAD_LEN];
        part(&mut rng, begin_ns, first).encode(&mut message)?;
        let bytes = (message.len() - HEAD_LEN) as u32;
        message[1..HEAD_LEN].copy_from_slice(&bytes.to_be_bytes());
        let outcome = client.export(message.into(), Encoding::None).await;
        ensure!(outcome == Outcome::Acked { rejected: 0 }, "{outcome:?}");
    }
    let id = weir_proto::TraceId(LARGE_ID);
    let started = Instant::now();
    let (status, answer) = stage.query.json(&format!("/api/v1/trace/{id}/columns")).await?;
    let first = started.elapsed();
    ensure!(status == StatusCode::OK && answer["spans"] == LARGE, "{status}: {} spans", answer["spans"]);
    let middle = found(stage, &format!("/api/v1/trace/{id}/columns?row={}&rows=10000", LARGE / 2)).await?;
    Ok(vec![
        Row::new("trace of 10⁶ spans: its first 100,000 rows", ms(first), "2.5 s", "1.5 s"),
        Row::new("10,000 rows in its middle", ms(middle), "0.5 s", "0.2 s"),
    ])
}

/// Spans from `first` on; most have up to eight children, some are deep down.
fn part(rng: &mut Rng, begin_ns: u64, first: u64) -> ExportTraceServiceRequest {
    let text = |text: String| Some(AnyValue { value: Some(Value::StringValue(text)) });
    let mut resource_spans: Vec<ResourceSpans> = Vec::new();
    for service in 0..SERVICES {
        let attribute =
            KeyValue { key: "service.name".into(), value: text(format!("service-{service}")), ..KeyValue::default() };
        let mut spans = Vec::new();
        for number in (first..first + REQUEST).filter(|number| number * 7 % SERVICES == service) {
            let above = match rng.below(5) {
                0 => number.saturating_sub(1 + rng.below(50)),
                _ => number.saturating_sub(1) / 8,
            };
            let start_ns = begin_ns + number * 10_000;
            spans.push(Span {
                trace_id: LARGE_ID.to_vec(),
                span_id: (number + 1).to_be_bytes().to_vec(),
                parent_span_id: if number == 0 { Vec::new() } else { (above + 1).to_be_bytes().to_vec() },
                name: format!("operation {}", number % 37),
                kind: (1 + number % 5) as i32,
                start_time_unix_nano: start_ns,
                end_time_unix_nano: start_ns + 1000 + rng.below(5_000_000),
                ..Span::default()
            });
        }
        resource_spans.push(ResourceSpans {
            resource: Some(Resource { attributes: vec![attribute], ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        });
    }
    ExportTraceServiceRequest { resource_spans }
}
