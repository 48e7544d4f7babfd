//! A segment's files: opening and reading them is an answer or an error, whatever they hold.

use std::path::Path;

use weir_proto::TraceId;
use weir_store::{
    Operations, Pruned, ReadBounds, ReadCounts, ScanColumn, ScanFilter, ScanRequest, TagFilter, segment::Segment,
};

use super::files;

/// The names that an input's files can have.
pub(super) const NAMES: [&str; 3] = ["manifest.json", "spans.parquet", "traces.idx"];
/// The directory's name: a segment knows its own.
pub(super) const DIRECTORY: &str = "0000000001-0000000001-0";
/// A trace of the seeds.
pub(super) const TRACE: [u8; 16] = [7; 16];

/// Opens and reads the files as they are, and once more with checksums that fit: a flaw that they do not show must not hurt either.
pub fn segment_footer(input: &[u8]) {
    let folder = files::temp_folder();
    let directory = folder.path().join(DIRECTORY);
    files::write(input, &NAMES, &directory);
    read(&directory);
    if repair(&directory).is_some() {
        read(&directory);
    }
}

/// Every kind of read. Errors are answers.
fn read(directory: &Path) {
    let Ok(segment) = Segment::open(directory) else { return };
    let _ = segment.add_operations(&mut Operations::default(), None);
    let _ = segment.trace(TraceId(TRACE));
    let filters = [
        ScanFilter::default(),
        ScanFilter {
            services: Some(vec!["shop".into()]),
            names: Some(vec!["GET /".into()]),
            duration_ns: 1..=u64::MAX,
            tags: vec![TagFilter::attribute("http.route", "/cart")],
            ..ScanFilter::default()
        },
    ];
    for filter in filters {
        let request = ScanRequest { columns: vec![ScanColumn::TraceId, ScanColumn::StartTime], filter };
        let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false);
        for part in parts.into_iter().flatten() {
            for bounds in [ReadBounds { newest: Some(20), ..ReadBounds::default() }, ReadBounds::default()] {
                let _ = segment.read_part(&part, &request, &bounds, &ReadCounts::default());
            }
        }
    }
}

/// Makes the manifest's lengths and checksums those of the files, and its last line its own.
fn repair(directory: &Path) -> Option<()> {
    let manifest = directory.join(NAMES[0]);
    let text = std::fs::read_to_string(&manifest).ok()?;
    let mut json: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    for (field, name, at_end) in [("spans", NAMES[1], true), ("index", NAMES[2], false)] {
        let content = std::fs::read(directory.join(name)).ok()?;
        let checked = json.get_mut(field)?.as_object_mut()?;
        let len = (checked.get("checked_bytes")?.as_u64()? as usize).min(content.len());
        let part = if at_end { &content[content.len() - len..] } else { &content[..len] };
        checked.insert("bytes".into(), content.len().into());
        checked.insert("checked_bytes".into(), len.into());
        checked.insert("crc32c".into(), crc32c::crc32c(part).into());
    }
    let line = json.to_string();
    std::fs::write(&manifest, format!("{line}\ncrc32c {:08x}\n", crc32c::crc32c(line.as_bytes()))).ok()
}

/// A seed: a segment of a payload's spans.
#[cfg(test)]
pub(super) fn seed(payload: &[u8]) -> Vec<u8> {
    use weir_proto::{Signal, TenantId};
    use weir_store::{
        Tally,
        disk::Disk,
        segment::{Builder, SegmentId, SpanBuilder, write_segment},
    };

    let folder = files::temp_folder();
    let id =
        SegmentId { signal: Signal::Traces, tenant: TenantId::default(), first_file: 1, last_file: 1, generation: 0 };
    let mut builder = SpanBuilder::new();
    builder.push_payload(payload, &[]).expect("a valid payload");
    let rows = builder.rows();
    let tally = Tally { accepted: rows, kept: rows, ..Tally::default() };
    write_segment(&Disk::default(), folder.path(), &id, &builder, tally, 1).expect("written");
    files::pack(&folder.path().join(DIRECTORY), &NAMES)
}
