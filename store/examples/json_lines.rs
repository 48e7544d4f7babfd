//! Seals and merges JSON lines in one thread: CPU time per million lines for each stage, and bytes of disk.
//!
//! `cargo run --release -p weir-store --example json_lines -- [lines of a run] [runs] [zstd's level of the merged segment]`

use std::sync::Arc;

use weir_proto::{
    Signal, TenantId,
    otlp::{
        Checks,
        logs::{IdNames, LineIds, scan},
    },
};
use weir_shop::json_lines::{LineForm, Lines};
use weir_store::{
    Tally,
    disk::Disk,
    segment::{Builder, LineBuilder, SegmentId, merge, write_segment},
};

const BATCH: u64 = 1000;
/// Any time will do.
const BASE_NS: u64 = 1_790_000_000_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let of = |at: usize, usual| numbers.get(at).copied().unwrap_or(usual);
    let (lines, runs, level) = (of(0, 400_000), of(1, 4), of(2, 1));
    let folder = tempfile::tempdir_in(std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into()))?;
    let (mut gathering, mut writing, mut raw_bytes) = (0, 0, 0);
    let mut segments = Vec::new();
    let mut builder = LineBuilder::new();
    for run in 0..runs {
        builder.clear();
        for batch in run * (lines / BATCH)..(run + 1) * (lines / BATCH) {
            let base_ns = BASE_NS + batch * 3_300_000;
            let (payload, raw) = Lines::new(7).batch(batch, BATCH, base_ns, LineForm::Otlp);
            raw_bytes += raw;
            // The sealer is told by the head.
            let mut ids: Vec<LineIds> = Vec::with_capacity(BATCH as usize);
            scan(&payload, Checks::Journalled, |line| ids.push(line.line.ids(&IdNames::USUAL)))?;
            let mut ids = ids.into_iter();
            let begun = cpu_ns();
            builder.push_lines(&payload, &[], base_ns, |_| ids.next().unwrap_or_default())?;
            gathering += cpu_ns() - begun;
        }
        let begun = cpu_ns();
        let id = id(run as u32 + 1, run as u32 + 1, 0);
        let segment = write_segment(&Disk::system(), folder.path(), &id, &builder, Tally::default(), 1)?;
        writing += cpu_ns() - begun;
        segments.push(Arc::new(segment));
    }
    let begun = cpu_ns();
    let merged = merge(&Disk::system(), folder.path(), &id(1, runs as u32, 1), &segments, level as i32, &|| false)?;
    let merging = cpu_ns() - begun;
    let per_million = |ns: u64| ns as f64 / (lines * runs) as f64 / 1000.0;
    let share = |bytes: u64| bytes as f64 / raw_bytes as f64 * 100.0;
    println!(
        "s per million lines: gathering {:.2}, writing {:.2}, merging {:.2}; {:.2} % sealed, {:.2} % merged",
        per_million(gathering),
        per_million(writing),
        per_million(merging),
        share(segments.iter().map(|segment| segment.bytes()).sum()),
        share(merged.bytes()),
    );
    if numbers.len() > 3 {
        std::process::Command::new("cp").arg("-r").arg(merged.directory()).arg("/tmp/weir-lines-merged").status()?;
    }
    Ok(())
}

fn id(first_file: u32, last_file: u32, generation: u32) -> SegmentId {
    SegmentId { signal: Signal::Logs, tenant: TenantId::default(), first_file, last_file, generation }
}

/// What this thread has run, ns.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
