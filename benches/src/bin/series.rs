//! What metrics cost: scrapes and remote write to the head, memory a series, selection, disk, recovery; questions to whole servers.
//!
//! `cargo run --release -p weir-benches --bin series -- WHAT`, `--help` says which. Each says what it did and the figure.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use weir_benches::{
    process,
    series::{
        fill::{Filled, START_MS, STEP_MS},
        peers::{self, Peer, scrape_configs},
        same,
        serve::serve,
        whole, written,
    },
};
use weir_collector::{
    receivers::{
        prometheus::{PrometheusConfig, Scraper, Surroundings},
        remote_write::{RemoteWrite, RemoteWriteConfig},
    },
    samples::{AcceptWindow, SampleDoor},
};
use weir_port::{Authenticate, Caller};
use weir_proto::{
    Signal, TenantId,
    metrics::{LabelMatcher, MatchOp},
    time::Clock,
};
use weir_store::{SeriesSamples, Store, StoreOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what metrics cost.
#[derive(Debug, Parser)]
struct Cli {
    /// Targets, of 794 series each: 303,000 in all.
    #[arg(long, default_value_t = 382, global = true)]
    targets: u64,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target", global = true)]
    folder: PathBuf,
    #[command(subcommand)]
    what: What,
}

/// The server.
#[derive(Debug, clap::Args)]
struct Weir {
    /// Its binary.
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU of this process per million samples scraped over HTTP, journalled and in the head; targets run in another process.
    Scrape {
        /// Between two scrapes of a target, in seconds.
        #[arg(long, default_value_t = 5)]
        every_s: u64,
        /// How long after the first round.
        #[arg(long, default_value_t = 40)]
        seconds: u64,
    },
    /// The same of remote write 1 and 2, requests of 2,000 samples made before.
    Write {
        /// Samples of each series.
        #[arg(long, default_value_t = 6)]
        rounds: u64,
    },
    /// Memory a series after 65 minutes of samples every 15 s, and how long selecting and reading them takes.
    Memory {
        /// Scrapes.
        #[arg(long, default_value_t = 260)]
        scrapes: u64,
    },
    /// Bytes a sample of a merged day.
    Merged {
        /// Scrapes, a day of them.
        #[arg(long, default_value_t = 5760)]
        scrapes: u64,
    },
    /// How long a store with unsealed samples takes to open after `kill -9`.
    Recovery {
        /// In millions.
        #[arg(long, default_value_t = 30)]
        samples: u64,
    },
    /// Fills a Weir by remote write, and asks it: how long queries over all series take.
    Ask {
        #[command(flatten)]
        weir: Weir,
        /// Samples of each series, every 15 s, the newest now.
        #[arg(long, default_value_t = 261)]
        rounds: u64,
    },
    /// The same of a merged day: of 25 targets every 15 s, and of all every 5 min.
    Day {
        #[command(flatten)]
        weir: Weir,
    },
    /// CPU of a Weir per million samples sent to it over HTTP, and how soon they are acknowledged and seen.
    Sent {
        #[command(flatten)]
        weir: Weir,
        /// Samples of each series.
        #[arg(long, default_value_t = 6)]
        rounds: u64,
    },
    /// Weir, Prometheus and VictoriaMetrics, one after the other: the same targets, the same questions. Who is not there is left out.
    Peers {
        #[command(flatten)]
        weir: Weir,
        /// Prometheus' binary.
        #[arg(long, default_value = "/usr/bin/prometheus")]
        prometheus: PathBuf,
        /// VictoriaMetrics' single binary.
        #[arg(long, default_value = "/usr/bin/victoria-metrics")]
        victoria: PathBuf,
        /// Between two scrapes of a target, in seconds.
        #[arg(long, default_value_t = 5)]
        every_s: u64,
        /// How long after the first rounds.
        #[arg(long, default_value_t = 40)]
        seconds: u64,
    },
    /// Prometheus scrapes a few targets and writes to Weir, in both versions: whether both answer the same.
    Same {
        #[command(flatten)]
        weir: Weir,
        /// Prometheus' binary.
        #[arg(long, default_value = "/usr/bin/prometheus")]
        prometheus: PathBuf,
    },
    /// Targets, for `scrape`.
    #[command(hide = true)]
    Serve,
    /// Fills a folder and is killed, for `recovery`.
    #[command(hide = true)]
    Fill { path: PathBuf, scrapes: u64 },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if matches!(cli.what, What::Serve) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        println!("{}", listener.local_addr()?.port());
        return Ok(serve(listener, cli.targets)?);
    }
    let folder = tempfile::Builder::new().prefix("weir-series-").tempdir_in(&cli.folder)?;
    match cli.what {
        What::Scrape { every_s, seconds } => scrape(folder.path(), cli.targets, every_s, seconds).await,
        What::Write { rounds } => write(folder.path(), cli.targets, rounds).await,
        What::Memory { scrapes } => memory(folder.path(), cli.targets, scrapes).await,
        What::Merged { scrapes } => merged(folder.path(), cli.targets.min(25), scrapes).await,
        What::Recovery { samples } => recovery(folder.path(), cli.targets, samples * 1_000_000).await,
        What::Ask { weir, rounds } => whole::fresh(&weir.weir, folder.path(), cli.targets, rounds).await,
        What::Day { weir } => {
            for (name, targets, step_ms) in [("few", cli.targets.min(25), STEP_MS), ("all", cli.targets, 300_000)] {
                let folder = folder.path().join(name);
                std::fs::create_dir_all(&folder)?;
                whole::day(&weir.weir, &folder, targets, step_ms).await?;
            }
            Ok(())
        }
        What::Sent { weir, rounds } => whole::sent(&weir.weir, folder.path(), cli.targets, rounds).await,
        What::Peers { weir, prometheus, victoria, every_s, seconds } => {
            let (_serving, port) = serving(cli.targets)?;
            for (peer, binary) in [(Peer::Weir, weir.weir), (Peer::Prometheus, prometheus), (Peer::Victoria, victoria)]
            {
                if let Some(binary) = peers::found(peer, &binary) {
                    whole::beside((peer, &binary), folder.path(), (port, cli.targets), (every_s, seconds)).await?;
                }
            }
            Ok(())
        }
        What::Same { weir, prometheus } => {
            let targets = cli.targets.min(12);
            let (_serving, port) = serving(targets)?;
            let Some(prometheus) = peers::found(Peer::Prometheus, &prometheus) else { return Ok(()) };
            same::compare((&weir.weir, &prometheus), folder.path(), (port, targets), 45).await
        }
        What::Serve => unreachable!("served above"),
        What::Fill { path, scrapes } => {
            let mut filled = Filled::open(options(&path), cli.targets).await?;
            filled.scrapes(scrapes).await?;
            println!("filled");
            std::process::abort();
        }
    }
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The samples' times are not those of today.
fn options(folder: &Path) -> StoreOptions {
    StoreOptions { retention_metrics: None, ..StoreOptions::new(folder) }
}

async fn open(folder: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(options(folder), None, Clock::system()).await?)
}

