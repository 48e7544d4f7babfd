//! Takes JSON lines in and seals them in one thread, without a server: CPU time per million lines for each form and stage, and bytes of disk.
//! `ask` asks a server about stored lines, `truth` compares its answers with those of grep and jq, `pace`
//! says how long acks take at a rate, `files` what it costs to tail files.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use clap::Parser;
use weir_benches::{
    line_files::{self, Tailing},
    line_questions::{self, Asking, Pace},
    lines::{LineForm, Lines},
    process,
};
use weir_collector::{
    admission::{AdmissionRules, admit_lines},
    processors::Processing,
    receivers::SpanLimits,
};
use weir_proto::{
    Signal, TenantId,
    elasticsearch::{BulkOptions, transcode_bulk},
    loki::{PushOptions, SERVICE_LABELS, transcode_json, transcode_protobuf},
    otlp::logs::{IdNames, LineIds},
    splunk_hec::{Metadata, transcode_events},
    syslog::{Framing, Messages, Options, Origin, Step},
};
use weir_store::{
    Tally,
    disk::Disk,
    segment::{Builder, LineBuilder, Segment, SegmentId, merge, write_segment},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: u64 = 1000;
/// Any time will do.
const BASE_NS: u64 = 1_790_000_000_000_000_000;

/// Seals JSON lines and says what it cost.
#[derive(Debug, Parser)]
struct Cli {
    /// Lines of a run.
    #[arg(long, default_value_t = 400_000)]
    lines: u64,
    /// Runs, which are merged in the end.
    #[arg(long, default_value_t = 4)]
    runs: u64,
    /// zstd's level of the merged segment.
    #[arg(long, default_value_t = 1)]
    merge_level: i32,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Fills a server of its own, unless the folder was filled before, and asks it about its lines.
    Ask {
        /// The binary.
        #[arg(long, default_value = "target/release/weir")]
        weir: PathBuf,
        /// VictoriaLogs' binary: it is filled and asked beside Weir.
        #[arg(long)]
        victoria_logs: Option<PathBuf>,
        /// Its folder, which stays: a disk, not tmpfs.
        #[arg(long, default_value = "target/lines-ask")]
        data: PathBuf,
        /// Lines in all.
        #[arg(long, default_value_t = 20_000_000)]
        count: u64,
        /// How often each question is asked, after the first time.
        #[arg(long, default_value_t = 5)]
        rounds: u64,
    },
    /// Sends lines to a server of its own at a rate: how long acks take, and until a line is found.
    Pace {
        /// The binary.
        #[arg(long, default_value = "target/release/weir")]
        weir: PathBuf,
        /// Lines a second.
        #[arg(long, default_value_t = 200_000)]
        rate: u64,
        /// Spans a second beside them.
        #[arg(long, default_value_t = 0)]
        spans: u32,
        /// How long.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Tails files: what that costs, and how soon who follows has a line.
    Files {
        /// The binary.
        #[arg(long, default_value = "target/release/weir")]
        weir: PathBuf,
        /// A Collector with the receiver `filelog`: it reads the same files.
        #[arg(long)]
        otelcol: Option<PathBuf>,
        /// Lines of the file that is read whole.
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
        /// How long files grow, are idle, and are followed.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Lines a second that are followed.
        #[arg(long, default_value_t = 50_000)]
        rate: u64,
        /// Measures nothing but what other operators cost than `json_parser`.
        #[arg(long)]
        operators: bool,
    },
    /// Asks a server of its own what grep and jq are asked, and compares.
    Truth {
        /// The binary.
        #[arg(long, default_value = "target/release/weir")]
        weir: PathBuf,
        /// Lines that are made, beside those of ../shared/corpora/logs.
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
    },
}

/// CPU seconds of each stage.
#[derive(Debug, Default)]
struct Spent {
    transcoding: f64,
    admission: f64,
    sealing: f64,
    merging: f64,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match &cli.what {
        Some(What::Ask { weir, victoria_logs, data, count, rounds }) => {
            let folder = std::path::absolute(data)?;
            let (victoria_logs, rounds) = (victoria_logs.as_deref(), (*rounds).max(1));
            let asking = Asking { weir, victoria_logs, folder: &folder, lines: *count, rounds };
            return runtime()?.block_on(line_questions::ask(asking));
        }
        Some(What::Truth { weir, count }) => {
            let folder = std::path::absolute(&cli.folder)?;
            return runtime()?.block_on(line_questions::truth(weir, &folder, *count));
        }
        Some(What::Files { weir, otelcol, count, seconds, rate, operators }) => {
            let folder = std::path::absolute(&cli.folder)?;
            let (otelcol, count, seconds) = (otelcol.as_deref(), *count, *seconds);
            let tailing = Tailing {
                weir,
                otelcol,
                folder: &folder,
                count,
                seconds,
                followed_rate: *rate,
                only_operators: *operators,
            };
            return runtime()?.block_on(line_files::files(tailing));
        }
        Some(What::Pace { weir, rate, spans, seconds }) => {
            let folder = std::path::absolute(&cli.folder)?;
            return runtime()?.block_on(line_questions::pace(
                weir,
                &folder,
                Pace { lines: *rate, spans: *spans, seconds: *seconds },
            ));
        }
        None => {}
    }
    for form in LineForm::ALL {
        measure(&cli, form)?;
    }
    Ok(())
}

fn measure(cli: &Cli, form: LineForm) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("weir-lines-").tempdir_in(&cli.folder)?;
    let mut spent = Spent::default();
    let mut raw_bytes = 0;
    let mut segments = Vec::new();
    let mut builder = LineBuilder::new();
    for run in 0..cli.runs {
        builder.clear();
        for number in 0..cli.lines / BATCH {
            let batch = run * (cli.lines / BATCH) + number;
            let base_ns = BASE_NS + batch * 3_300_000;
            let (body, raw) = Lines::new(7).batch(batch, BATCH, base_ns, form);
            raw_bytes += raw;
            let (payload, ids) = admitted(body, form, base_ns, &mut spent)?;
            let begun = process::own_cpu_s();
            let mut ids = ids.into_iter();
            builder.push_lines(&payload, &[], base_ns, |_| ids.next().unwrap_or_default())?;
            spent.sealing += process::own_cpu_s() - begun;
        }
        let begun = process::own_cpu_s();
        let segment = write_segment(
            &Disk::system(),
            folder.path(),
            &id(run as u32 + 1, run as u32 + 1, 0),
            &builder,
            Tally::default(),
            1,
        )?;
        spent.sealing += process::own_cpu_s() - begun;
        segments.push(Arc::new(segment));
    }
    let begun = process::own_cpu_s();
    let merged =
        merge(&Disk::system(), folder.path(), &id(1, cli.runs as u32, 1), &segments, cli.merge_level, &|| false)?;
    spent.merging = process::own_cpu_s() - begun;
    print(form, &spent, raw_bytes, &segments, &merged);
    Ok(())
}

/// The journalled payload, and what its lines belong to: the sealer is told by the head.
fn admitted(body: Vec<u8>, form: LineForm, now_ns: u64, spent: &mut Spent) -> anyhow::Result<(Bytes, Vec<LineIds>)> {
    let service_labels = SERVICE_LABELS.map(str::to_owned);
    let options = PushOptions { service_labels: &service_labels, keeps_times: true, bytes_max: 64 << 20 };
    let begun = process::own_cpu_s();
    let payload: Bytes = match form {
        LineForm::Otlp | LineForm::OtlpText => body,
        LineForm::LokiJson => transcode_json(&body, options)?,
        LineForm::LokiProtobuf => transcode_protobuf(&body, options)?,
        LineForm::Bulk => {
            let options = BulkOptions { index: None, documents_max: 1 << 20, bytes_max: 64 << 20, fields_max: 1024 };
            transcode_bulk(&body, options)?.payload
        }
        LineForm::Hec => transcode_events(&body, &Metadata::default(), 64 << 20)?,
        LineForm::Syslog => syslog(&body, now_ns),
    }
    .into();
    spent.transcoding += process::own_cpu_s() - begun;
    let rules = AdmissionRules {
        limits: SpanLimits::default().into(),
        accept_past: None,
        accept_future: None,
        processing: Processing::NONE,
        line_ids: IdNames::USUAL,
    };
    let begun = process::own_cpu_s();
    let admitted = admit_lines(TenantId::default(), payload, now_ns, &rules)?;
    spent.admission += process::own_cpu_s() - begun;
    let ids = admitted.batch.summaries.ids().map(|(_, ids)| ids).collect();
    Ok((admitted.batch.payload.into_bytes(), ids))
}

/// What a connection does with what it read.
fn syslog(stream: &[u8], now_ns: u64) -> Vec<u8> {
    let mut messages = Messages::new(Options::default(), stream.len() * 2);
    let mut framing = Framing::new(1 << 20);
    let mut done = 0;
    loop {
        match framing.step(&stream[done..], true) {
            Step::More => return messages.finish(),
            Step::Skip(bytes) => done += bytes,
            Step::Message { from, to, consumed, .. } => {
                messages.push(&stream[done + from..done + to], Origin { now_ns, ..Origin::default() });
                done += consumed;
            }
        }
    }
}

fn id(first_file: u32, last_file: u32, generation: u32) -> SegmentId {
    SegmentId { signal: Signal::Logs, tenant: TenantId::default(), first_file, last_file, generation }
}

fn print(form: LineForm, spent: &Spent, raw_bytes: u64, sealed: &[Arc<Segment>], merged: &Segment) {
    let lines = merged.rows() as f64;
    let per_million = |seconds: f64| seconds / lines * 1e6;
    let Spent { transcoding, admission, sealing, merging } = spent;
    let sealed_bytes: u64 = sealed.iter().map(|segment| segment.bytes()).sum();
    let share = |bytes: u64| bytes as f64 / raw_bytes as f64 * 100.0;
    println!(
        "{}: {:.2} s per million lines (transcoding {:.2}, admission {:.2}, sealing {:.2}, merging {:.2}); of {:.0} B a line {:.1} % sealed, \
         {:.1} % merged",
        form.name(),
        per_million(transcoding + admission + sealing + merging),
        per_million(*transcoding),
        per_million(*admission),
        per_million(*sealing),
        per_million(*merging),
        raw_bytes as f64 / lines,
        share(sealed_bytes),
        share(merged.bytes()),
    );
}
