//! A merged segment answers as its inputs did.

use std::{path::Path, sync::Arc};

use proptest::prelude::*;
use weir_proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;

use super::{
    assert_same, id, odd,
    round_trip::{traces, write},
    searching::{check, filter},
    shop::{Shop, int, text},
};
use crate::{
    ask::{filter::ScanFilter, span::Operations},
    disk::Disk,
    ledger::Tally,
    segment::{Segment, SegmentError, merge, merge_within},
};

fn merged(parent: &Path, inputs: &[Arc<Segment>]) -> Segment {
    let last = inputs.len() as u32;
    merge(&Disk::default(), parent, &id(1, last, 1), inputs, 3, &|| false).expect("merged")
}

/// Each part a segment, then all merged in two steps.
fn seal_and_merge(parent: &Path, parts: &[Vec<ExportTraceServiceRequest>]) -> Segment {
    let segments: Vec<_> =
        parts.iter().enumerate().map(|(n, part)| Arc::new(write(parent, part, n as u32 + 1))).collect();
    let half = segments.len() / 2;
    if half == 0 {
        return merged(parent, &segments);
    }
    let first = Arc::new(merged(parent, &segments[..half]));
    let mut inputs = vec![first];
    inputs.extend_from_slice(&segments[half..]);
    merge(&Disk::default(), parent, &id(1, segments.len() as u32, 2), &inputs, 3, &|| false).expect("merged")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn odd_spans_survive_merging(
        parts in prop::collection::vec(prop::collection::vec(odd::request(), 1..4), 1..5),
        filters in prop::collection::vec((filter(), 1usize..5), 6),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let segment = seal_and_merge(folder.path(), &parts);
        let requests = parts.concat();
        for (trace, wanted) in traces(&requests) {
            assert_same(segment.trace(trace).expect("intact"), wanted);
        }
        for (filter, limit) in filters {
            check(&[&segment], &requests, &filter, limit);
        }
    }
}

fn add_operations(segment: &Segment, found: &mut Operations) {
    segment.add_operations(found, None).expect("intact");
}

#[test]
fn spans_of_a_shop_survive_merging() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(7);
    let parts: Vec<Vec<_>> = (0..3).map(|_| (0..8).map(|_| shop.batch(530)).collect()).collect();
    let segment = seal_and_merge(folder.path(), &parts);
    assert_eq!(segment.rows(), 12_720);
    assert_eq!(segment.tally(), &Tally { accepted: 12_720, kept: 12_720, ..Default::default() });
    let requests = parts.concat();
    let traces = traces(&requests);
    assert_eq!(segment.traces(), traces.len() as u64);
    for (trace, wanted) in traces.into_iter().step_by(61) {
        assert_same(segment.trace(trace).expect("intact"), wanted);
    }
    let mut operations = Operations::default();
    for (n, part) in parts.iter().enumerate() {
        add_operations(&write(folder.path(), part, n as u32 + 100), &mut operations);
    }
    let mut merged = Operations::default();
    add_operations(&segment, &mut merged);
    assert_eq!(merged, operations);
    assert!(!merged.is_partial() && merged.services.contains("svc-3"));
    check(&[&segment], &requests, &ScanFilter { status_codes: Some(vec![2]), ..Default::default() }, 50);
}

#[test]
fn what_is_rare_or_frequent_in_one_input_finds_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(8);
    let mut parts: Vec<Vec<_>> = (0..3).map(|_| vec![shop.batch(400)]).collect();
    let spans = |part: &mut Vec<ExportTraceServiceRequest>| part[0].resource_spans[0].scope_spans[0].spans.clone();
    let set = |part: &mut Vec<ExportTraceServiceRequest>, spans| part[0].resource_spans[0].scope_spans[0].spans = spans;
    // In the first input one row in 400 has the key, in the others every row, with another type in the last.
    for (n, part) in parts.iter_mut().enumerate() {
        let mut changed = spans(part);
        for (row, span) in changed.iter_mut().enumerate() {
            if n > 0 || row == 17 {
                span.attributes.push(if n == 2 {
                    int("comes.and.goes", row as i64)
                } else {
                    text("comes.and.goes", "x")
                });
            }
            // Only in the second: a column there, rare in all.
            if n == 1 && row < 8 {
                span.attributes.push(text("only.here", format!("{row}")));
            }
        }
        set(part, changed);
    }
    let segments: Vec<_> =
        parts.iter().enumerate().map(|(n, part)| Arc::new(write(folder.path(), part, n as u32 + 1))).collect();
    assert!(!segments[0].columns.contains_key("attributes.comes.and.goes"));
    assert!(segments[1].columns.contains_key("attributes.only.here"));
    let all = merged(folder.path(), &segments);
    assert!(all.columns.contains_key("attributes.comes.and.goes"));
    assert!(!all.columns.contains_key("attributes.only.here"));
    for (trace, wanted) in traces(&parts.concat()) {
        assert_same(all.trace(trace).expect("intact"), wanted);
    }
}

#[test]
fn rows_become_a_group_at_so_many_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = [1, 2, 3].map(|seed| vec![Shop::new(seed).batch(20)]);
    let inputs: Vec<_> =
        parts.iter().enumerate().map(|(n, part)| Arc::new(write(folder.path(), part, n as u32 + 1))).collect();
    let all = merged(folder.path(), &inputs);
    let small = merge_within(&Disk::default(), folder.path(), &id(1, 3, 2), &inputs, (3, 1), &|| false);
    let small = small.expect("merged");
    assert_eq!((all.groups(), small.groups(), small.rows()), (1, 3, all.rows()));
    for (trace, wanted) in traces(&parts.concat()) {
        assert_same(small.trace(trace).expect("intact"), wanted);
    }
}

#[test]
fn a_stopped_merge_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = Arc::new(write(folder.path(), &[Shop::new(9).batch(20)], 1));
    let stopped = merge(&Disk::default(), folder.path(), &id(1, 1, 1), &[input], 3, &|| true);
    assert!(matches!(stopped, Err(SegmentError::Stopped)));
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
}
