//! Measures the figures of docs/performance.md and prints them as a table.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use weir_benches::figures::{Row, Scenario, Settings, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the figures of docs/performance.md.
#[derive(Debug, Parser)]
struct Cli {
    /// What to measure; everything when none is named.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// The weir binary; by default the one beside this.
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Where data folders are made; must be a disk.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
    /// Millions of spans of scenarios that send a number of them.
    #[arg(long, default_value_t = 6.0)]
    millions: f64,
    /// Millions of spans sent before CPU is measured: until then the journal has no files to write again.
    #[arg(long, default_value_t = 8.0)]
    warm_up: f64,
    /// Seconds of scenarios that send for a time.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Spans a second of the latency scenario: half of what `sustained` must reach.
    #[arg(long, default_value_t = 175_000.0)]
    rate: f64,
    /// Spans a second of the scenarios that measure CPU, and of `sustained`; flat out when not given. Where the cores are threads of one core, flat out
    /// the generator slows the server down and its CPU time grows.
    #[arg(long)]
    cpu_rate: Option<f64>,
    /// Spans a second of the scenario that sustains tail sampling.
    #[arg(long, default_value_t = 800_000.0)]
    tail_rate: f64,
    /// Seals of the scenario that counts segments.
    #[arg(long, default_value_t = 10_000)]
    seals: u64,
    /// Journal of the restart scenario, in GiB.
    #[arg(long, default_value_t = 1.0)]
    journal_gib: f64,
    /// Traces of the scenarios with known truth.
    #[arg(long, default_value_t = 1_000_000)]
    traces: u64,
    /// Traces a second of them.
    #[arg(long, default_value_t = 20_000.0)]
    trace_rate: f64,
    /// An OpenTelemetry Collector with the tail sampling processor, built with benches/collector-builder.yaml.
    #[arg(long)]
    collector: Option<PathBuf>,
    /// The interpreter of benches/other_engines.py.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Everything short: to see that it works, not to measure.
    #[arg(long)]
    quick: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let beside = std::env::current_exe()?.parent().context("a binary lies in a folder")?.to_owned();
    std::fs::create_dir_all(&cli.folder)?;
    let settings = Settings {
        weir: cli.weir.unwrap_or_else(|| beside.join("weir")),
        standard_way: beside.join("standard_way"),
        folder: cli.folder.canonicalize()?,
        spans: if cli.quick { 500_000 } else { (cli.millions * 1e6) as u64 },
        seconds: if cli.quick { 5.0 } else { cli.seconds },
        warm_up_spans: if cli.quick { 0 } else { (cli.warm_up * 1e6) as u64 },
        rate: cli.rate,
        cpu_rate: cli.cpu_rate,
        tail_rate: cli.tail_rate,
        seals: if cli.quick { 50 } else { cli.seals },
        journal_gib: if cli.quick { 0.1 } else { cli.journal_gib },
        traces: if cli.quick { 20_000 } else { cli.traces },
        trace_rate: cli.trace_rate,
        collector: cli.collector,
        python: cli.python,
        verify_traces: 2_000,
    };
    let scenarios = if cli.scenarios.is_empty() { Scenario::value_variants().to_vec() } else { cli.scenarios };
    // One thread, so that the server has the other core to itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut failed = false;
    for scenario in scenarios {
        let name = scenario.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default();
        eprintln!("{name}");
        match runtime.block_on(run(scenario, &settings)) {
            Ok(more) => rows.extend(more),
            Err(error) => {
                failed = true;
                rows.push(Row::reported(name, format!("FAILED: {error:#}")));
            }
        }
    }
    // Servers that were just killed are reaped here.
    runtime.shutdown_timeout(Duration::from_secs(5));
    println!("{}", Row::HEAD);
    for row in rows {
        println!("{row}");
    }
    anyhow::ensure!(!failed, "not everything could be measured");
    Ok(())
}
