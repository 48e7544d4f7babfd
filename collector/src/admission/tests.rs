//! One span at a time: what is kept, what is rejected and why, what refuses the whole request.

use std::sync::Arc;

use prost::Message;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

use super::*;
use crate::processors::{Processing, Stages, tail_sampling::TailSampling};

const NOW_NS: u64 = 1_800_000_000_000_000_000;
const HOUR_NS: u64 = 3_600_000_000_000;
const RULES: AdmissionRules = AdmissionRules {
    limits: Limits { depth_max: 4, attributes_max: 3, span_bytes_max: 1000 },
    accept_past: Some(Duration::from_secs(3600)),
    accept_future: Some(Duration::from_secs(60)),
    processing: Processing::NONE,
    line_ids: weir_proto::otlp::logs::IdNames::USUAL,
};

fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".into(),
        start_time_unix_nano: NOW_NS - 1000,
        end_time_unix_nano: NOW_NS,
        ..Span::default()
    }
}

fn timed(start_time_unix_nano: u64, end_time_unix_nano: u64) -> Span {
    Span { start_time_unix_nano, end_time_unix_nano, ..span() }
}

fn request(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource = Some(Resource::default());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn admitted(payload: Vec<u8>, rules: &AdmissionRules) -> Result<Admitted<BatchSummaries>, AdmissionError> {
    admit(TenantId::default(), payload.into(), NOW_NS, rules)
}

fn attribute(value: Value) -> KeyValue {
    KeyValue { key: "key".into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn nested(depth: usize) -> Value {
    let mut value = Value::BoolValue(true);
    for _ in 1..depth {
        value = Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(value) }] });
    }
    value
}

#[test]
fn each_fault_rejects_its_span_alone() {
    let text = |len| attribute(Value::StringValue("x".repeat(len)));
    let rows: Vec<(&str, Span, Option<RejectReason>)> = vec![
        ("plain", span(), None),
        ("no trace id", Span { trace_id: vec![], ..span() }, Some(RejectReason::InvalidTraceId)),
        ("long trace id", Span { trace_id: vec![1; 17], ..span() }, Some(RejectReason::InvalidTraceId)),
        ("zero trace id", Span { trace_id: vec![0; 16], ..span() }, Some(RejectReason::InvalidTraceId)),
        ("short span id", Span { span_id: vec![1; 7], ..span() }, Some(RejectReason::InvalidSpanId)),
        ("zero span id", Span { span_id: vec![0; 8], ..span() }, Some(RejectReason::InvalidSpanId)),
        ("odd parent", Span { parent_span_id: vec![1; 3], ..span() }, None),
        ("zero parent", Span { parent_span_id: vec![0; 8], ..span() }, None),
        ("ends before it starts", Span { end_time_unix_nano: 1, ..span() }, None),
        ("oldest", Span { start_time_unix_nano: NOW_NS - HOUR_NS, ..span() }, None),
        ("older", timed(NOW_NS - HOUR_NS - 1, NOW_NS - HOUR_NS - 1), Some(RejectReason::TooOld)),
        ("older, without an end", timed(NOW_NS - HOUR_NS - 1, 0), Some(RejectReason::TooOld)),
        ("a job of ten days", timed(NOW_NS - 240 * HOUR_NS, NOW_NS), None),
        ("a job that ended at the window's edge", timed(NOW_NS - 240 * HOUR_NS, NOW_NS - HOUR_NS), None),
        (
            "a job that ended before the window",
            timed(NOW_NS - 9 * HOUR_NS, NOW_NS - HOUR_NS - 1),
            Some(RejectReason::TooOld),
        ),
        ("a job that will end", timed(NOW_NS - 9 * HOUR_NS, NOW_NS + HOUR_NS), Some(RejectReason::TooOld)),
        ("a job of decades", timed(1, NOW_NS), Some(RejectReason::TooOld)),
        ("no time", Span { start_time_unix_nano: 0, ..span() }, Some(RejectReason::TooOld)),
        ("newest", Span { start_time_unix_nano: NOW_NS + HOUR_NS / 60, ..span() }, None),
        ("newer", Span { start_time_unix_nano: NOW_NS + HOUR_NS / 60 + 1, ..span() }, Some(RejectReason::TooNew)),
        ("three attributes", Span { attributes: vec![text(1); 3], ..span() }, None),
        ("four attributes, of which one is left out", Span { attributes: vec![text(1); 4], ..span() }, None),
        ("large", Span { attributes: vec![text(990)], ..span() }, Some(RejectReason::TooLarge)),
        ("as deep as allowed", Span { attributes: vec![attribute(nested(4))], ..span() }, None),
        ("too deep", Span { attributes: vec![attribute(nested(6))], ..span() }, Some(RejectReason::TooDeep)),
    ];
    for (what, judged, reason) in &rows {
        let Admitted { batch, partial } =
            admitted(request(vec![span(), judged.clone(), span()]), &RULES).expect("well formed");
        let expected: Vec<_> = reason.iter().map(|&reason| Rejection { ordinal: 1, reason }).collect();
        assert_eq!(batch.rejected, expected, "{what}");
        assert_eq!((batch.items, partial.map_or(0, |partial| partial.rejected)), (3, expected.len() as u32), "{what}");
    }
    let spans = rows.into_iter().map(|(_, span, _)| span).collect();
    let partial = admitted(request(spans), &RULES).expect("well formed").partial.expect("some were rejected");
    assert_eq!(partial.rejected, 14);
    let sentence = "rejected spans: too_deep 1, too_large 1, invalid_trace_id 3, invalid_span_id 2, too_old 6 \
         (older than storage.accept.past, 1h), too_new 1 (further ahead than storage.accept.future, 1m)";
    assert_eq!(partial.message, sentence);
}

