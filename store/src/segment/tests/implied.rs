//! Attributes that only the fields of bodies tell are, sealed and merged, what they are where lines write them out.

use std::sync::Arc;

use prost::Message;
use weir_proto::{
    TraceId,
    json::Shape,
    otlp::{
        Checks,
        logs::{Expander, IMPLIED_FIELD, scan},
        messages::logs::v1::LogRecord,
        wire::Writer,
    },
};
use weir_shop::rng::{Rng, mix};

use super::{
    archived::archive,
    bodies_back::{id_of_lines, line},
    scanned::{batches, texts},
};
use crate::{
    AttributeCondition, AttributeForm, AttributeTest, Place, ScanColumn, ScanFilter, Tally, TraceLines,
    disk::Disk,
    segment::{LineBuilder, Segment, merge, write_segment},
};

/// A payload of these lines: their bodies, and whether the fields are attributes.
fn payload(lines: &[(String, bool)], first: u64) -> Vec<u8> {
    let mut out = Writer::default();
    let resource = out.begin(1, 4);
    let scope = out.begin(2, 4);
    for (number, (body, implies)) in (first..).zip(lines) {
        let record = out.begin(2, 2);
        out.fixed64(1, number + 1);
        let any = out.begin(5, 2);
        out.bytes(1, body.as_bytes());
        out.end(any);
        out.text_pair(6, b"log.file.name", if number % 3 == 0 { b"a.log" } else { b"b.log" });
        // Lines that nobody took apart have attributes of such names, too.
        if !implies && number % 5 == 0 {
            out.text_pair(6, b"level", b"odd");
            out.text_pair(6, b"n", b"text");
        }
        out.bytes(9, &u128::from(number + 1).to_be_bytes());
        if *implies {
            out.varint(IMPLIED_FIELD, 1);
        }
        out.end(record);
    }
    out.end(scope);
    out.end(resource);
    out.into_bytes()
}

/// The same with all attributes written out.
fn written_out(payload: &[u8]) -> (Vec<u8>, Vec<LogRecord>) {
    let (mut out, mut records) = (Writer::default(), Vec::new());
    let resource = out.begin(1, 4);
    let scope = out.begin(2, 4);
    let mut expander = Expander::default();
    scan(payload, Checks::Journalled, |scanned| {
        let record = expander.whole(&scanned.line).to_message();
        out.bytes(2, &record.encode_to_vec());
        records.push(record);
    })
    .expect("well formed");
    out.end(scope);
    out.end(resource);
    (out.into_bytes(), records)
}

fn sealed(folder: &std::path::Path, file: u32, payload: &[u8]) -> Arc<Segment> {
    let mut builder = LineBuilder::new();
    builder.push_payload(payload, &[], 1).expect("canonical");
    let segment = write_segment(&Disk::system(), folder, &id_of_lines(file, file, 0), &builder, Tally::default(), 1);
    Arc::new(segment.expect("written"))
}

const KEYS: [&str; 9] = ["level", "msg", "ms", "bytes", "user", "n", "ts", "http", "log.file.name"];

