//! Bodies come back byte for byte, sealed and merged, however odd they are; and what is in them is found.

use std::sync::Arc;

use prost::Message;
use weir_proto::{
    Signal, TenantId,
    otlp::messages::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    },
};
use weir_shop::{
    json_lines::Lines,
    rng::{Rng, mix},
};

use crate::{
    Pruned, ReadBounds, ReadCounts, ScanColumn, ScanFilter, ScanRequest, Tally,
    disk::Disk,
    segment::{
        LineBuilder, Segment, SegmentId, merge,
        scan::{bodies, gather::ChosenRows},
        schema::lines,
        write_segment,
    },
};

const KEYS: &[&str] =
    &["a", "b", "trace_id", "span_id", "a.b", "x y", "", "\\u006ba", "caf\u{e9}", "n\\n", "deep", "id"];
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "12.30",
    "1e400",
    "-1E-7",
    "0.1",
    "1.0",
    "100000000000000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e2",
    "0.30000000000000004",
    "123456789.125",
];
const STRINGS: &[&str] = &[
    "",
    "x",
    "plain words of a message",
    "caf\u{e9} \u{6771}\u{4eac}",
    "\\u00e9",
    "\\u00E9",
    "\\/",
    "\\\"quoted\\\"",
    "\\\\",
    "\\n\\t\\r\\b\\f",
    "\\u0000",
    "\\u001f",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\u003ctag\\u003e",
    "<tag>&",
    "2026-11-20T05:26:40.123Z",
    "\u{7f}",
];
const BLANKS: &[&str] = &["", "", "", " ", "  ", "\t\n"];

fn one(rng: &mut Rng, of: &[&'static str]) -> &'static str {
    of[rng.below(of.len() as u64) as usize]
}

fn value(rng: &mut Rng, depth: u64, out: &mut String) {
    match rng.below(if depth > 4 { 6 } else { 9 }) {
        0 => out.push_str(one(rng, NUMBERS)),
        1 => out.push_str(["true", "false", "null"][rng.below(3) as usize]),
        2 => *out += &format!("\"{}\"", one(rng, STRINGS)),
        3 => *out += &rng.below(100_000).to_string(),
        4 => *out += &format!("\"{:016x}\"", rng.bits()),
        5 => *out += &format!("\"{:08x}-0000-4000-a000-{:012x}\"", rng.bits() as u32, rng.below(1 << 48)),
        6 => {
            out.push('[');
            for at in 0..rng.below(4) {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(one(rng, BLANKS));
                value(rng, depth + 1, out);
            }
            out.push(']');
        }
        _ => object(rng, depth + 1, out),
    }
}

fn object(rng: &mut Rng, depth: u64, out: &mut String) {
    out.push('{');
    out.push_str(one(rng, BLANKS));
    for at in 0..rng.below(6) {
        *out += &format!(
            "{}\"{}\"{}:{}",
            if at > 0 { "," } else { "" },
            one(rng, KEYS),
            one(rng, BLANKS),
            one(rng, BLANKS)
        );
        value(rng, depth, out);
        out.push_str(one(rng, BLANKS));
    }
    out.push('}');
}

/// Line `number`: usual ones, odd ones, and what is no JSON at all.
pub(super) fn line(number: u64, seed: u64) -> String {
    let mut rng = Rng::new(mix(seed) ^ number);
    let mut out = String::new();
    match rng.below(10) {
        0..4 => Lines::new(seed).write(number, number / 50, number * 1_000_000, &mut out),
        4 => out = format!("text {number} {}", rng.bits()),
        5 => {
            Lines::new(seed).write(number, number / 50, number * 1_000_000, &mut out);
            let cut = rng.below(out.len() as u64) as usize;
            out.truncate((0..=cut).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0));
        }
        6 => {
            out = format!(
                r#"{{"n":{number},"late.{}":"x","deep":{}1{}}}"#,
                rng.below(600),
                "{\"a\":".repeat(40),
                "}".repeat(40)
            )
        }
        _ => {
            out.push_str(one(&mut rng, BLANKS));
            object(&mut rng, 0, &mut out);
            out.push_str(one(&mut rng, BLANKS));
        }
    }
    out
}

pub(super) fn id_of_lines(first_file: u32, last_file: u32, generation: u32) -> SegmentId {
    SegmentId { signal: Signal::Logs, tenant: TenantId::default(), first_file, last_file, generation }
}

pub(super) fn sealed(folder: &std::path::Path, file: u32, texts: &[String]) -> Arc<Segment> {
    let log_records = texts.iter().zip(1..).map(|(text, time_unix_nano)| LogRecord {
        time_unix_nano,
        body: Some(AnyValue { value: Some(Value::StringValue(text.clone())) }),
        ..LogRecord::default()
    });
    let scope_logs = vec![ScopeLogs { log_records: log_records.collect(), ..ScopeLogs::default() }];
    let request =
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    let mut builder = LineBuilder::new();
    builder.push_payload(&request.encode_to_vec(), &[], 1).expect("canonical");
    let segment = write_segment(&Disk::system(), folder, &id_of_lines(file, file, 0), &builder, Tally::default(), 1);
    Arc::new(segment.expect("written"))
}

fn texts(segment: &Segment) -> Vec<String> {
    let file = segment.open_rows().expect("open");
    let reader = segment.reader(&file);
    let mut texts = Vec::new();
    for group in 0..segment.groups() {
        let rows = segment.group_rows(group);
        let column = bodies::read(&reader, group, &ChosenRows::All(rows)).expect("readable");
        assert_eq!(column.len(), rows as usize);
        texts.extend((0..column.len()).map(|at| String::from_utf8(column.bytes(at).to_vec()).expect("UTF-8")));
        // Some of them, too.
        let some: Vec<u32> = (0..rows).filter(|row| row % 7 == 3).collect();
        let column = bodies::read(&reader, group, &ChosenRows::Some(some.clone())).expect("readable");
        let from = texts.len() - rows as usize;
        for (at, row) in some.iter().enumerate() {
            assert_eq!(column.bytes(at), texts[from + *row as usize].as_bytes());
        }
    }
    texts
}

/// How many bodies a segment keeps as texts.
fn kept_as_text(segment: &Segment) -> u64 {
    segment.value_count(lines::BODY)
}

#[test]
fn every_line_comes_back_sealed_and_merged() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let all: Vec<String> = (0..3700).map(|number| line(number, seed)).collect();
        let mut inputs = Vec::new();
        for (file, (from, to)) in (1..).zip([(0, 100), (100, 1700), (1700, 1900), (1900, 3700)]) {
            let segment = sealed(folder.path(), file, &all[from..to]);
            assert_eq!(texts(&segment), all[from..to], "seed {seed}");
            inputs.push(segment);
        }
        let merged =
            merge(&Disk::system(), folder.path(), &id_of_lines(1, 4, 1), &inputs, 1, &|| false).expect("merged");
        assert_eq!(texts(&merged), all, "seed {seed}");
        assert!(kept_as_text(&merged) < 3000, "{} of 3700 are kept as texts", kept_as_text(&merged));
        let again = [Arc::new(merged)];
        let again = merge(&Disk::system(), folder.path(), &id_of_lines(1, 4, 2), &again, 1, &|| false).expect("merged");
        assert_eq!(texts(&again), all, "seed {seed}");
        let mut rng = Rng::new(seed);
        for _ in 0..200 {
            let text = &all[rng.below(3700) as usize];
            let from = rng.below(text.len() as u64 + 1) as usize;
            let to = (from + rng.below(40) as usize).min(text.len());
            if let Some(needle) = text.get(from..to) {
                let expected = all.iter().filter(|text| text.contains(needle)).count();
                assert_eq!(found(&again, needle), expected, "seed {seed}: {needle:?}");
                if needle.is_ascii() && !needle.is_empty() {
                    let needle = needle.to_ascii_lowercase();
                    let folded =
                        |text: &str| text.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase();
                    let expected = all.iter().filter(|text| folded(text).contains(&needle)).count();
                    let filter = ScanFilter { body_any_case: vec![vec![needle.clone()]], ..ScanFilter::default() };
                    assert_eq!(found_by(&again, filter), expected, "seed {seed}: {needle:?} in any case");
                }
            }
        }
    }
}

