//! What metrics cost, without the query engine: scrapes and remote write to the head, memory a series, selection, disk, recovery.
//!
//! `cargo run --release -p weir-benches --bin series -- scrape|write|memory|merged|recovery`. Each says what it did and the figure.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
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
    client::Http1,
    process,
    series::{
        fill::{Filled, START_MS, STEP_MS},
        serve::serve,
        written,
    },
};
use weir_collector::{
    receivers::{
        prometheus::{PrometheusConfig, Scraper, Surroundings},
        remote_write::{PATH, RemoteWrite, RemoteWriteConfig},
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
    /// The same of remote write 1 and 2 and of OTLP, requests of 2,000 samples made before.
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
    /// Fills a running Weir by remote write, and asks it: how long queries over all series take. Start it with an empty folder.
    Ask {
        /// Where it takes queries.
        #[arg(long, default_value = "127.0.0.1:4320")]
        address: SocketAddr,
        /// Samples of each series, every 15 s, the newest now.
        #[arg(long, default_value_t = 61)]
        rounds: u64,
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
        What::Ask { address, rounds } => ask_server(address, cli.targets, rounds).await,
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

async fn scrape(folder: &Path, targets: u64, every_s: u64, seconds: u64) -> anyhow::Result<()> {
    let mut serving = Command::new(std::env::current_exe()?);
    serving.args(["serve", "--targets", &targets.to_string()]).stdout(std::process::Stdio::piped());
    let mut serving = Ended(serving.spawn().context("targets")?);
    let mut port = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(serving.0.stdout.take().context("its output")?),
        &mut port,
    )?;
    let store = open(folder).await?;
    let mut door = SampleDoor::new(&store, AcceptWindow::default());
    let samples = Arc::new(AtomicU64::new(0));
    let (counted, append) = (samples.clone(), door.append.clone());
    door.append = Arc::new(move |batch| {
        counted.fetch_add(batch.floats.len() as u64, Relaxed);
        append(batch)
    });
    let jobs: Vec<_> = (0..targets)
        .map(|target| {
            serde_json::json!({
                "targets": [format!("127.0.0.1:{}", port.trim())],
                "labels": {"__metrics_path__": format!("/{target}"), "instance": format!("node-{target:04}:9100")},
            })
        })
        .collect();
    let config: PrometheusConfig = serde_json::from_value(serde_json::json!({"config": {"scrape_configs": [{
        "job_name": "node", "scrape_interval": format!("{every_s}s"), "scrape_timeout": format!("{every_s}s"),
        "static_configs": jobs,
    }]}}))?;
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
            // Half an hour: the journal file is closed, and sealed beside what goes on.
            most = most.max(bytes() - before);
            filled.store.roll().await;
            while journal_files(&filled.store) > 1 {
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

/// Files of metrics that are not sealed.
fn journal_files(store: &Store) -> u64 {
    let mut signals = store.status(&TenantId::default()).signals.into_iter();
    signals.find(|status| status.signal == Signal::Metrics).map_or(0, |status| status.journal_files)
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

/// The same with the engine and HTTP around it.
async fn ask_server(address: SocketAddr, targets: u64, rounds: u64) -> anyhow::Result<()> {
    let client = Http1::new(address);
    let end_ms = (Clock::system().now_ns() / 1_000_000) as i64;
    let start_ms = end_ms - (rounds as i64 - 1) * STEP_MS;
    for round in 0..rounds {
        for (body, _) in written::bodies(written::Form::First, targets, (round, start_ms + round as i64 * STEP_MS)) {
            let (status, words) = client.post(PATH, body).await?;
            if status != http::StatusCode::NO_CONTENT {
                bail!("{status}: {}", String::from_utf8_lossy(&words));
            }
        }
    }
    let range = |query: &str, steps: i64| {
        let (start, end) = ((end_ms - (steps - 1) * STEP_MS) as f64 / 1e3, end_ms as f64 / 1e3);
        format!("/prometheus/api/v1/query_range?query={query}&start={start}&end={end}&step=15")
    };
    let steps = rounds.min(41) as i64;
    let some = "node_cpu_seconds_total%7Binstance%3D~%22node-00(0.%7C1.%7C2[0-4]):9100%22%7D";
    let questions = [
        ("sum by (__name__) of all series", range("sum%20by(__name__)(%7Bjob%3D%22node%22%7D)", steps), 5),
        ("rate by mode, 6,400 series", range(&format!("sum%20by(mode)(rate({some}[5m]))"), rounds as i64), 11),
        (
            "label values with match[]",
            "/prometheus/api/v1/label/__name__/values?match[]=%7Bjob%3D%22node%22%7D".into(),
            101,
        ),
    ];
    for (name, path, times) in questions {
        let mut took = Vec::new();
        for _ in 0..times {
            let begin = Instant::now();
            let (status, body) = client.get(&path).await?;
            if status != http::StatusCode::OK {
                bail!("{name}: {status}: {}", String::from_utf8_lossy(&body));
            }
            took.push(begin.elapsed());
        }
        took.sort();
        println!("{name}: {:.1?} in the middle, {:.1?} at most, of {times}", took[times / 2], took[times - 1]);
    }
    Ok(())
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
