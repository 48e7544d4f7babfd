//! Probes of many targets: what a running weir's CPU is with them and without.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::time::{Instant, sleep};
use weir_benches::{
    process,
    query::Query,
    server::{Server, ServerOptions},
};

/// Probes a site of this process, once an interval by each target, and says what it cost.
#[derive(Debug, Parser)]
struct Cli {
    /// The server.
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Targets.
    #[arg(long, default_value_t = 1000)]
    targets: usize,
    /// How often each is probed, in seconds.
    #[arg(long, default_value_t = 60)]
    every_s: u64,
    /// Intervals that are measured, without probes and with them.
    #[arg(long, default_value_t = 3)]
    intervals: u32,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let site = site()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&cli, site))
}

async fn run(cli: &Cli, site: SocketAddr) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&cli.folder)?;
    let targets = folder.path().join("targets.json");
    std::fs::write(&targets, "[]")?;
    let mut options = ServerOptions::new(&cli.weir, folder.path());
    options.receivers = format!(
        "  synthetic:
    allow: [127.0.0.0/8]
    modules: {{http_2xx: {{prober: http, http: {{preferred_ip_protocol: ip4}}}}}}
    probes:
    - job_name: site
      module: http_2xx
      interval: {}s
      file_sd_configs: [{{files: ['{}']}}]\n",
        cli.every_s,
        targets.display()
    );
    let server = Server::start(&options).await?;
    let without = measured(cli, &server, "without probes").await?;
    let names: Vec<String> = (0..cli.targets).map(|number| format!("\"http://{site}/{number}\"")).collect();
    std::fs::write(&targets, format!("[{{\"targets\": [{}]}}]", names.join(",")))?;
    // Once round, so that every series is there.
    sleep(Duration::from_secs(cli.every_s + 5)).await;
    let query = Query::new(server.query);
    let before = probed(&query).await?;
    let begin = Instant::now();
    let with = measured(cli, &server, "with probes").await?;
    let done = probed(&query).await? - before;
    let per_minute = done / begin.elapsed().as_secs_f64() * 60.0;
    println!("probes alone: {:.1} % of a core, {per_minute:.0} a minute", (with - without) * 100.0);
    let (_, answer) = query.json("/prometheus/api/v1/query?query=count(probe_success==1)").await?;
    let up = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
    ensure!(up.parse() == Ok(cli.targets), "{up} of {} targets are up", cli.targets);
    Ok(())
}

/// Probes so far.
async fn probed(query: &Query) -> anyhow::Result<f64> {
    let name = "weir_probes_total{outcome=\"ok\",prober=\"http\"}";
    let (_, metrics) = query.text("/metrics").await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.map_or(Ok(0.0), |value| value.trim().parse())?)
}

/// CPU time a second, in cores.
async fn measured(cli: &Cli, server: &Server, what: &str) -> anyhow::Result<f64> {
    let (begin, cpu) = (Instant::now(), process::cpu_s(server.pid()).context("it runs")?);
    sleep(Duration::from_secs(cli.every_s) * cli.intervals).await;
    let spent = process::cpu_s(server.pid()).context("it runs")? - cpu;
    let cores = spent / begin.elapsed().as_secs_f64();
    println!("{what}: {:.1} % of a core", cores * 100.0);
    Ok(cores)
}

/// Answers every request with a page of 2 KiB.
fn site() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2048\r\n\r\n{}", "x".repeat(2048));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = (&mut &stream).write_all(answer.as_bytes());
        }
    });
    Ok(address)
}
