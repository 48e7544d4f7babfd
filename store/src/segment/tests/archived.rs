//! The archive's copy of a segment answers as the segment does, and others read its table.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};

use arrow_array::{Array, MapArray, StringArray, TimestampMicrosecondArray, cast::AsArray, types::Int64Type};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use weir_proto::{
    TraceId,
    otlp::messages::{collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value},
};

use super::{
    assert_same, odd, records,
    round_trip::{traces, write},
    searching::{check, filter},
    shop::{Shop, int, kv, text},
};
use crate::{
    disk::Disk,
    segment::{ReadObject, Segment, archived::write_archived},
    verdict::kept::POLICY_ATTRIBUTE,
};

/// The archive's copy of a segment, whose rows are elsewhere.
pub(super) fn archive(folder: &Path, segment: Segment) -> Segment {
    let file = segment.table().file;
    let parent = folder.join("archive");
    std::fs::create_dir_all(&parent).expect("a folder");
    let path = write_archived(&Disk::default(), &parent, &Arc::new(segment), 1, &|| false).expect("written");
    let object = InMemory(std::fs::read(path.join(file)).expect("there"));
    std::fs::remove_file(path.join(file)).expect("removed");
    Segment::open_archived(&path, Arc::new(object)).expect("opened")
}

/// An object that is a file's bytes.
struct InMemory(Vec<u8>);

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InMemory")
    }
}

impl ReadObject for InMemory {
    fn name(&self) -> &str {
        "object"
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn prefetch(&self, _: &[std::ops::Range<u64>]) {}

    fn forget(&self, _: std::ops::Range<u64>) {}

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.get(start as usize..start as usize + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn every_odd_span_comes_back(
        requests in prop::collection::vec(odd::request(), 1..4),
        filters in prop::collection::vec((filter(), 1usize..5), 6),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let segment = archive(folder.path(), write(folder.path(), &requests, 1));
        for (trace, wanted) in traces(&requests) {
            assert_same(segment.trace(trace).expect("intact"), wanted);
        }
        for (filter, limit) in filters {
            check(&[&segment], &requests, &filter, limit);
        }
    }
}

#[test]
fn spans_of_a_shop_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(11);
    let requests: Vec<_> = (0..15).map(|_| shop.batch(700)).collect();
    let segment = archive(folder.path(), write(folder.path(), &requests, 1));
    assert!(segment.is_archived());
    assert_eq!(segment.rows(), 10_500);
    for (trace, wanted) in traces(&requests).into_iter().step_by(37) {
        assert_same(segment.trace(trace).expect("intact"), wanted);
    }
    assert!(segment.trace(TraceId([9; 16])).expect("intact").is_empty());
}

/// An object whose bytes come damaged until they are forgotten, in 4 KiB each.
#[derive(Debug)]
struct Flipped(InMemory, Mutex<BTreeSet<u64>>);

impl ReadObject for Flipped {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn prefetch(&self, _: &[std::ops::Range<u64>]) {}

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(start, into)?;
        let forgotten = self.1.lock();
        for (at, byte) in into.iter_mut().enumerate() {
            let at = start + at as u64;
            if at % 4096 == 100 && !forgotten.contains(&(at / 4096)) {
                *byte ^= 4;
            }
        }
        Ok(())
    }

    fn forget(&self, range: std::ops::Range<u64>) {
        self.1.lock().extend(range.start / 4096..=range.end / 4096);
    }
}

#[test]
fn what_came_damaged_is_asked_for_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(13);
    let requests: Vec<_> = (0..4).map(|_| shop.batch(700)).collect();
    let parent = folder.path().join("archive");
    std::fs::create_dir_all(&parent).expect("a folder");
    let segment = Arc::new(write(folder.path(), &requests, 1));
    let path = write_archived(&Disk::default(), &parent, &segment, 1, &|| false).expect("written");
    let object = InMemory(std::fs::read(path.join("spans.parquet")).expect("there"));
    let object = Arc::new(Flipped(object, Mutex::default()));
    let segment = Segment::open_archived(&path, object.clone()).expect("opened");
    for (trace, wanted) in traces(&requests).into_iter().step_by(7) {
        assert_same(segment.trace(trace).expect("whole at the second time"), wanted);
    }
    assert!(!object.1.lock().is_empty());
}

/// The rows of a column of texts.
fn texts(folder: &Path, requests: &[ExportTraceServiceRequest], column: &str) -> Vec<Option<String>> {
    let mut out = Vec::new();
    for batch in batches(folder, requests) {
        let array = batch.column_by_name(column).expect(column).clone();
        out.extend(
            array.as_any().downcast_ref::<StringArray>().expect(column).iter().map(|text| text.map(str::to_owned)),
        );
    }
    out
}