fn found(segment: &Segment, needle: &str) -> usize {
    found_by(segment, ScanFilter { body_contains: vec![needle.to_owned()], ..ScanFilter::default() })
}

fn found_by(segment: &Segment, filter: ScanFilter) -> usize {
    let request = ScanRequest { columns: vec![ScanColumn::Body], filter };
    let counts = ReadCounts::default();
    let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false).expect("parts");
    let bounds = ReadBounds { start_min_ns: 0, newest: None, rows_max: None };
    parts.iter().map(|part| segment.read_part(part, &request, &bounds, &counts).expect("read").num_rows()).sum()
}

#[test]
fn lines_of_services_are_kept_without_their_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |number| {
        let mut line = String::new();
        Lines::new(1 << 40).write(number, number / 50, number * 1_000_000, &mut line);
        line
    };
    let all: Vec<String> = (0..3000).map(written).collect();
    let inputs: Vec<Arc<Segment>> =
        (0..3u32).map(|run| sealed(folder.path(), run + 1, &all[run as usize * 1000..][..1000])).collect();
    assert!(inputs.iter().all(|segment| kept_as_text(segment) == 0));
    let merged = merge(&Disk::system(), folder.path(), &id_of_lines(1, 3, 1), &inputs, 1, &|| false).expect("merged");
    assert_eq!((kept_as_text(&merged), texts(&merged) == all), (0, true));
    let ids = merged.manifest.bodies.iter().flat_map(|bodies| &bodies.fields).filter(|field| field.same_as.is_some());
    assert_eq!(ids.map(|field| field.name.as_str()).collect::<Vec<_>>(), ["span_id", "trace_id"]);
}