/// Targets in a process of their own, and their port.
fn serving(targets: u64) -> anyhow::Result<(Ended, u16)> {
    let mut serving = Command::new(std::env::current_exe()?);
    serving.args(["serve", "--targets", &targets.to_string()]).stdout(std::process::Stdio::piped());
    let mut serving = Ended(serving.spawn().context("targets")?);
    let mut port = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(serving.0.stdout.take().context("its output")?),
        &mut port,
    )?;
    Ok((serving, port.trim().parse()?))
}

async fn scrape(folder: &Path, targets: u64, every_s: u64, seconds: u64) -> anyhow::Result<()> {
    let (_serving, port) = serving(targets)?;
    let store = open(folder).await?;
    let mut door = SampleDoor::new(&store, AcceptWindow::default());
    let samples = Arc::new(AtomicU64::new(0));
    let (counted, append) = (samples.clone(), door.append.clone());
    door.append = Arc::new(move |batch| {
        counted.fetch_add(batch.floats.len() as u64, Relaxed);
        append(batch)
    });
    let scrape = scrape_configs(port, targets, every_s);
    let config: PrometheusConfig = serde_json::from_value(serde_json::json!({"config": {"scrape_configs": scrape}}))?;
    let surroundings = Surroundings {
        tenant: TenantId::default(),
        door,
        clock: Clock::system(),
        read_yaml: |_| Err("no YAML here".into()),
        hostname: "bench".into(),
        tracker: Default::default(),
        stop: Default::default(),
    };
    let stop = surroundings.stop.clone();
    let _scraper = Scraper::start(&config, surroundings)?;
    // Every target's first scrape makes its series.
    tokio::time::sleep(Duration::from_secs(every_s * 2)).await;
    let (cpu_s, before) = (process::own_cpu_s(), samples.load(Relaxed));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (cpu_s, scraped) = (process::own_cpu_s() - cpu_s, samples.load(Relaxed) - before);
    stop.cancel();
    if scraped == 0 {
        bail!("nothing was scraped");
    }
    println!("scraped {scraped} samples of {targets} targets: {:.3} CPU s a million", cpu_s * 1e6 / scraped as f64);
    store.shutdown().await;
    Ok(())
}

