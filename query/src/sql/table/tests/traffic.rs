//! Numbered spans in a store, in the head or sealed: everything in a span follows from its number.

use std::time::Duration;

use prost::Message;
use weir_proto::{
    TenantId,
    otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, KeyValue, any_value::Value},
            resource::v1::Resource,
            trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
        },
        traces::{Checks, Limits, scan},
    },
    time::Clock,
};
use weir_store::{ScanFilter, ScanRequest, Store, StoreOptions, TracesBatch, head::BatchSummaries};

/// When span 0 starts; each further one a second later.
pub(crate) const T0: u64 = 1_760_000_000_000_000_000;
/// Spans in all.
pub(super) const SPANS: u64 = 600;

/// A store with the spans, all of them visible.
pub(super) struct Filled {
    pub(super) store: Store,
    pub(super) folder: tempfile::TempDir,
}

/// Of the numbered spans those below `sealed` in segments, the others in the head.
pub(super) async fn filled(sealed: u64) -> Filled {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(options(&folder), None, Clock::fixed(T0)).await.expect("opens");
    for from in (0..SPANS).step_by(50) {
        store.append_traces(batch(from..from + 50)).await.expect("appended");
        // Three segments.
        if (from + 50) <= sealed && (from + 50) % 200 == 0 {
            store.roll().await;
            until_sealed(&store).await;
        }
    }
    Filled { store, folder }
}

/// Seals what is closed, and closes a file only when told to.
pub(crate) fn options(folder: &tempfile::TempDir) -> StoreOptions {
    StoreOptions {
        free_bytes_min: 0,
        commit_delay_max: Duration::ZERO,
        journal_file_age_max: Duration::from_secs(3600),
        seal_bytes_max: 1,
        seal_age_max: Duration::ZERO,
        retention_traces: None,
        ..StoreOptions::new(folder.path())
    }
}

pub(crate) async fn until_sealed(store: &Store) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    loop {
        let request = ScanRequest { columns: vec![], filter: ScanFilter::default() };
        if store.snapshot().scan(&TenantId::default(), request).pruned().head_frames == 0 {
            return;
        }
        ticks.tick().await;
    }
}

pub(super) fn service(n: u64) -> String {
    format!("service-{}", n % 4)
}

/// Not the same order as the numbers'.
pub(super) fn duration_ns(n: u64) -> u64 {
    1 + n * 7919 % 1009 * 1_000_000
}

pub(super) fn start_ns(n: u64) -> u64 {
    T0 + n * 1_000_000_000
}

fn value(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(key: &str, text: String) -> KeyValue {
    value(key, Value::StringValue(text))
}

/// A status code on every second span.
pub(super) fn http_status(n: u64) -> Option<u64> {
    n.is_multiple_of(2).then_some(200 + n % 3 * 150)
}

fn span(n: u64) -> Span {
    let mut attributes =
        vec![text("http.route", format!("/route/{}", n % 10)), text("user", format!("u{}", n * 31 % 97))];
    if let Some(status) = http_status(n) {
        attributes.push(value("http.response.status_code", Value::IntValue(status as i64)));
    }
    // Rare: no column of its own. Mixed: on most rows not of the column's type.
    if n.is_multiple_of(150) {
        attributes.push(text("rare", format!("r{}", n / 150)));
    }
    attributes.push(match n % 3 {
        0 => text("mixed", format!("{}", n % 5)),
        _ => value("mixed", Value::IntValue((n % 7) as i64)),
    });
    if n % 5 == 1 {
        attributes.push(value("cached", Value::BoolValue(n % 2 == 1)));
        attributes.push(value("ratio", Value::DoubleValue(if n == 1 { f64::NAN } else { n as f64 / 8.0 })));
    }
    Span {
        trace_id: (u128::from(n / 5) + 1).to_be_bytes().to_vec(),
        span_id: (n + 1).to_be_bytes().to_vec(),
        parent_span_id: if n.is_multiple_of(5) { vec![] } else { n.to_be_bytes().to_vec() },
        name: format!("operation {}", n % 7),
        kind: (n % 6) as i32,
        start_time_unix_nano: start_ns(n),
        end_time_unix_nano: start_ns(n) + duration_ns(n),
        attributes,
        status: n.is_multiple_of(11).then(|| Status { code: 2, message: "failed".into() }),
        ..Default::default()
    }
}

pub(super) fn batch(numbers: std::ops::Range<u64>) -> TracesBatch {
    let resource_spans = numbers.map(|n| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", service(n)), text("zone", format!("zone-{}", n % 4 / 2))],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans { spans: vec![span(n)], ..Default::default() }],
        ..Default::default()
    });
    batch_of(resource_spans.collect())
}

/// A batch of any spans.
pub(crate) fn batch_of(resource_spans: Vec<ResourceSpans>) -> TracesBatch {
    let payload = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let mut summaries = BatchSummaries::default();
    let limits = Limits { span_bytes_max: 1 << 20, attributes_max: 100, depth_max: 64 };
    scan(&payload, Checks::Admission(limits), |scanned| {
        summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
    })
    .expect("canonical");
    let items = summaries.len() as u32;
    let tenant = TenantId::default();
    TracesBatch {
        tenant,
        payload: payload.into(),
        received_at_ns: T0,
        items,
        rejected: vec![],
        summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    }
}
