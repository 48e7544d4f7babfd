//! Segments as other versions write them: without a column, with one more, without an index, of another format.

use std::{fs, path::Path, sync::Arc};

use serde_json::{Map, Value};

use super::{
    assert_same, id,
    listing::listed,
    normal,
    round_trip::{traces, write},
    searching::search,
    shop::Shop,
};
use crate::{
    ask::{filter::ScanFilter, search::NewestTraces, span::SpanRecord},
    disk::Disk,
    segment::{
        Segment, SegmentError, merge,
        schema::{Unwritten, fixed},
    },
};

/// Changes the manifest of a segment, and makes its checksum right again.
pub(crate) fn change_manifest(directory: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let path = directory.join("manifest.json");
    let text = fs::read_to_string(&path).expect("there");
    let (json, _) = text.split_once('\n').expect("two lines");
    let mut fields: Map<String, Value> = serde_json::from_str(json).expect("JSON");
    change(&mut fields);
    let json = serde_json::to_string(&fields).expect("plain");
    fs::write(&path, format!("{json}\ncrc32c {:08x}\n", crc32c::crc32c(json.as_bytes()))).expect("written");
}

/// Gives columns names that nobody knows: the segment lacks them, and has others instead.
pub(crate) fn without_columns(directory: &Path, names: &[&str]) {
    let path = directory.join("spans.parquet");
    let mut bytes = fs::read(&path).expect("there");
    change_manifest(directory, |fields| {
        let checked_bytes = fields["spans"]["checked_bytes"].as_u64().expect("a number") as usize;
        let start = bytes.len() - checked_bytes;
        for name in names {
            // In the footer a text stands behind its length.
            let written = [&[name.len() as u8], name.as_bytes()].concat();
            let found: Vec<usize> = memchr::memmem::find_iter(&bytes[start..], &written).collect();
            assert!(found.len() >= 2, "{name}: in the schema, and in each row group");
            found.iter().for_each(|at| bytes[start + at + name.len()] = b'~');
        }
        fields["spans"]["crc32c"] = crc32c::crc32c(&bytes[start..]).into();
    });
    fs::write(&path, bytes).expect("written");
}

/// The span as one that was written without this column.
fn unwritten(mut record: SpanRecord, column: &str) -> SpanRecord {
    let span = &mut record.span;
    let status = span.status.get_or_insert_default();
    match column {
        "parent_span_id" => span.parent_span_id.clear(),
        "duration_ns" => span.end_time_unix_nano = span.start_time_unix_nano,
        "name" => span.name.clear(),
        "kind" => span.kind = 0,
        "status_code" => status.code = 0,
        "status_message" => status.message.clear(),
        "trace_state" => span.trace_state.clear(),
        "flags" => span.flags = 0,
        "events" => span.events.clear(),
        "links" => span.links.clear(),
        "dropped_attributes_count" => span.dropped_attributes_count = 0,
        "scope_name" => Arc::make_mut(&mut record.scope).name.clear(),
        "scope_version" => Arc::make_mut(&mut record.scope).version.clear(),
        "adjusted_count" => record.adjusted_count = 1.0,
        // Of these the shop has none, or they are in no message.
        "end_time" | "service" | "defects" | "dropped_events_count" | "dropped_links_count" => {}
        "resource_schema_url" | "resource_dropped_attributes_count" | "scope_schema_url" => {}
        "scope_attributes" | "scope_dropped_attributes_count" => {}
        other => panic!("what is a span without {other}?"),
    }
    normal(record)
}

/// How many traces a search finds.
fn found(segment: &Segment, filter: &ScanFilter) -> usize {
    let mut newest = NewestTraces::new(1_000_000);
    search(segment, filter, &mut newest).expect("intact");
    newest.into_traces().len()
}

