//! An attribute that is the end of its body is there for whoever asks, sealed, merged and archived, and so is the body.

use std::sync::Arc;

use arrow_array::RecordBatch;
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
    scanned::{batches, texts},
};
use crate::{
    AttributeCondition, AttributeForm, AttributeTest, LineRecord, Place, Pruned, ReadBounds, ReadCounts, ScanColumn,
    ScanFilter, ScanRequest, Tally, TraceLines,
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

fn lines_of(segment: &Segment, trace: TraceId) -> Vec<LineRecord> {
    let located = segment.locate_lines(trace, None, 9).expect("intact");
    let mut found = TraceLines::default();
    segment.read_lines(&located, &mut |_| true, &mut found).expect("intact");
    found.rows
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
        let [found] = &lines_of(segment, id)[..] else { panic!("one line") };
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
fn the_bodies_behind_ends_bound_what_is_read_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let all: Vec<LogRecord> = (0..2400).map(record).collect();
    let segment = sealed(folder.path(), 1, &all);
    let attribute = ScanColumn::Attribute { place: Place::Span, key: "message".into(), form: AttributeForm::Text };
    let named = ScanColumn::AttributesNamed(vec!["message".to_owned()]);
    let pieces = |column: &ScanColumn| -> usize {
        let request = ScanRequest { columns: vec![column.clone()], filter: ScanFilter::default() };
        let counts = ReadCounts::default();
        let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false).expect("parts");
        let bounds = ReadBounds::default();
        let pieces = parts.iter().map(|part| segment.narrow_part(part, &request, &bounds, (u32::MAX, &counts)));
        pieces.map(|pieces| pieces.expect("narrowed").len()).sum()
    };
    let of_bodies = pieces(&ScanColumn::Body);
    for column in [attribute, ScanColumn::Attributes(Place::Span), named] {
        assert!(of_bodies > 1 && pieces(&column) >= of_bodies, "{of_bodies}, {column:?}: {}", pieces(&column));
    }
}

/// A line of JSON that a parser took apart, as the receiver of files leaves it.
fn parsed(number: u64, odd: bool) -> LogRecord {
    let mut line = String::new();
    weir_shop::json_lines::Lines::new(3).write(number, number / 50, number * 1_000_000, &mut line);
    let serde_json::Value::Object(members) = serde_json::from_str(&line).expect("JSON") else { panic!("an object") };
    let mut rng = Rng::new(mix(8) ^ number);
    let mut attributes = Vec::new();
    for (key, value) in members {
        let value = match value {
            serde_json::Value::String(value) if odd && rng.below(900) == 0 => Value::StringValue(format!("{value}!")),
            serde_json::Value::String(value) => Value::StringValue(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(int) => Value::IntValue(int),
                None => Value::DoubleValue(number.as_f64().expect("a number")),
            },
            _ => continue,
        };
        if !odd || rng.below(900) > 0 {
            attributes.push(KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() });
        }
    }
    let trace_id = (u128::from(number) + 1).to_be_bytes().to_vec();
    LogRecord { time_unix_nano: number + 1, trace_id, body: text(&line), attributes, ..LogRecord::default() }
}

fn check_parsed(segment: &Segment, records: &[LogRecord]) {
    let keys = ["level", "service", "trace_id", "request_id", "ts", "ms", "bytes"];
    let of = |record: &LogRecord, key: &str| {
        let value = record.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
        Some(match value {
            Value::StringValue(text) => text,
            Value::IntValue(int) => int.to_string(),
            Value::DoubleValue(double) => double.to_string(),
            other => panic!("{other:?}"),
        })
    };
    let attribute =
        |key: &&str| ScanColumn::Attribute { place: Place::Span, key: (*key).into(), form: AttributeForm::Text };
    let columns: Vec<ScanColumn> = keys.iter().map(attribute).collect();
    let all = batches(segment, ScanFilter::default(), &columns);
    let in_body = |record: &LogRecord, key: &str| {
        let line: serde_json::Value = serde_json::from_str(&body(record)).expect("JSON");
        line[key].as_str().map_or_else(|| line[key].to_string(), str::to_owned)
    };
    for (at, key) in keys.iter().enumerate() {
        // Without the attribute the field is what is asked for; numbers of fields keep their own text.
        let expected = records.iter().map(|record| of(record, key).or_else(|| Some(in_body(record, key))));
        for (found, expected) in texts(&all, at).into_iter().zip(expected) {
            let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
            assert!(
                found == expected || (*key == "ms" && number(&found) == number(&expected)),
                "{found:?} {expected:?}"
            );
        }
        let wanted = of(&records[records.len() / 2], key).unwrap_or_default();
        let test = AttributeTest::TextIn(vec![wanted.clone()]);
        let condition = AttributeCondition { place: Place::Span, key: (*key).into(), test };
        let filter = ScanFilter { attributes: vec![condition], ..ScanFilter::default() };
        let found: usize = batches(segment, filter, &columns).iter().map(RecordBatch::num_rows).sum();
        let expected = records.iter().filter(|r| of(r, key).unwrap_or_else(|| in_body(r, key)) == wanted).count();
        assert_eq!(found, expected, "{key} {wanted}");
    }
    for wanted in records.iter().step_by(97) {
        let id = TraceId(wanted.trace_id.clone().try_into().expect("16 bytes"));
        let [found] = &lines_of(segment, id)[..] else { panic!("one line") };
        let sorted = |record: &LogRecord| {
            let mut attributes = record.attributes.clone();
            attributes.sort_by(|a, b| a.key.cmp(&b.key));
            (attributes, body(record))
        };
        assert_eq!(sorted(&found.line), sorted(wanted));
    }
}

#[test]
fn attributes_that_are_fields_of_the_body_have_no_column() {
    for odd in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut all: Vec<LogRecord> = (0..3000).map(|number| parsed(number, odd && number > 900)).collect();
        if odd {
            // Texts come among them, too, and lines that nobody took apart.
            all.extend((3000..3300).map(record));
            all.iter_mut().skip(2900).take(100).for_each(|record| record.attributes.clear());
        }
        let (mut inputs, count) = (Vec::new(), all.len().min(3000));
        for (file, range) in (1..).zip([0..800, 800..1900, 1900..count]) {
            let segment = sealed(folder.path(), file, &all[range.clone()]);
            check_parsed(&segment, &all[range]);
            inputs.push(Arc::new(segment));
        }
        let shared = &inputs[0].manifest.attributes_as_fields;
        assert!(["level", "request_id", "ts", "bytes"].iter().all(|key| shared.iter().any(|s| s == key)), "{shared:?}");
        let merged = merge(&Disk::system(), folder.path(), &id_of_lines(1, 3, 1), &inputs, 1, &|| false);
        let merged = merged.expect("merged");
        check_parsed(&merged, &all[..count]);
        assert_eq!(merged.manifest.attributes_as_fields.is_empty(), odd);
        let archived = archive(folder.path(), merged);
        check_parsed(&archived, &all[..count]);
        if odd {
            let more = Arc::new(sealed(folder.path(), 4, &all[count..]));
            let inputs = [inputs[0].clone(), inputs[1].clone(), inputs[2].clone(), more];
            let merged = merge(&Disk::system(), folder.path(), &id_of_lines(1, 4, 1), &inputs, 1, &|| false);
            let merged = merged.expect("merged");
            let rows = batches(&merged, ScanFilter::default(), &[ScanColumn::Body]);
            assert_eq!(texts(&rows, 0), all.iter().map(|record| Some(body(record))).collect::<Vec<_>>());
        }
    }
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
