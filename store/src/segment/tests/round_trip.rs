//! What goes in comes out.

use crate::{
    ask::span::SpanRecord,
    disk::Disk,
    ledger::Tally,
    reject::{RejectReason, Rejection},
    segment::{Builder as _, Segment, SpanBuilder, write_segment},
};
use std::{collections::BTreeMap, path::Path};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost::Message;
use weir_proto::{TraceId, otlp::messages::collector::trace::v1::ExportTraceServiceRequest};

use super::{assert_same, id, odd, records, shop::Shop};

/// Writes requests as a segment.
pub(super) fn write(parent: &Path, requests: &[ExportTraceServiceRequest], first_file: u32) -> Segment {
    let mut builder = SpanBuilder::new();
    for request in requests {
        builder.push_payload(&request.encode_to_vec(), &[]).expect("own bytes");
    }
    let tally = Tally { accepted: builder.rows(), kept: builder.rows(), ..Default::default() };
    write_segment(&Disk::default(), parent, &id(first_file, first_file, 0), &builder, tally, 1).expect("written")
}

/// The traces of requests, each in order.
pub(super) fn traces(requests: &[ExportTraceServiceRequest]) -> BTreeMap<TraceId, Vec<SpanRecord>> {
    let mut traces: BTreeMap<TraceId, Vec<SpanRecord>> = BTreeMap::new();
    for record in requests.iter().flat_map(records) {
        let trace = TraceId::from_wire(&record.span.trace_id).expect("valid");
        traces.entry(trace).or_default().push(record);
    }
    traces
}

#[test]
fn every_span_of_a_shop_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(1);
    let requests: Vec<_> = (0..15).map(|_| shop.batch(700)).collect();
    let segment = write(folder.path(), &requests, 1);
    assert_eq!(segment.rows(), 10_500);
    let traces = traces(&requests);
    assert_eq!(segment.traces(), traces.len() as u64);
    for (trace, wanted) in traces.into_iter().step_by(37) {
        assert_same(segment.trace(trace).expect("intact"), wanted);
    }
    assert!(segment.trace(TraceId([9; 16])).expect("intact").is_empty());
}

#[test]
fn the_arrow_reader_reads_every_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(2);
    let requests: Vec<_> = (0..15).map(|_| shop.batch(700)).collect();
    let segment = write(folder.path(), &requests, 1);
    let file = std::fs::File::open(segment.directory().join("spans.parquet")).expect("there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file").build().expect("readable");
    let rows: usize = reader.map(|batch| batch.expect("intact").num_rows()).sum();
    assert_eq!(rows, 10_500);
}

#[test]
fn rejected_spans_stay_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let request = Shop::new(3).batch(10);
    let mut builder = SpanBuilder::new();
    let rejected: Vec<_> =
        [0, 4, 9].map(|ordinal| Rejection { ordinal, reason: RejectReason::TooOld }).into_iter().collect();
    builder.push_payload(&request.encode_to_vec(), &rejected).expect("own bytes");
    assert_eq!(builder.rows(), 7);
    let segment =
        write_segment(&Disk::default(), folder.path(), &id(1, 2, 0), &builder, Tally::default(), 1).expect("written");
    let out = TraceId::from_wire(&records(&request)[4].span.trace_id).expect("valid");
    let kept: Vec<_> = segment.trace(out).expect("intact").into_iter().map(|record| record.span.span_id).collect();
    assert!(!kept.contains(&records(&request)[4].span.span_id));
}

#[test]
fn a_cleared_builder_is_as_good_as_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = SpanBuilder::new();
    // Other keys, names and values; and so many different ones that a dictionary gives up.
    let mut runner = TestRunner::deterministic();
    for _ in 0..10 {
        let odd = odd::request().new_tree(&mut runner).expect("no filters").current();
        let _ = builder.push_payload(&odd.encode_to_vec(), &[]);
    }
    let mut earlier = Shop::new(8);
    for _ in 0..10 {
        builder.push_payload(&earlier.batch(700).encode_to_vec(), &[]).expect("own bytes");
    }
    builder.clear();
    assert_eq!(builder.rows(), 0);
    let mut shop = Shop::new(9);
    let requests: Vec<_> = (0..4).map(|_| shop.batch(700)).collect();
    for request in &requests {
        builder.push_payload(&request.encode_to_vec(), &[]).expect("own bytes");
    }
    let tally = Tally { accepted: 2800, kept: 2800, ..Default::default() };
    let again = write_segment(&Disk::default(), folder.path(), &id(2, 2, 0), &builder, tally, 1).expect("written");
    let fresh = write(folder.path(), &requests, 3);
    for file in ["spans.parquet", "traces.idx"] {
        let bytes = |segment: &Segment| std::fs::read(segment.directory().join(file)).expect("there");
        assert!(bytes(&again) == bytes(&fresh), "{file}");
    }
}

#[test]
fn an_empty_segment_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let tally = Tally { accepted: 3, damaged: 3, ..Default::default() };
    let segment = write_segment(&Disk::default(), folder.path(), &id(1, 1, 0), &SpanBuilder::new(), tally.clone(), 1)
        .expect("written");
    let again = Segment::open(segment.directory()).expect("opened");
    assert_eq!((again.rows(), again.tally(), again.start_ns()), (0, &tally, None));
    assert!(again.trace(TraceId([1; 16])).expect("intact").is_empty());
    let mut operations = crate::ask::span::Operations::default();
    again.add_operations(&mut operations, None).expect("intact");
    assert_eq!(operations, crate::ask::span::Operations::default());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn every_odd_span_comes_back(requests in prop::collection::vec(odd::request(), 1..4)) {
        let folder = tempfile::tempdir().expect("a folder");
        let segment = write(folder.path(), &requests, 1);
        for (trace, wanted) in traces(&requests) {
            assert_same(segment.trace(trace).expect("intact"), wanted);
        }
    }
}
