//! Numbered spans: everything in a span follows from its number, so that an answer can be checked without having kept it.

use std::collections::BTreeSet;

use prost::Message;
use weir_proto::{
    TenantId, TraceId,
    otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, KeyValue, any_value::Value},
            resource::v1::Resource,
            trace::v1::{ResourceSpans, ScopeSpans, Span},
        },
        traces::{Checks, Limits, scan},
    },
};

use crate::{
    ask::{
        filter::ScanFilter,
        span::{Operation, SpanRecord},
        tag::TagFilter,
    },
    head::BatchSummaries,
    reject::{RejectReason, Rejection},
    store::TracesBatch,
    verdict::kept::POLICY_ATTRIBUTE,
};

/// When span 0 starts, Unix ns; each further one a millisecond later.
pub(super) const FIRST_START_NS: u64 = 1_760_000_000_000_000_000;
/// From one span's start to the next one's.
pub(super) const STEP_NS: u64 = 1_000_000;
/// Consecutive numbers share a trace: most traces are spread over several batches.
const SPANS_PER_TRACE: u64 = 5;
/// Spans that were never accepted have numbers from here.
const REJECTED_FROM: u64 = 1 << 40;

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("a valid name")
}

pub(super) fn trace_of(n: u64) -> TraceId {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&(n / SPANS_PER_TRACE).to_be_bytes());
    TraceId(id)
}

pub(super) fn start_ns(n: u64) -> u64 {
    FIRST_START_NS + n * STEP_NS
}

fn duration_ns(n: u64) -> u64 {
    (n % 10) * 1000
}

fn service(n: u64) -> String {
    format!("service-{}", n % 3)
}

pub(super) fn operation(n: u64) -> Operation {
    Operation { service: service(n), name: format!("operation {}", n % 7), kind: (n % 5) as i32 + 1 }
}

fn span(n: u64) -> Span {
    Span {
        trace_id: trace_of(n).0.to_vec(),
        span_id: (n + 1).to_be_bytes().to_vec(),
        name: operation(n).name,
        kind: operation(n).kind,
        start_time_unix_nano: start_ns(n),
        end_time_unix_nano: start_ns(n) + duration_ns(n),
        attributes: vec![
            attribute("n", Value::IntValue(n as i64)),
            attribute("digit", Value::StringValue(format!("digit {}", n % 10))),
            // Seldom, and of different types: such values are not columns of their own.
            attribute(&format!("seldom.{}", n % 211), Value::BoolValue(n.is_multiple_of(2))),
        ],
        ..Default::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// A request of these spans, each in a resource of its own; after every fourth one there is a span that is rejected.
fn request(numbers: &[u64]) -> (ExportTraceServiceRequest, Vec<Rejection>) {
    let mut resource_spans = Vec::new();
    let mut rejected = Vec::new();
    for (at, &n) in numbers.iter().enumerate() {
        let mut spans = vec![span(n)];
        if at % 4 == 3 {
            spans.push(Span { name: "rejected".into(), ..span(REJECTED_FROM + n) });
            rejected.push(Rejection { ordinal: (at + rejected.len() + 1) as u32, reason: RejectReason::TooOld });
        }
        let attributes = vec![attribute("service.name", Value::StringValue(service(n)))];
        resource_spans.push(ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { spans, ..Default::default() }],
            ..Default::default()
        });
    }
    (ExportTraceServiceRequest { resource_spans }, rejected)
}

/// What admission makes of a request with these spans.
pub(super) fn batch(tenant: &TenantId, numbers: &[u64], received_at_ns: u64) -> TracesBatch {
    let (request, rejected) = request(numbers);
    let batch = batch_of(tenant, &request, rejected, received_at_ns);
    assert_eq!(batch.summaries.len(), numbers.len());
    batch
}

/// What admission makes of a request of one span that starts at some time.
pub(super) fn timed(tenant: &TenantId, n: u64, start_time_unix_nano: u64, received_at_ns: u64) -> TracesBatch {
    let (mut request, rejected) = request(&[n]);
    request.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = start_time_unix_nano;
    batch_of(tenant, &request, rejected, received_at_ns)
}

/// What admission makes of a request of which these spans are rejected.
pub(super) fn batch_of(
    tenant: &TenantId,
    request: &ExportTraceServiceRequest,
    rejected: Vec<Rejection>,
    received_at_ns: u64,
) -> TracesBatch {
    let payload = request.encode_to_vec();
    let mut summaries = BatchSummaries::with_capacity(100);
    let mut items = 0;
    let limits = Limits { span_bytes_max: 1 << 20, attributes_max: 100, depth_max: 64 };
    scan(&payload, Checks::Admission(limits), |scanned| {
        items += 1;
        if !rejected.iter().any(|rejection| rejection.ordinal == scanned.ordinal) {
            summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
        }
    })
    .expect("canonical");
    TracesBatch {
        tenant: tenant.clone(),
        payload: payload.into(),
        received_at_ns,
        items,
        rejected,
        summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    }
}

/// The number of a span that was read back; panics when it is not what was sent.
pub(super) fn number_of(record: &SpanRecord) -> u64 {
    let id: [u8; 8] = record.span.span_id[..].try_into().expect("eight bytes");
    let n = u64::from_be_bytes(id) - 1;
    let mut read = record.span.clone();
    let mut sent = span(n);
    // What a verdict adds.
    read.attributes.retain(|attribute| attribute.key != POLICY_ATTRIBUTE);
    if read.trace_state.starts_with("ot=th:") {
        read.trace_state.clear();
    }
    read.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    sent.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    read.status = None;
    assert_eq!(read, sent, "not the span that was sent");
    assert_eq!(record.resource.attributes, [attribute("service.name", Value::StringValue(service(n)))]);
    n
}

/// Whether a filter should find a span.
type Fits = fn(u64) -> bool;

/// Filters of every kind, each with what it should find.
pub(super) fn filters() -> Vec<(ScanFilter, Fits)> {
    let any = ScanFilter::default;
    let attribute = |key: &str, text: &str| ScanFilter { tags: vec![TagFilter::attribute(key, text)], ..any() };
    vec![
        (any(), |_| true),
        (ScanFilter { services: Some(vec![service(1)]), ..any() }, |n| n % 3 == 1),
        (ScanFilter { names: Some(vec!["operation 2".into()]), kinds: Some(vec![3]), ..any() }, |n| {
            n % 7 == 2 && n % 5 == 2
        }),
        (ScanFilter { duration_ns: 8000..=u64::MAX, ..any() }, |n| n % 10 >= 8),
        (attribute("digit", "digit 4"), |n| n % 10 == 4),
        (attribute("service.name", &service(2)), |n| n % 3 == 2),
        (attribute("seldom.3", "true"), |n| n % 211 == 3 && n % 2 == 0),
        (attribute("n", "17"), |n| n == 17),
        (ScanFilter { start_ns: start_ns(10)..=start_ns(90), ..any() }, |n| (10..=90).contains(&n)),
        (ScanFilter { names: Some(vec!["rejected".into()]), ..any() }, |_| false),
    ]
}

/// The traces of some spans.
pub(super) fn traces_of(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<TraceId> {
    numbers.into_iter().map(trace_of).collect()
}
