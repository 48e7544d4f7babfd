//! Chosen spans in a segment: their policy, their adjusted count, their threshold; also after a merge.

use crate::{
    ask::{filter::ScanFilter, search::NewestTraces, span::SpanRecord, tag::TagFilter},
    disk::Disk,
    ledger::Tally,
    segment::{Builder as _, ChosenSpan, Segment, SpanBuilder, merge, write_segment},
    verdict::kept::{KeptBy, POLICY_ATTRIBUTE},
};
use std::{path::Path, sync::Arc};

use prost::Message;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

use super::{
    id, normal,
    searching::search,
    shop::{Shop, text},
};

const ERRORS: KeptBy<'_> = KeptBy { policy: "errors", adjusted_count: 1.0, is_probabilistic: false };
const SOME: KeptBy<'_> = KeptBy { policy: "some", adjusted_count: 100.0, is_probabilistic: true };
/// A budget thins by more than chance alone.
const BUDGET: KeptBy<'_> = KeptBy { policy: "budget", adjusted_count: 2.5, is_probabilistic: false };

/// Span `n`, of a trace of its own.
fn span(n: u8, trace_state: &str) -> Span {
    Span {
        trace_id: vec![n; 16],
        span_id: vec![n; 8],
        name: "GET".into(),
        start_time_unix_nano: u64::from(n),
        trace_state: trace_state.into(),
        attributes: vec![text("n", n.to_string())],
        ..Default::default()
    }
}

fn payload(scopes: &[&[Span]]) -> Vec<u8> {
    let scope_spans = |spans: &&[Span]| ScopeSpans { spans: spans.to_vec(), ..Default::default() };
    let resource_spans = vec![
        ResourceSpans { scope_spans: scopes.iter().map(scope_spans).collect(), ..Default::default() },
        ResourceSpans::default(),
    ];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn chosen(spans: &[(u32, Option<KeptBy<'static>>)]) -> Vec<ChosenSpan<'static>> {
    spans.iter().map(|&(ordinal, kept_by)| ChosenSpan { ordinal, kept_by }).collect()
}

fn written(builder: &SpanBuilder, parent: &Path, file: u32) -> Arc<Segment> {
    let segment = write_segment(&Disk::default(), parent, &id(file, file, 0), builder, Tally::default(), 1);
    Arc::new(segment.expect("written"))
}

/// A segment of spans 2, 3, 5, 6 and 8 of nine.
fn sampled(parent: &Path, file: u32) -> Arc<Segment> {
    let mut own_policy = span(3, "a=1,ot=th:8;rv:0123456789abcd");
    own_policy.attributes.push(text(POLICY_ATTRIBUTE, "of another Weir"));
    let payload = payload(&[
        &[span(0, ""), span(1, "ot=th:8"), span(2, "")],
        &[own_policy, span(4, "")],
        &[],
        &[span(5, "ot=th:8"), span(6, "ot=th:e"), span(7, ""), span(8, "b=2")],
    ]);
    let mut builder = SpanBuilder::new();
    let wanted = [(2, Some(ERRORS)), (3, Some(SOME)), (5, Some(ERRORS)), (6, None), (8, Some(BUDGET))];
    builder.push_chosen(&payload, &chosen(&wanted)).expect("own bytes");
    assert_eq!(builder.rows(), 5);
    written(&builder, parent, file)
}

fn shown(segment: &Segment, n: u8) -> (Vec<String>, f64, String) {
    let records = segment.trace(weir_proto::TraceId([n; 16])).expect("intact");
    let values = |record: &SpanRecord| {
        let attributes = normal(record.clone()).span.attributes;
        attributes
            .into_iter()
            .map(|attribute| {
                let value = attribute.value.and_then(|value| value.value);
                format!(
                    "{}={}",
                    attribute.key,
                    match value {
                        Some(weir_proto::otlp::messages::common::v1::any_value::Value::StringValue(text)) => text,
                        other => format!("{other:?}"),
                    }
                )
            })
            .collect()
    };
    let record = records.first().expect("there");
    assert!(records.iter().all(|other| normal(other.clone()) == normal(record.clone())));
    (values(record), record.adjusted_count, record.span.trace_state.clone())
}

fn check(segment: &Segment) {
    let shows = |n: u8, policy: &str, count: f64, trace_state: &str| {
        let mut attributes = vec![format!("n={n}")];
        if !policy.is_empty() {
            attributes.push(format!("weir.sampling.policy={policy}"));
        }
        assert_eq!(shown(segment, n), (attributes, count, trace_state.to_owned()), "span {n}");
    };
    shows(2, "errors", 1.0, "");
    shows(3, "some", 200.0, "ot=th:feb85;rv:0123456789abcd,a=1");
    shows(5, "errors", 2.0, "ot=th:8");
    shows(6, "", 8.0, "ot=th:e");
    shows(8, "budget", 2.5, "b=2");
    for absent in [0, 1, 4, 7] {
        assert!(segment.trace(weir_proto::TraceId([absent; 16])).expect("intact").is_empty());
    }
    for (policy, found) in [("errors", vec![5, 2]), ("some", vec![3]), ("of another Weir", vec![])] {
        let tags = vec![TagFilter::attribute(POLICY_ATTRIBUTE, policy)];
        let mut newest = NewestTraces::new(10);
        search(segment, &ScanFilter { tags, ..Default::default() }, &mut newest).expect("intact");
        let ids: Vec<u8> = newest.into_traces().iter().map(|trace| trace.0[0]).collect();
        assert_eq!(ids, found, "{policy}");
    }
}

#[test]
fn chosen_spans_say_why_they_were_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    check(&sampled(folder.path(), 1));
}

#[test]
fn a_merge_keeps_counts_and_policies() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = SpanBuilder::new();
    // Many rows without either: the attribute is promoted in one input and not in the other.
    shop.push_payload(&Shop::new(5).batch(1000).encode_to_vec(), &[]).expect("own bytes");
    let inputs = [sampled(folder.path(), 1), written(&shop, folder.path(), 2), sampled(folder.path(), 3)];
    let merged = merge(&Disk::default(), folder.path(), &id(1, 3, 1), &inputs, 3, &|| false).expect("merged");
    assert_eq!(merged.rows(), 1010);
    check(&merged);
}

#[test]
fn chosen_spans_are_those_of_the_whole_payload() {
    let folder = tempfile::tempdir().expect("a folder");
    let payload = Shop::new(6).batch(500).encode_to_vec();
    let mut whole = SpanBuilder::new();
    whole.push_payload(&payload, &[]).expect("own bytes");
    let mut all = SpanBuilder::new();
    let every: Vec<_> = (0..500).map(|ordinal| (ordinal, None)).collect();
    all.push_chosen(&payload, &chosen(&every)).expect("own bytes");
    let (whole, all) = (written(&whole, folder.path(), 1), written(&all, folder.path(), 2));
    let bytes = |segment: &Segment| std::fs::read(segment.directory().join("spans.parquet")).expect("there");
    assert!(bytes(&whole) == bytes(&all));
}
