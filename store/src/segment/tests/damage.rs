//! Damaged files give an error, never a panic or a wrong row.

use std::fs;

use weir_proto::{TraceId, otlp::messages::common::v1::any_value::Value};

use super::{
    id, normal,
    round_trip::{traces, write},
    searching::search,
    shop::{Random, Shop},
};
use crate::{
    ask::{filter::ScanFilter, search::NewestTraces, span::SpanRecord, tag::TagFilter},
    segment::{Segment, SegmentError},
};

/// Everything a segment is asked for, or the first error.
fn ask(directory: &std::path::Path, some: &[TraceId]) -> Result<(Vec<Vec<SpanRecord>>, Vec<TraceId>), SegmentError> {
    let segment = Segment::open(directory)?;
    let mut found = Vec::new();
    for &trace in some {
        found.push(segment.trace(trace)?.into_iter().map(normal).collect());
    }
    let filter = ScanFilter { tags: vec![TagFilter::attribute("user.id", "user-0")], ..Default::default() };
    let mut newest = NewestTraces::new(1000);
    search(&segment, &filter, &mut newest)?;
    Ok((found, newest.into_traces()))
}

#[test]
fn flipped_bits_are_noticed_or_do_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = vec![Shop::new(10).batch(700)];
    let segment = write(folder.path(), &requests, 1);
    let directory = segment.directory().to_owned();
    let some: Vec<TraceId> = traces(&requests).into_keys().step_by(200).collect();
    let whole = ask(&directory, &some).expect("intact");
    let mut random = Random(11);
    let mut noticed = 0;
    let flips = 240;
    for n in 0..flips {
        let name = ["spans.parquet", "spans.parquet", "traces.idx", "manifest.json"][n % 4];
        let path = directory.join(name);
        let good = fs::read(&path).expect("there");
        let mut bad = good.clone();
        let at = random.below(bad.len() as u64) as usize;
        bad[at] ^= 1 << random.below(8);
        fs::write(&path, &bad).expect("writable");
        match ask(&directory, &some) {
            Ok(answer) => assert!(answer == whole, "{name} byte {at}: another answer"),
            Err(SegmentError::Damaged { .. } | SegmentError::TooNew { .. }) => noticed += 1,
            Err(other) => panic!("{name} byte {at}: {other}"),
        }
        fs::write(&path, &good).expect("writable");
    }
    assert!(noticed > flips / 2, "{noticed}");
}

#[test]
fn a_damaged_bloom_filter_hides_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = vec![Shop::new(14).batch(1000)];
    let segment = write(folder.path(), &requests, 1);
    let column = segment.columns["attributes.order.id"];
    let chunk = segment.metadata.row_group(0).column(column);
    let start = chunk.bloom_filter_offset().expect("ids are too varied for a dictionary") as usize;
    let end = start + chunk.bloom_filter_length().expect("has a length") as usize;
    let orders = requests[0].resource_spans[0].scope_spans[0].spans.iter().flat_map(|span| &span.attributes);
    let order = orders.filter(|attribute| attribute.key == "order.id").nth(5).expect("some");
    let Some(Value::StringValue(order)) = order.value.as_ref().and_then(|value| value.value.clone()) else {
        panic!("a text")
    };
    let filter = ScanFilter { tags: vec![TagFilter::attribute("order.id", order)], ..Default::default() };
    let path = segment.directory().join("spans.parquet");
    let good = fs::read(&path).expect("there");
    // The bits may be cleared one and all: the search then must not say that there is nothing.
    let mut bad = good.clone();
    bad[start + 20..end].fill(0);
    fs::write(&path, &bad).expect("writable");
    let opened = Segment::open(segment.directory()).expect("opened");
    let found = search(&opened, &filter, &mut NewestTraces::new(5));
    assert!(matches!(found, Err(SegmentError::Damaged { .. })), "{found:?}");
    fs::write(&path, &good).expect("writable");
    let mut newest = NewestTraces::new(5);
    search(&segment, &filter, &mut newest).expect("intact");
    assert_eq!(newest.into_traces().len(), 1);
}

#[test]
fn cut_and_missing_files_are_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let segment = write(folder.path(), &[Shop::new(12).batch(100)], 1);
    for name in ["spans.parquet", "traces.idx", "manifest.json"] {
        let path = segment.directory().join(name);
        let good = fs::read(&path).expect("there");
        for len in [0, 1, good.len() / 2, good.len() - 1] {
            fs::write(&path, &good[..len]).expect("writable");
            assert!(matches!(Segment::open(segment.directory()), Err(SegmentError::Damaged { .. })), "{name} {len}");
        }
        fs::remove_file(&path).expect("there");
        assert!(matches!(Segment::open(segment.directory()), Err(SegmentError::Damaged { .. })), "{name}");
        fs::write(&path, &good).expect("writable");
    }
    assert!(Segment::open(segment.directory()).is_ok());
}

#[test]
fn a_directory_under_another_name_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let segment = write(folder.path(), &[Shop::new(13).batch(10)], 1);
    let other = folder.path().join(id(2, 2, 0).to_string());
    fs::rename(segment.directory(), &other).expect("renamed");
    assert!(matches!(Segment::open(&other), Err(SegmentError::Damaged { .. })));
}