async fn write(folder: &Path, targets: u64, rounds: u64) -> anyhow::Result<()> {
    for (name, form) in [("remote write 1", written::Form::First), ("remote write 2", written::Form::Second)] {
        let store = open(&folder.join(name)).await?;
        let door = SampleDoor::new(&store, AcceptWindow::default());
        let authenticate: Authenticate = Arc::new(|_: &Caller<'_>| Ok(TenantId::default()));
        let taking = RemoteWrite::new(&RemoteWriteConfig::default(), door, authenticate, Clock::system());
        let (mut cpu_s, mut samples) = (0.0, 0);
        for round in 0..rounds {
            let time_ms = START_MS + round as i64 * STEP_MS;
            let requests = written::requests(form, targets, (round, time_ms));
            let before = process::own_cpu_s();
            for (request, count) in requests {
                let answer = taking.answer(request).await;
                if answer.status() != http::StatusCode::NO_CONTENT {
                    bail!("{name}: {}", answer.status());
                }
                // The first round makes the series.
                samples += if round == 0 { 0 } else { count };
            }
            cpu_s += if round == 0 { 0.0 } else { process::own_cpu_s() - before };
        }
        println!("{name}: {samples} samples, {:.3} CPU s a million", cpu_s * 1e6 / samples as f64);
        store.shutdown().await;
    }
    Ok(())
}

async fn memory(folder: &Path, targets: u64, scrapes: u64) -> anyhow::Result<()> {
    let pid = std::process::id();
    let bytes = || process::memory_bytes(pid).unwrap_or_default();
    let before = bytes();
    let mut filled = Filled::open(options(folder), targets).await?;
    let (cpu_s, series) = (process::own_cpu_s(), filled.series());
    println!("{:.0} bytes a series before its first sample", (bytes() - before) as f64 / series as f64);
    let mut most = 0;
    for scrape in 0..scrapes {
        filled.scrapes(1).await?;
        if scrape % 120 == 119 {
            // Half an hour: the journal file is closed, and sealed before most targets are scraped again.
            filled.store.roll().await;
            most = most.max(bytes() - before);
            while head_samples(&filled.store) > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                most = most.max(bytes() - before);
            }
        }
    }
    let cpu_s = process::own_cpu_s() - cpu_s;
    // What was freed is given back in a moment.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = bytes() - before;
    let samples = (series as u64 * scrapes) as f64;
    println!(
        "{series} series, {scrapes} scrapes: {:.0} bytes a series at the end, {:.0} at most",
        after as f64 / series as f64,
        most as f64 / series as f64
    );
    println!("{:.3} CPU s a million samples, sealing and the making of values included", cpu_s * 1e6 / samples);
    ask(&filled.store, scrapes);
    filled.store.shutdown().await;
    Ok(())
}

