//! Labels that LogQL makes of fields are read of columns as they are read of the bodies, however odd these are.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, cast::AsArray, types::UInt32Type};
use weir_proto::{
    json::{FieldLimits, FieldValue, fields},
    loki::label_of_field,
    otlp::logs::level_of_text,
};

use super::bodies_back::{id_of_lines as id, line, sealed};
use crate::{
    FieldTest, Pruned, ReadBounds, ReadCounts, ScanColumn, ScanFilter, ScanRequest,
    disk::Disk,
    segment::{Segment, merge},
};

const LABELS: [&str; 14] =
    ["a", "b", "a_b", "x_y", "ka", "caf_", "n", "deep", "id", "user_id", "http_status", "ms", "level", "trace_id"];

fn rows(segment: &Segment, filter: ScanFilter, columns: &[ScanColumn], rows_max: u32) -> Vec<RecordBatch> {
    let request = ScanRequest { columns: columns.to_vec(), filter };
    let counts = ReadCounts::default();
    let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false).expect("parts");
    let mut batches = Vec::new();
    for part in &parts {
        let pieces =
            segment.narrow_part(part, &request, &ReadBounds::default(), (rows_max, &counts)).expect("narrowed");
        batches.extend(pieces.iter().map(|piece| segment.read_narrowed(piece, &request).expect("read")));
    }
    batches
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let codes = batch.column(column).as_dictionary::<UInt32Type>();
    let values = codes.values().as_string::<i32>();
    codes.is_valid(row).then(|| values.value(codes.keys().value(row) as usize).to_owned())
}

/// What a parser finds.
fn expected(body: &str, label: &str) -> Option<String> {
    let mut found = None;
    let read = fields(body.as_bytes(), FieldLimits::default(), |name, value| {
        if found.is_some() || label_of_field(name).as_deref() != Some(label) {
            return;
        }
        found = match value {
            FieldValue::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            FieldValue::Number(text) => Some(String::from_utf8_lossy(text).into_owned()),
            FieldValue::Bool(value) => Some(value.to_string()),
            FieldValue::Json(_) | FieldValue::Null => None,
        };
    });
    read.ok().and(found)
}

/// Segments, each with the number of its first line.
type Placed = Vec<(usize, Arc<Segment>)>;

fn segments() -> (tempfile::TempDir, Vec<String>, Placed) {
    let folder = tempfile::tempdir().expect("a folder");
    let all: Vec<String> = (0..2500).map(|number| line(number, 11)).collect();
    let inputs: Vec<_> = (0..3u32)
        .map(|run| sealed(folder.path(), run + 1, &all[run as usize * 800..(run as usize + 1) * 800]))
        .collect();
    let merged = merge(&Disk::system(), folder.path(), &id(1, 3, 1), &inputs, 1, &|| false).expect("merged");
    let from = |(number, segment): (usize, Arc<Segment>)| (number * 800, segment);
    let mut segments: Vec<_> = inputs.into_iter().enumerate().map(from).collect();
    segments.push((0, Arc::new(merged)));
    (folder, all, segments)
}

#[test]
fn columns_tell_what_bodies_tell() {
    let (_folder, all, segments) = segments();
    let mut columns = vec![ScanColumn::HasFields, ScanColumn::PlainBody, ScanColumn::BodyLevel];
    columns.extend(LABELS.map(|label| ScanColumn::Field(label.to_owned())));
    for (from, segment) in segments {
        let (mut at, mut told) = (from, 0);
        for batch in rows(&segment, ScanFilter::default(), &columns, 300) {
            for row in 0..batch.num_rows() {
                let body = &all[at];
                at += 1;
                if !batch.column(0).as_boolean().value(row) {
                    assert_eq!(text(&batch, 1, row).as_deref(), Some(&**body));
                    continue;
                }
                told += 1;
                assert_eq!(text(&batch, 1, row), None, "{body}");
                assert_eq!(text(&batch, 2, row).as_deref(), Some(level_of_text(body.as_bytes())), "{body}");
                for (number, label) in LABELS.iter().enumerate() {
                    assert_eq!(text(&batch, 3 + number, row), expected(body, label), "{label} of {body}");
                }
            }
        }
        assert!(told * 5 > (at - from) * 2, "{told} of {} have fields", at - from);
    }
}

#[test]
fn conditions_leave_out_what_does_not_fit() {
    let (_folder, all, segments) = segments();
    let columns = [ScanColumn::HasFields, ScanColumn::Body];
    let above = |text: Option<&str>| text.is_some_and(|text| text.parse().map_or(true, |number: f64| number > 20.0));
    type Passes = Box<dyn Fn(Option<&str>) -> bool>;
    let tests: [(FieldTest, Passes); 5] = [
        (FieldTest::new("ms", above).with_numbers(|number| number > 20.0), Box::new(above)),
        (FieldTest::new("b", above).with_numbers(|number| number > 20.0), Box::new(above)),
        (FieldTest::new("level", |text| text == Some("warn")).with_text("warn"), Box::new(|text| text == Some("warn"))),
        (
            FieldTest::new("a", |text| text == Some("nowhere")).with_text("nowhere"),
            Box::new(|text| text == Some("nowhere")),
        ),
        (FieldTest::new("a_b", |text| text.is_none()), Box::new(|text| text.is_none())),
    ];
    for (from, segment) in segments {
        let lines = (segment.rows() as usize).min(all.len() - from);
        for (test, fits) in &tests {
            let filter = ScanFilter { fields: vec![test.clone()], ..ScanFilter::default() };
            let mut found = Vec::new();
            for batch in rows(&segment, filter, &columns, 200) {
                for row in 0..batch.num_rows() {
                    let body = text(&batch, 1, row).expect("a body");
                    let is_told = batch.column(0).as_boolean().value(row);
                    assert!(!is_told || fits(expected(&body, test.label()).as_deref()), "{test:?} {body}");
                    found.push(body);
                }
            }
            let wanted = all[from..from + lines].iter().filter(|body| fits(expected(body, test.label()).as_deref()));
            let mut found = found.iter();
            wanted.for_each(|body| assert!(found.any(|one| one == body), "{test:?} leaves out {body}"));
        }
    }
}

#[test]
fn whole_numbers_are_found_by_their_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |number: usize| match number % 50 {
        7 => format!("plain 7 of {number}"),
        _ => format!(r#"{{"n":{number},"user":{{"id":{}}},"words":"some more"}}"#, number % 20),
    };
    let all: Vec<String> = (0..600).map(line).collect();
    let segment = sealed(folder.path(), 1, &all);
    for (text, is_there) in [("7", true), ("007", false), ("-0", false), ("7.0", false), ("x", false), ("99", false)] {
        let wanted = text.to_owned();
        let test = FieldTest::new("user_id", move |text| text == Some(wanted.as_str())).with_text(text);
        let filter = ScanFilter { fields: vec![test], ..ScanFilter::default() };
        let batches = rows(&segment, filter, &[ScanColumn::Body], 200);
        let found: Vec<String> = batches
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(|row| self::text(batch, 0, row).expect("a body")))
            .collect();
        let fits = |line: &&String| line.starts_with("plain") || is_there && line.contains(r#""id":7}"#);
        assert!(found.iter().eq(all.iter().filter(fits)), "{text}: {found:?}");
    }
}
