//! An attribute that is the end of its body is there for whoever asks, sealed, merged and archived, and so is the body.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, cast::AsArray, types::UInt32Type};
use prost::Message;
use weir_proto::{
    TraceId,
    otlp::messages::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    },
};
use weir_shop::rng::{Rng, mix};

use super::{
    archived::archive,
    bodies_back::{id_of_lines, line},
};
use crate::{
    AttributeCondition, AttributeForm, AttributeTest, Place, Pruned, ReadBounds, ReadCounts, ScanColumn, ScanFilter,
    ScanRequest, Tally,
    disk::Disk,
    segment::{LineBuilder, Segment, merge, schema::lines, write_segment},
};

const HEADS: [&str; 9] = [
    "<34>1 2026-11-29T16:40:00.123456Z web-N app N ID47 - ",
    "<165>1 2026-11-29T16:40:0N.001Z web-1 app N - [a@1 b=\"N\"] ",
    "<34>Oct  9 22:33:2N web app[N]: ",
    "<34>",
    "",
    "a\tb ",
    "- - N ",
    "w w w w w w w w w w w w w w ",
    "{\"a\":1} ",
];

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

/// Line `number`, in a trace of its own: mostly with its end as an attribute.
fn record(number: u64) -> LogRecord {
    let mut rng = Rng::new(mix(5) ^ number);
    let message = line(number, 9);
    let head = HEADS[rng.below(HEADS.len() as u64) as usize].replace('N', &(number % 7).to_string());
    let value = match rng.below(10) {
        0 => text("something else"),
        1 => Some(AnyValue { value: Some(Value::IntValue(number as i64)) }),
        2 => text(""),
        3 => text(&format!("{head}{message}")),
        _ => text(&message),
    };
    let attribute = |key: &str, value| KeyValue { key: key.to_owned(), value, ..KeyValue::default() };
    let mut attributes = vec![attribute("appname", text("app")), attribute("n", text(&number.to_string()))];
    if rng.below(8) > 0 {
        attributes.insert(rng.below(3) as usize, attribute("message", value));
    }
    let trace_id = (u128::from(number) + 1).to_be_bytes().to_vec();
    let body = text(&format!("{head}{message}"));
    LogRecord { time_unix_nano: number + 1, trace_id, body, attributes, ..LogRecord::default() }
}

fn sealed(folder: &std::path::Path, file: u32, records: &[LogRecord]) -> Segment {
    let scope_logs = vec![ScopeLogs { log_records: records.to_vec(), ..ScopeLogs::default() }];
    let request =
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    let mut builder = LineBuilder::new();
    builder.push_payload(&request.encode_to_vec(), &[], 1).expect("canonical");
    write_segment(&Disk::system(), folder, &id_of_lines(file, file, 0), &builder, Tally::default(), 1).expect("written")
}

fn batches(segment: &Segment, filter: ScanFilter, columns: &[ScanColumn]) -> Vec<RecordBatch> {
    let request = ScanRequest { columns: columns.to_vec(), filter };
    let counts = ReadCounts::default();
    let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false).expect("parts");
    let bounds = ReadBounds { start_min_ns: 0, newest: None, rows_max: None };
    parts.iter().map(|part| segment.read_part(part, &request, &bounds, &counts).expect("read")).collect()
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<Option<String>> {
    let of_batch = |batch: &RecordBatch| {
        let codes = batch.column(column).as_dictionary::<UInt32Type>().clone();
        let text = move |row: usize| {
            let values = codes.values().as_string::<i32>();
            codes.is_valid(row).then(|| values.value(codes.keys().value(row) as usize).to_owned())
        };
        (0..batch.num_rows()).map(text).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// The attribute as text.
fn message(record: &LogRecord) -> Option<String> {
    let value = record.attributes.iter().find(|attribute| attribute.key == "message")?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(int) => int.to_string(),
        other => panic!("{other:?}"),
    })
}