#[test]
fn text_that_is_not_utf8_rejects_its_span() {
    let mut payload = request(vec![span(), span()]);
    let at = memchr::memmem::rfind(&payload, b"GET /").expect("the second span's name");
    payload[at] = 0xff;
    let batch = admitted(payload, &RULES).expect("well formed").batch;
    assert_eq!(batch.rejected, [Rejection { ordinal: 1, reason: RejectReason::InvalidUtf8 }]);
}

#[test]
fn any_time_is_accepted_where_none_is_forbidden() {
    let rules = AdmissionRules { accept_past: None, accept_future: None, ..RULES };
    let spans = [0, 1, u64::MAX].map(|start_time_unix_nano| Span { start_time_unix_nano, ..span() });
    assert_eq!(admitted(request(spans.to_vec()), &rules).expect("well formed").batch.rejected, []);
    let rules = AdmissionRules { accept_past: Some(Duration::MAX), accept_future: Some(Duration::MAX), ..RULES };
    assert_eq!(admitted(request(vec![span()]), &rules).expect("well formed").batch.rejected, []);
}

#[test]
fn the_journal_gets_what_came_unless_fields_are_given_twice() {
    let payload = request(vec![span()]);
    let batch = admitted(payload.clone(), &RULES).expect("well formed").batch;
    assert_eq!(*batch.payload, payload);

    // ResourceSpans with two resources (field 1) and one with its resource after its scope_spans (field 2).
    let resource = Resource { attributes: vec![attribute(Value::BoolValue(true))], ..Resource::default() };
    let scope_spans = ScopeSpans { spans: vec![span()], ..ScopeSpans::default() };
    let behind = ResourceSpans { scope_spans: vec![scope_spans.clone()], ..ResourceSpans::default() };
    let ahead = ResourceSpans { resource: Some(resource.clone()), ..ResourceSpans::default() };
    let of_parts = |parts: &[&ResourceSpans]| {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.encode_to_vec()).collect();
        assert!(bytes.len() < 128, "one byte of length");
        [vec![0x0a, bytes.len() as u8], bytes].concat()
    };
    let turned = of_parts(&[&behind, &ahead]);
    assert_eq!(*admitted(turned.clone(), &RULES).expect("well formed").batch.payload, turned);

    let empty = ResourceSpans { resource: Some(Resource::default()), ..ResourceSpans::default() };
    let payload = of_parts(&[&empty, &behind, &ahead]);
    let batch = admitted(payload.clone(), &RULES).expect("well formed").batch;
    let usual = ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    let expected = ExportTraceServiceRequest { resource_spans: vec![usual] }.encode_to_vec();
    assert_eq!((batch.items, batch.payload.into_bytes()), (1, expected.into()));

    let too_large = payload.repeat(REWRITTEN_BYTES_MAX / payload.len() + 1);
    assert_eq!(admitted(too_large, &RULES).expect_err("rewriting takes memory"), AdmissionError::NotMerged);
}

/// A field of bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