/// Samples that are not sealed.
fn head_samples(store: &Store) -> u64 {
    let mut signals = store.status(&TenantId::default()).signals.into_iter();
    signals.find(|status| status.signal == Signal::Metrics).map_or(0, |status| status.head_items)
}

/// What of a query is the store's part.
fn ask(store: &Store, scrapes: u64) {
    let tenant = TenantId::default();
    let matcher = |name: &str, value: &str| LabelMatcher { name: name.into(), op: MatchOp::Equal, value: value.into() };
    let end_ms = START_MS + (scrapes as i64 - 1) * STEP_MS;
    let job = [matcher("job", "node")];
    for steps in [41, 241] {
        let begin = Instant::now();
        let from_ms = end_ms - (steps + 19) * STEP_MS;
        let found = store.snapshot().series(&tenant, &job, from_ms, end_ms).expect("readable");
        let selected = begin.elapsed();
        let (mut samples, mut count) = (SeriesSamples::default(), 0);
        for series in &found {
            samples.clear();
            series.read(from_ms, end_ms, &mut samples).expect("readable");
            count += samples.len();
        }
        println!(
            "{} series selected in {selected:.1?}, {count} samples of {steps} steps read in {:.1?}",
            found.len(),
            begin.elapsed()
        );
    }
    let mut times: Vec<Duration> = (0..100)
        .map(|n| {
            let begin = Instant::now();
            // There may be few targets.
            let instance = [matcher("instance", &format!("node-{:04}:9100", n % 25))];
            let all = [job.clone(), instance].concat();
            let values =
                store.snapshot().label_values(&tenant, "__name__", if n % 2 == 0 { &job } else { &all }, 0, i64::MAX);
            assert!(!values.expect("readable").is_empty());
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!("label values with match[]: {:.1?} in the middle, {:.1?} at most", times[50], times[99]);
}

async fn merged(folder: &Path, targets: u64, scrapes: u64) -> anyhow::Result<()> {
    let mut filled = Filled::open(options(folder), targets).await?;
    for scrape in 0..scrapes {
        filled.scrapes(1).await?;
        if scrape % 120 == 119 || scrape + 1 == scrapes {
            filled.store.roll().await;
        }
    }
    let status = || {
        let mut signals = filled.store.status(&TenantId::default()).signals.into_iter();
        signals.find(|status| status.signal == Signal::Metrics).expect("there are metrics")
    };
    let begin = Instant::now();
    let mut last = (0, Instant::now());
    // Merged when nothing changes for a while.
    while last.1.elapsed() < Duration::from_secs(10) {
        let (now, files) = (status().segments, status().journal_files);
        if now != last.0 || files > 1 {
            last = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let end = status();
    println!(
        "{} samples in {} segments, merged in {:.1?}: {:.3} bytes a sample",
        end.segment_rows,
        end.segments,
        begin.elapsed() - Duration::from_secs(10),
        end.segment_bytes as f64 / end.segment_rows as f64
    );
    ask(&filled.store, scrapes);
    filled.store.shutdown().await;
    Ok(())
}

async fn recovery(folder: &Path, targets: u64, samples: u64) -> anyhow::Result<()> {
    let scrapes = samples / (targets * weir_benches::series::node::Node::default().series() as u64);
    let mut filling = Command::new(std::env::current_exe()?);
    filling.arg("--folder").arg(folder).args(["--targets", &targets.to_string(), "fill"]);
    filling.arg(folder.join("data")).arg(scrapes.to_string()).status()?;
    let (begin, cpu_s) = (Instant::now(), process::own_cpu_s());
    let store = open(&folder.join("data")).await?;
    let (taken, cpu_s) = (begin.elapsed(), process::own_cpu_s() - cpu_s);
    let status = store.status(&TenantId::default()).signals.into_iter().find(|status| status.signal == Signal::Metrics);
    let there = status.map_or(0, |status| status.head_items);
    println!("{there} unsealed samples: ready after {taken:.2?}, {cpu_s:.2} CPU s");
    store.shutdown().await;
    Ok(())
}