fn body(record: &LogRecord) -> String {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn check(segment: &Segment, records: &[LogRecord]) {
    let attribute = ScanColumn::Attribute { place: Place::Span, key: "message".into(), form: AttributeForm::Text };
    let columns = [ScanColumn::Body, attribute, ScanColumn::Attributes(Place::Span)];
    let all = batches(segment, ScanFilter::default(), &columns);
    let expected: Vec<_> = records.iter().map(|record| Some(body(record))).collect();
    assert_eq!(texts(&all, 0), expected);
    assert_eq!(texts(&all, 1), records.iter().map(message).collect::<Vec<_>>());
    for (object, record) in texts(&all, 2).iter().zip(records) {
        let object: serde_json::Value = serde_json::from_str(object.as_deref().expect("an object")).expect("JSON");
        let found = object.get("message").map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        assert_eq!(found, message(record), "{object}");
        assert_eq!(object.as_object().map(serde_json::Map::len), Some(record.attributes.len()), "{object}");
    }
    let mut rng = Rng::new(3);
    for _ in 0..40 {
        let wanted = &records[rng.below(records.len() as u64) as usize];
        if let Some(text) = message(wanted) {
            let test = AttributeTest::TextIn(vec![text.clone()]);
            let condition = AttributeCondition { place: Place::Span, key: "message".into(), test };
            let found = batches(segment, ScanFilter { attributes: vec![condition], ..ScanFilter::default() }, &columns);
            let expected: Vec<_> = records
                .iter()
                .filter(|record| message(record).as_ref() == Some(&text))
                .map(|r| Some(body(r)))
                .collect();
            assert_eq!(texts(&found, 0), expected, "{text}");
        }
        let text = body(wanted);
        let from = rng.below(text.len() as u64 + 1) as usize;
        let to = (from + 1 + rng.below(40) as usize).min(text.len());
        if let Some(needle) = text.get(from..to) {
            let filter = ScanFilter { body_contains: vec![needle.to_owned()], ..ScanFilter::default() };
            let found: usize = batches(segment, filter, &columns).iter().map(RecordBatch::num_rows).sum();
            assert_eq!(found, records.iter().filter(|record| body(record).contains(needle)).count(), "{needle:?}");
        }
        let id = TraceId(wanted.trace_id.clone().try_into().expect("16 bytes"));
        let [found] = &segment.lines_up_to(id, 9).expect("intact")[..] else { panic!("one line") };
        let sorted = |record: &LogRecord| {
            let mut attributes = record.attributes.clone();
            attributes.sort_by(|a, b| a.key.cmp(&b.key));
            (attributes, body(record))
        };
        assert_eq!(sorted(&found.line), sorted(wanted));
    }
}

#[test]
fn what_a_body_ends_with_is_an_attribute() {
    let folder = tempfile::tempdir().expect("a folder");
    let all: Vec<LogRecord> = (0..2400).map(record).collect();
    let mut inputs = Vec::new();
    for (file, range) in (1..).zip([0..100, 100..1500, 1500..2400]) {
        let segment = sealed(folder.path(), file, &all[range.clone()]);
        check(&segment, &all[range]);
        inputs.push(Arc::new(segment));
    }
    let merged = merge(&Disk::system(), folder.path(), &id_of_lines(1, 3, 1), &inputs, 1, &|| false).expect("merged");
    check(&merged, &all);
    assert!(merged.value_count(lines::MESSAGE_AT) > 1200, "{}", merged.value_count(lines::MESSAGE_AT));
    let archived = archive(folder.path(), merged);
    check(&archived, &all);
}

#[test]
fn objects_behind_a_head_are_kept_without_their_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = |number: u64| {
        let mut message = String::new();
        weir_shop::json_lines::Lines::new(1 << 40).write(number, number / 50, number * 1_000_000, &mut message);
        let head = format!("<14>1 2026-11-29T16:40:00.{:06}Z web-1 cart {number} - - ", number);
        let attributes = vec![KeyValue { key: "message".into(), value: text(&message), ..KeyValue::default() }];
        let trace_id = (u128::from(number) + 1).to_be_bytes().to_vec();
        let body = text(&format!("{head}{message}"));
        LogRecord { time_unix_nano: number + 1, trace_id, body, attributes, ..LogRecord::default() }
    };
    let all: Vec<LogRecord> = (0..2000).map(record).collect();
    let inputs: Vec<Arc<Segment>> =
        (0..2u32).map(|run| Arc::new(sealed(folder.path(), run + 1, &all[run as usize * 1000..][..1000]))).collect();
    assert!(inputs.iter().all(|segment| segment.value_count(lines::BODY) == 0));
    let merged = merge(&Disk::system(), folder.path(), &id_of_lines(1, 2, 1), &inputs, 1, &|| false).expect("merged");
    assert_eq!(merged.value_count(lines::BODY), 0);
    check(&merged, &all);
    // Behind a head they are no fields of the body.
    let field = ScanColumn::Attribute { place: Place::Span, key: "ms".into(), form: AttributeForm::Text };
    let found = texts(&batches(&merged, ScanFilter::default(), &[field]), 0);
    assert!(found.iter().all(Option::is_none), "{:?}", &found[..3]);
}