#[test]
fn what_the_collector_writes_from_the_last_field_to_the_first_is_taken_item_by_item_however_large() {
    let attribute = [field(2, &field(1, b"value")), field(1, b"key")].concat();
    let of_name = |name: &[u8]| {
        let times = [vec![0x41], NOW_NS.to_le_bytes().to_vec(), vec![0x39], NOW_NS.to_le_bytes().to_vec()].concat();
        let ids = [field(2, &[2; 8]), field(1, &[1; 16])].concat();
        field(2, &[field(9, &attribute), times, field(5, name), ids].concat())
    };
    let spans = [of_name(b"\xff"), of_name(&[b'n'; 100]).repeat(8000)].concat();
    assert!(spans.len() > REWRITTEN_BYTES_MAX);
    let scope_spans = field(2, &[spans, field(1, &[field(2, b"1"), field(1, b"scope")].concat())].concat());
    let payload = field(1, &[scope_spans, field(1, &field(1, &attribute))].concat());
    let admitted = admitted(payload.clone(), &RULES).expect("well formed");
    assert_eq!(admitted.batch.rejected, [Rejection { ordinal: 0, reason: RejectReason::InvalidUtf8 }]);
    assert_eq!((admitted.batch.items, &admitted.batch.payload[..]), (8001, &payload[..]));
}

#[test]
fn what_is_no_request_is_refused_whole() {
    let payload = request(vec![span(), span()]);
    let cut = admitted(payload[..payload.len() - 1].to_vec(), &RULES).expect_err("cut off");
    assert!(matches!(cut, AdmissionError::Malformed { .. }));
    assert!(admitted(b"GET / HTTP/1.1\r\n".to_vec(), &RULES).is_err());
    let empty = admitted(Vec::new(), &RULES).expect("an empty request is one");
    assert_eq!((empty.batch.items, empty.partial), (0, None));
}

#[test]
fn a_flood_of_empty_spans_is_refused_whole() {
    let flood = |count: usize| admitted(request(vec![Span::default(); count]), &RULES);
    assert_eq!(flood(REJECTED_MAX).expect("as many as allowed").batch.rejected.len(), REJECTED_MAX);
    assert_eq!(
        flood(REJECTED_MAX + 1).expect_err("one more"),
        AdmissionError::TooManyRejected { signal: Signal::Traces }
    );
}

fn sampling() -> Arc<TailSampling> {
    let config = serde_json::json!({ "policies": [
        { "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } },
    ]});
    let config = serde_json::from_value(config).expect("valid");
    Arc::new(TailSampling::new(&[("tail_sampling".into(), config)], None).expect("valid"))
}

#[test]
fn accepted_spans_are_marked_for_tail_sampling() {
    let sampling = sampling();
    let stages = Stages { head: None, tail: Some(sampling.clone()) };
    let rules = AdmissionRules { processing: Processing::new(stages), ..RULES };
    let payload = || request(vec![span(), Span { span_id: vec![0; 8], ..span() }, span()]);
    let batch = admitted(payload(), &rules).expect("well formed").batch;
    assert_eq!((batch.generation, batch.summaries.len(), batch.rejected.len()), (1, 2, 1));
    sampling.retire();
    assert_eq!(admitted(payload(), &rules).expect("well formed").batch.generation, 0);
    // Replaced while the receiver goes on.
    rules.processing.set(Stages { head: None, tail: Some(self::sampling()) });
    assert_eq!(admitted(payload(), &rules).expect("well formed").batch.generation, 1);
}

#[test]
fn head_sampling_thins_before_the_journal() {
    let config = serde_json::json!({ "sampling_percentage": 50 });
    let head = Arc::new(HeadSampler::new(&serde_json::from_value(config).expect("valid")));
    let rules = AdmissionRules { processing: Processing::new(Stages { head: Some(head), tail: None }), ..RULES };
    let with = |random: u8| Span { trace_id: [vec![1; 9], vec![random; 7]].concat(), ..span() };
    let spans = vec![with(0x10), with(0x90), Span { span_id: vec![0; 8], ..with(0x10) }, with(0xf0)];
    let admitted_batch = admitted(request(spans), &rules).expect("well formed");
    let batch = admitted_batch.batch;
    assert_eq!((batch.items, batch.head_dropped, batch.summaries.len()), (3, 1, 2));
    assert_eq!(batch.rejected, [Rejection { ordinal: 1, reason: RejectReason::InvalidSpanId }]);
    let kept = |mut span: Span| {
        span.trace_state = "ot=th:8".into();
        span
    };
    let expected = vec![kept(with(0x90)), Span { span_id: vec![0; 8], ..with(0x10) }, kept(with(0xf0))];
    let after = ExportTraceServiceRequest::decode(batch.payload.into_bytes()).expect("well formed");
    assert_eq!(after.resource_spans[0].scope_spans[0].spans, expected);

    let none_left = admitted(request(vec![with(0x10), with(0x20)]), &rules).expect("well formed").batch;
    assert_eq!((none_left.items, none_left.head_dropped, none_left.payload.len()), (0, 2, 0));
}