fn check(segment: &Segment, expected: &Segment, records: &[LogRecord]) {
    let attribute =
        |key: &&str| ScanColumn::Attribute { place: Place::Span, key: (*key).into(), form: AttributeForm::Text };
    let mut columns: Vec<ScanColumn> = KEYS.iter().map(attribute).collect();
    columns.extend([ScanColumn::Body, ScanColumn::Attributes(Place::Span)]);
    let of = |segment: &Segment, filter: ScanFilter, column: usize| texts(&batches(segment, filter, &columns), column);
    for (column, of_what) in columns.iter().enumerate().take(KEYS.len() + 1) {
        let all = ScanFilter::default;
        assert_eq!(of(segment, all(), column), of(expected, all(), column), "{of_what:?}");
    }
    let object = |text: &Option<String>| -> Option<serde_json::Value> {
        text.as_ref().map(|text| serde_json::from_str(text).expect("JSON"))
    };
    let objects = |segment: &Segment| of(segment, ScanFilter::default(), KEYS.len() + 1).iter().map(object).collect();
    let (found, wanted): (Vec<_>, Vec<_>) = (objects(segment), objects(expected));
    assert!(found == wanted);
    for (key, value) in
        [("level", "info"), ("level", "odd"), ("n", "7"), ("n", "text"), ("bytes", "100"), ("ms", "12.5"), ("e", "x")]
    {
        let test = AttributeTest::TextIn(vec![value.to_owned()]);
        let condition = AttributeCondition { place: Place::Span, key: key.into(), test };
        let filter = ScanFilter { attributes: vec![condition], ..ScanFilter::default() };
        assert_eq!(of(segment, filter.clone(), KEYS.len()), of(expected, filter, KEYS.len()), "{key} {value}");
    }
    for wanted in records.iter().step_by(61) {
        let id = TraceId(wanted.trace_id.clone().try_into().expect("16 bytes"));
        let mut found = TraceLines::default();
        let located = segment.locate_lines(id, None, 9).expect("intact");
        segment.read_lines(&located, &mut |_| true, &mut found).expect("intact");
        let sorted = |record: &LogRecord| {
            let mut attributes = record.attributes.clone();
            attributes.sort_by(|a, b| a.key.cmp(&b.key));
            format!("{attributes:?}{:?}", record.body)
        };
        let [found] = &found.rows[..] else { panic!("one line") };
        assert_eq!(sorted(&found.line), sorted(wanted));
    }
}

/// How lines are: of one shape, of any, or with some that nobody took apart between them.
fn lines(number: u64, how: u64) -> (String, bool) {
    let mut rng = Rng::new(mix(8) ^ number);
    let mut text = String::new();
    match how {
        0 => weir_shop::json_lines::Lines::new(3).write(number, number / 50, number * 1_000_000, &mut text),
        1 => {
            let n = if number % 400 == 3 { "\"x\"".to_owned() } else { (number % 9).to_string() };
            let e = if number.is_multiple_of(50) { "x\\ny" } else { "x" };
            text = format!(
                r#"{{"n":{n},"level":"info","e":"{e}","z":null,"o":{{"k":{n}, "f":1.50}},"l":[1,{n}],"f":{}}}"#,
                number % 4 / 2
            );
        }
        _ => text = line(number, 5),
    }
    let implies = Shape::of(text.as_bytes()).is_some() && !(how > 1 && rng.below(20) == 0);
    (text, implies)
}

#[test]
fn what_is_not_written_out_is_there() {
    for how in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let (implied, written) = (folder.path().join("implied"), folder.path().join("written"));
        for path in [&implied, &written] {
            std::fs::create_dir(path).expect("a folder");
        }
        let mut inputs = (Vec::new(), Vec::new());
        let mut all = Vec::new();
        for (file, (first, count)) in (1..).zip([(0, 300), (300, 600), (900, 250)]) {
            let of_file: Vec<_> = (first..first + count).map(|number| lines(number, how)).collect();
            let payload = payload(&of_file, first);
            let (whole, records) = written_out(&payload);
            let (found, expected) = (sealed(&implied, file, &payload), sealed(&written, file, &whole));
            check(&found, &expected, &records);
            let is_told = found.manifest.attributes_as_fields.iter().any(|key| key == "level");
            assert_eq!(is_told, how < 2, "{:?}", found.manifest.attributes_as_fields);
            inputs.0.push(found);
            inputs.1.push(expected);
            all.extend(records);
        }
        let merged = |inputs: &[Arc<Segment>], folder: &std::path::Path| {
            merge(&Disk::system(), folder, &id_of_lines(1, 3, 1), inputs, 1, &|| false).expect("merged")
        };
        let (found, expected) = (merged(&inputs.0, &implied), merged(&inputs.1, &written));
        check(&found, &expected, &all);
        check(&archive(&implied, found), &expected, &all);
    }
}
