//! Tests of the head: what is visible at an offset, and which payloads stay in memory.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use bytes::Bytes;
use prost::Message;
use weir_proto::{
    Signal, TenantId, TraceId,
    otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            trace::v1::{ResourceSpans, ScopeSpans, Span},
        },
        traces::{Checks, scan},
    },
};

use super::*;
use crate::{
    ask::span::Operations,
    journal::{FrameHeader, JournalFile, Tallies},
    offset::Offset,
    reject::{RejectReason, Rejection},
    verdict::names::PolicyNames,
};

fn trace(n: u8) -> TraceId {
    TraceId([n; 16])
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("valid")
}

/// A payload with a span in each of these traces, named after it.
fn payload(traces: &[u8]) -> Bytes {
    let spans = traces.iter().map(|&n| Span {
        trace_id: trace(n).0.to_vec(),
        span_id: vec![n; 8],
        name: format!("operation {n}"),
        start_time_unix_nano: u64::from(n),
        ..Default::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn summaries(payload: &[u8], rejected: &[Rejection]) -> BatchSummaries {
    let mut summaries = BatchSummaries::default();
    scan(payload, Checks::Journalled, |scanned| {
        if !rejected.iter().any(|rejection| rejection.ordinal == scanned.ordinal) {
            summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
        }
    })
    .expect("canonical");
    summaries
}

fn file(number: u32) -> Arc<SpanFile> {
    let journal = tempfile::tempfile().expect("a file");
    Arc::new(HeadFile::new(Arc::new(JournalFile::new(number, 1, "".into(), journal, Tallies::default(), 0))))
}

/// Publishes a frame with these traces; ordinal 0 is rejected when `reject` says so. Answers its index.
fn publish(file: &SpanFile, name: &str, position: u32, traces: &[u8], reject: bool) -> usize {
    let payload = payload(traces);
    let rejected = if reject { vec![Rejection { ordinal: 0, reason: RejectReason::TooNew }] } else { Vec::new() };
    let batch = summaries(&payload, &rejected);
    let header = FrameHeader {
        tenant: tenant(name),
        received_at_ns: 1000 + u64::from(position),
        items: traces.len() as u32,
        rejected,
        generation: 0,
        cursor: Bytes::new(),
        head_dropped: 0,
    };
    let offset = Offset::new(file.number(), position);
    file.publish(offset, &header, Payload::cached(position, payload), batch)
}

/// Everything up to this position, decided by verdict batches up to this one.
fn cut(file: &SpanFile, position: u32, verdicts: u64) -> Cut<'static> {
    static POLICIES: LazyLock<PolicyNames> = LazyLock::new(|| {
        let names = PolicyNames::default();
        let _ = ["errors", "some"].map(|name| names.number(name));
        names
    });
    Cut { projected: Offset::new(file.number(), position), verdicts, policies: &POLICIES }
}

fn operations(file: &SpanFile, name: &str, cut: Cut<'_>) -> Vec<String> {
    let mut found = Operations::default();
    file.operations(&tenant(name), cut, &mut found, Instant::now() + std::time::Duration::from_secs(60));
    assert!(!found.is_partial());
    found.list.into_iter().map(|operation| operation.name).collect()
}

fn names(file: &SpanFile, name: &str, n: u8, visible: u32) -> Vec<String> {
    let cut = cut(file, visible, 0);
    let rows = file.rows_of_traces(&tenant(name), &[trace(n)], cut, usize::MAX).expect("no bound");
    let mut names = Vec::new();
    file.read_rows(&rows, cut, |_, record| names.push(record.span.name));
    names
}

#[test]
fn only_what_lies_at_or_before_the_offset_is_visible() {
    let file = file(3);
    publish(&file, "red", 10, &[1, 2], false);
    publish(&file, "red", 20, &[2, 3, 4], true);
    publish(&file, "blue", 30, &[2], false);
    assert_eq!(names(&file, "red", 1, 9), [""; 0]);
    assert_eq!(names(&file, "red", 1, 10), ["operation 1"]);
    assert_eq!(names(&file, "red", 3, 19), [""; 0]);
    assert_eq!(names(&file, "red", 3, 20), ["operation 3"]);
    assert_eq!(names(&file, "red", 2, 30), ["operation 2"], "one is rejected, one another tenant's");
    assert_eq!(names(&file, "blue", 2, 29), [""; 0]);
    assert_eq!(names(&file, "blue", 2, 30), ["operation 2"]);

    let operations = |position| operations(&file, "red", cut(&file, position, 0)).len();
    assert_eq!([9, 10, 19, 20, 30].map(operations), [0, 2, 2, 4, 4]);
}

#[test]
fn tallies_are_those_of_the_offset() {
    let file = file(1);
    publish(&file, "red", 10, &[1, 2], false);
    publish(&file, "blue", 20, &[1, 2, 3], true);
    publish(&file, "red", 30, &[1, 2, 3], true);
    let at = |position| file.tallies(Offset::new(1, position));
    assert!(at(9).is_empty());
    assert_eq!(at(10).into_keys().collect::<Vec<_>>(), [tenant("red")]);
    let kept = |position, name: &str| at(position)[&tenant(name)].kept;
    assert_eq!((kept(10, "red"), kept(20, "red"), kept(20, "blue"), kept(30, "red")), (2, 2, 2, 4));
    assert!(at(20)[&tenant("red")].rejected.is_empty());
    assert_eq!(at(30)[&tenant("red")].rejected["too_new"], 1);
    assert!(at(30).values().all(crate::Tally::balances));
}

#[test]
fn spans_that_a_payload_could_not_give_count_as_damaged() {
    let file = file(1);
    let header = FrameHeader {
        tenant: tenant("red"),
        received_at_ns: 1,
        items: 5,
        rejected: vec![Rejection { ordinal: 4, reason: RejectReason::TooOld }],
        generation: 0,
        cursor: Bytes::new(),
        head_dropped: 0,
    };
    let payload = payload(&[1]);
    let batch = summaries(&payload, &[]);
    file.publish(Offset::new(1, 10), &header, Payload::cached(10, payload), batch);
    let tally = &file.tallies(file.end())[&tenant("red")];
    assert_eq!((tally.accepted, tally.kept, tally.damaged, tally.rejected["too_old"]), (4, 1, 3, 1));
    assert!(file.tallies(Offset::default()).is_empty());
}

#[test]
fn a_trace_of_many_frames_is_whole() {
    let file = file(2);
    for position in 0..500 {
        publish(&file, if position % 3 == 0 { "blue" } else { "red" }, position, &[7, (position % 5) as u8 + 1], false);
    }
    assert_eq!(names(&file, "red", 7, 499).len(), 333);
    assert_eq!(names(&file, "blue", 7, 250).len(), 84);
    assert_eq!(file.rows(), 1000);
}

#[test]
fn the_oldest_payloads_leave_memory_first() {
    let (old, new) = (file(1), file(2));
    let one = payload(&[1]).len() as u64;
    let in_old: Vec<usize> = (0..2).map(|position| publish(&old, "red", position, &[1], false)).collect();
    let names_bytes = old.frame(in_old[0]).expect("published").names_bytes;
    assert!(names_bytes > 0);
    assert_eq!(old.frame(in_old[1]).expect("published").names_bytes, 0, "the file has that name already");
    let mut budget = PayloadBudget::new(3 * one + 2 * names_bytes);
    in_old.into_iter().for_each(|index| budget.add(&old, index));
    let index = publish(&new, "red", 0, &[1], false);
    budget.add(&new, index);
    assert_eq!(budget.bytes(), 3 * one + 2 * names_bytes);
    // What is not in memory is not in the empty journal files of this test either.
    let in_memory =
        |file: &SpanFile, frame: usize| file.frame(frame).expect("published").payload.read(file.journal()).is_ok();
    assert!(in_memory(&old, 0));
    let index = publish(&new, "red", 1, &[1], false);
    budget.add(&new, index);
    assert_eq!(budget.bytes(), 3 * one + 2 * names_bytes);
    assert_eq!([in_memory(&old, 0), in_memory(&old, 1), in_memory(&new, 0)], [false, true, true]);
    budget.forget_before(Signal::Traces, 2);
    assert_eq!(budget.bytes(), 2 * one + names_bytes);
    assert!(in_memory(&new, 1));
}