#[test]
fn a_column_that_is_not_there_reads_as_its_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = vec![Shop::new(20).batch(1500)];
    // What is in the residuals is many columns' worth; they are looked at below.
    let columns = fixed::SPECS.iter().zip(fixed::UNWRITTEN).filter(|((name, ..), _)| !name.ends_with("_other"));
    for (number, (&(name, ..), &default)) in columns.enumerate() {
        let parent = folder.path().join(name);
        fs::create_dir(&parent).expect("made");
        let directory = write(&parent, &requests, 1).directory().to_owned();
        without_columns(&directory, &[name]);
        let opened = Segment::open(&directory);
        if default == Unwritten::Never {
            assert!(matches!(opened, Err(SegmentError::Damaged { .. })), "{name} is in every segment");
            continue;
        }
        let older = Arc::new(opened.expect("an older segment"));
        let newer = Arc::new(write(&parent, &requests, 2));
        let inputs = [older.clone(), newer.clone()];
        let merged = merge(&Disk::default(), &parent, &id(1, 2, 1), &inputs, 3, &|| false).expect("merged");
        for (trace, wanted) in traces(&requests).into_iter().skip(number).step_by(97) {
            let without: Vec<_> = wanted.iter().cloned().map(|record| unwritten(record, name)).collect();
            assert_same(older.trace(trace).expect("intact"), without.clone());
            assert_same(merged.trace(trace).expect("intact"), [without, wanted].concat());
        }
        let all = traces(&requests).len();
        assert_eq!(found(&older, &ScanFilter::default()), all, "{name}");
        // What is not there is what the default says; what is written afterwards is all there.
        let any = ScanFilter::default;
        let (default, other) = match name {
            "kind" => (ScanFilter { kinds: Some(vec![0]), ..any() }, ScanFilter { kinds: Some(vec![2]), ..any() }),
            "status_code" => (
                ScanFilter { status_codes: Some(vec![0]), ..any() },
                ScanFilter { status_codes: Some(vec![2]), ..any() },
            ),
            "duration_ns" => {
                (ScanFilter { duration_ns: 0..=0, ..any() }, ScanFilter { duration_ns: 1..=1 << 60, ..any() })
            }
            _ => (any(), ScanFilter { start_ns: 0..=0, ..any() }),
        };
        assert_eq!((found(&older, &default), found(&older, &other)), (all, 0), "{name}");
        assert_eq!(found(&merged, &default), all, "{name}");
        assert_eq!(found(&merged, &other), found(&newer, &other), "{name}");
        assert!(merged.columns.contains_key(name), "{name}");
        merged.value_count(merged.columns[name]);
    }
}

#[test]
fn what_a_manifest_does_not_say_prunes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = vec![Shop::new(21).batch(2500)];
    let whole = write(folder.path(), &requests, 1);
    let all = traces(&requests);
    let directory = whole.directory().to_owned();
    for field in [
        "tally",
        "ledger_after",
        "traces",
        "start_min_ns",
        "start_max_ns",
        "index",
        "blooms",
        "operations",
        "operations_cut",
        "services",
        "attributes_other",
        "resource_other",
        "event_keys",
        "link_keys",
    ] {
        change_manifest(&directory, |fields| {
            fields.remove(field);
            fields.insert("heard_of_by_nobody".into(), Value::from(7));
        });
        // Without one after the other, and at last without all of them.
        let lacking = Segment::open(&directory).expect("an older segment");
        assert_eq!(lacking.start_ns().map(|(_, max)| max), whole.start_ns().map(|(_, max)| max), "{field}");
        assert_eq!(found(&lacking, &ScanFilter::default()), all.len(), "{field}");
        assert_eq!(listed(&lacking), listed(&whole), "{field}");
        for (&trace, wanted) in all.iter().step_by(151) {
            assert_same(lacking.trace(trace).expect("intact"), wanted.clone());
        }
        assert_eq!(lacking.tally(), whole.tally());
    }
}

#[test]
fn older_formats_are_read_and_newer_ones_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = vec![Shop::new(22).batch(100)];
    let directory = write(folder.path(), &requests, 1).directory().to_owned();
    change_manifest(&directory, |fields| drop(fields.insert("format".into(), 0.into())));
    let older = Arc::new(Segment::open(&directory).expect("an older segment"));
    let merged = merge(&Disk::default(), folder.path(), &id(1, 1, 1), &[older], 3, &|| false).expect("merged");
    assert_eq!(
        (merged.manifest.format, merged.rows()),
        (super::super::manifest::format_of(weir_proto::Signal::Traces), 100)
    );
    change_manifest(&directory, |fields| drop(fields.insert("format".into(), 99.into())));
    let refused = Segment::open(&directory);
    assert!(matches!(refused, Err(SegmentError::TooNew { found: 99, .. })), "{refused:?}");
}