fn batches(folder: &Path, requests: &[ExportTraceServiceRequest]) -> Vec<arrow_array::RecordBatch> {
    let parent = folder.join("table");
    std::fs::create_dir_all(&parent).expect("a folder");
    let segment = Arc::new(write(folder, requests, 1));
    let path = write_archived(&Disk::default(), &parent, &segment, 1, &|| false).expect("written");
    let file = std::fs::File::open(path.join("spans.parquet")).expect("there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file").build().expect("readable");
    reader.map(|batch| batch.expect("intact")).collect()
}

/// A row's map.
fn map_of(array: &dyn Array, row: usize) -> BTreeMap<String, Option<String>> {
    let map: &MapArray = array.as_map();
    let entries = map.value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    keys.iter().zip(values).map(|(key, value)| (key.expect("there").to_owned(), value.map(str::to_owned))).collect()
}

#[test]
fn the_policy_that_kept_a_span_is_a_column() {
    // So few that they are rare attributes, and so many that they are a column of the segment.
    for every in [500, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut request = Shop::new(14).batch(3000);
        let spans = &mut request.resource_spans[0].scope_spans[0].spans;
        let kept = |n: usize| n.is_multiple_of(every);
        let count = spans.len();
        for (_, span) in spans.iter_mut().enumerate().filter(|(n, _)| kept(*n)) {
            span.attributes.push(text(POLICY_ATTRIBUTE, "errors"));
        }
        let requests = [request];
        let found = texts(folder.path(), &requests, "sampling_policy");
        let of_spans: Vec<Option<&str>> = found[..count].iter().map(Option::as_deref).collect();
        let wanted: Vec<Option<&str>> = (0..count).map(|n| kept(n).then_some("errors")).collect();
        assert_eq!(of_spans, wanted);
        let batches = batches(folder.path(), &requests);
        let attributes = map_of(batches[0].column_by_name("attributes").expect("there"), 0);
        assert!(!attributes.contains_key(POLICY_ATTRIBUTE), "it is in one place");
    }
}

#[test]
fn the_table_has_the_rows_as_others_read_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut request = Shop::new(12).batch(3000);
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    spans[0].attributes = vec![
        text("http.route", "/a"),
        int("http.response.status_code", 503),
        text("app.note", "a \"word\"\n"),
        kv("app.ok", Value::BoolValue(true)),
        kv("app.share", Value::DoubleValue(f64::NAN)),
        kv("app.nothing", Value::StringValue(String::new())),
    ];
    // Of another type than its column.
    spans[1].attributes = vec![text("http.response.status_code", "OK"), int("http.route", 7)];
    spans[2].attributes.clear();
    let (start_ns, trace) = (spans[0].start_time_unix_nano, spans[0].trace_id.clone());
    let wanted = records(&request);
    let requests = [request];
    let batches = batches(folder.path(), &requests);
    let first = &batches[0];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let column = |name: &str| first.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    assert_eq!(column("trace_id").as_string::<i32>().value(0), hex(&trace));
    assert_eq!(column("start_unix_nano").as_primitive::<Int64Type>().value(0), start_ns as i64);
    let micros = column("start_time").as_any().downcast_ref::<TimestampMicrosecondArray>().expect("µs");
    assert_eq!(micros.value(0), (start_ns / 1000) as i64);
    assert_eq!(column("http_route").as_string::<i32>().value(0), "/a");
    assert_eq!(column("http_response_status_code").as_primitive::<Int64Type>().value(0), 503);
    assert!(column("http_route").is_null(1) && column("http_response_status_code").is_null(1));
    let attributes = map_of(column("attributes"), 0);
    let own = |key: &str| attributes.get(key).cloned().flatten();
    assert_eq!(own("app.note").as_deref(), Some("a \"word\"\n"));
    assert_eq!((own("app.ok").as_deref(), own("app.share").as_deref()), (Some("true"), Some("NaN")));
    assert_eq!(attributes.get("app.nothing"), Some(&Some(String::new())));
    assert!(!attributes.contains_key("http.route"));
    let second = map_of(column("attributes"), 1);
    assert_eq!(second.get("http.response.status_code"), Some(&Some("OK".to_owned())));
    assert_eq!(second.get("http.route"), Some(&Some("7".to_owned())));
    assert!(map_of(column("attributes"), 2).is_empty());
    let ids: Vec<Option<String>> = wanted.iter().map(|record| Some(hex(&record.span.span_id))).collect();
    assert_eq!(texts(folder.path(), &requests, "span_id"), ids);
    let kinds = texts(folder.path(), &requests, "kind");
    assert!(
        kinds
            .iter()
            .flatten()
            .all(|kind| ["server", "client", "internal", "producer", "consumer"].contains(&kind.as_str()))
    );
    // Spark refuses files with a TIMESTAMP(NANOS).
    let nanos = |field: &arrow_schema::Field| {
        matches!(field.data_type(), arrow_schema::DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, _))
    };
    assert!(!first.schema().fields().iter().any(|field| nanos(field)));
}
