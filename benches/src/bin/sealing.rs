//! Seals shop traffic in one thread, without a server: what an instruction counter or a profiler is held against.
//! Reads the payloads from a file as the sealer does, run after run; prints CPU time and page faults per million spans.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Parser;
use weir_benches::{
    process,
    shop::{BatchKey, HEAD_LEN, Traffic},
};
use weir_proto::{Signal, TenantId};
use weir_store::{
    Tally,
    disk::Disk,
    segment::{Builder, Segment, SegmentId, SpanBuilder, merge, write_segment},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Spans of a payload.
const BATCH: usize = 1000;
/// Batches to copy from: more than a core's cache.
const TEMPLATES: usize = 64;
/// Any time will do; the same each time makes the same segment.
const BASE_NS: u64 = 1_790_000_000_000_000_000;

/// Seals journalled payloads and says what it cost.
#[derive(Debug, Parser)]
struct Cli {
    /// Spans of a run.
    #[arg(long, default_value_t = 640_000)]
    spans: u64,
    /// Runs to seal, one after the other.
    #[arg(long, default_value_t = 4)]
    runs: u32,
    /// Runs to seal before anything is counted.
    #[arg(long, default_value_t = 1)]
    warm_ups: u32,
    /// Merges what the counted runs made, with this level of zstd, and counts that too.
    #[arg(long)]
    merge_level: Option<i32>,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let folder = tempfile::Builder::new().prefix("weir-sealing-").tempdir_in(&cli.folder)?;
    let journal = Journal::write(&folder.path().join("payloads"), cli.spans)?;
    // The sealer keeps its builder too.
    let mut builder = SpanBuilder::new();
    for run in 0..cli.warm_ups {
        seal(&journal, &mut builder, folder.path(), run)?;
    }
    let mut segments = Vec::new();
    let count = Count::start();
    for run in 0..cli.runs {
        segments.push(Arc::new(seal(&journal, &mut builder, folder.path(), cli.warm_ups + run)?));
    }
    count.print("sealed", segments.iter().map(|segment| &**segment));
    if let Some(level) = cli.merge_level {
        let count = Count::start();
        count.print("merged", [&merge_all(&segments, folder.path(), level)?]);
    }
    Ok(())
}

/// What was spent before.
struct Count {
    cpu_s: f64,
    page_faults: u64,
}

impl Count {
    fn start() -> Self {
        Self { cpu_s: process::own_cpu_s(), page_faults: process::own_page_faults() }
    }

    fn print<'a>(&self, what: &str, segments: impl IntoIterator<Item = &'a Segment>) {
        let (mut rows, mut bytes) = (0.0, 0.0);
        for segment in segments {
            rows += segment.rows() as f64;
            bytes += segment.bytes() as f64;
        }
        println!(
            "{what}: {:.2} s and {:.0} page faults per million spans, {:.2} B a span",
            (process::own_cpu_s() - self.cpu_s) / rows * 1e6,
            (process::own_page_faults() - self.page_faults) as f64 / rows * 1e6,
            bytes / rows,
        );
    }
}

/// Payloads one after the other.
struct Journal {
    file: File,
    lengths: Vec<usize>,
}

impl Journal {
    fn write(path: &Path, spans: u64) -> anyhow::Result<Self> {
        let traffic = Traffic::new(7, BATCH, TEMPLATES);
        let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
        let mut lengths = Vec::new();
        let mut payload = Vec::new();
        for number in 0..spans.div_ceil(BATCH as u64) {
            // A second has some 300 batches.
            traffic.fill(BatchKey { number, base_ns: BASE_NS + number * 3_300_000 }, &mut payload);
            file.write_all(&payload[HEAD_LEN..])?;
            lengths.push(payload.len() - HEAD_LEN);
        }
        Ok(Self { file, lengths })
    }
}

/// What is measured, under a name of its own for tools that start to count at a function.
#[inline(never)]
fn seal(journal: &Journal, builder: &mut SpanBuilder, folder: &Path, run: u32) -> anyhow::Result<Segment> {
    builder.clear();
    let mut file = &journal.file;
    file.rewind()?;
    for &length in &journal.lengths {
        let mut payload = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut payload)?;
        builder.push_payload(&payload, &[])?;
    }
    let id = SegmentId {
        signal: Signal::Traces,
        tenant: TenantId::default(),
        first_file: run + 1,
        last_file: run + 1,
        generation: 0,
    };
    Ok(write_segment(&Disk::system(), folder, &id, builder, Tally::default(), 1)?)
}

/// Merging, under a name of its own too.
#[inline(never)]
fn merge_all(segments: &[Arc<Segment>], folder: &Path, level: i32) -> anyhow::Result<Segment> {
    let last_file = segments.last().map_or(0, |segment| segment.id().last_file);
    let id = SegmentId { signal: Signal::Traces, tenant: TenantId::default(), first_file: 1, last_file, generation: 1 };
    Ok(merge(&Disk::system(), folder, &id, segments, level, &|| false)?)
}
