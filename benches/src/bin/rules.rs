//! Rules over many series: what a running weir's CPU and lateness are with them and without, and how soon it is right again after a kill.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use http_body_util::Full;
use hyper::Request;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point},
};
use prost::Message;
use tokio::time::{Instant, sleep};
use weir_benches::{
    client::Http1,
    process,
    query::Query,
    server::{Server, ServerOptions},
};
use weir_proto::time::Clock;

/// Points of one request, and series of one path.
const POINTS: usize = 1000;

/// Evaluates rules while samples come in, and says what it cost.
#[derive(Debug, Parser)]
struct Cli {
    /// The server.
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Series, in thousands.
    #[arg(long, default_value_t = 303)]
    series_k: usize,
    /// Rules, half of them alerts.
    #[arg(long, default_value_t = 10_000)]
    rules: usize,
    /// Rules of a group.
    #[arg(long, default_value_t = 50)]
    group: usize,
    /// Every alert fires, not every second one.
    #[arg(long)]
    all_fire: bool,
    /// How often samples come and rules are evaluated, in seconds.
    #[arg(long, default_value_t = 30)]
    every_s: u64,
    /// Intervals that are measured, without rules and with them.
    #[arg(long, default_value_t = 4)]
    intervals: u32,
    /// A Prometheus that is given the same samples and rules at the same time.
    #[arg(long)]
    prometheus: Option<PathBuf>,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&cli))
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&cli.folder)?;
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, "groups: []\n")?;
    let mut options = ServerOptions::new(&cli.weir, folder.path());
    options.more = format!("alerting: {{rule_files: ['{}']}}\n", rules.display());
    let server = Server::start(&options).await?;
    let prometheus = match &cli.prometheus {
        Some(binary) => Some(Prometheus::start(binary, folder.path(), &rules).await?),
        None => None,
    };
    let mut subjects = vec![Subject { name: "weir", address: server.http, path: "/v1/metrics", pid: server.pid() }];
    subjects.extend(prometheus.as_ref().map(Prometheus::subject));
    send(cli, &subjects).await?;
    let without = measured(cli, &subjects, "without rules").await?;
    std::fs::write(&rules, text(cli))?;
    if let Some(prometheus) = &prometheus {
        prometheus.reload().await?;
    }
    let query = Query::new(server.query);
    query
        .until("the rules are read", Duration::from_secs(60), |metrics| {
            metrics.get("weir_rules").is_some_and(|rules| *rules as usize == cli.rules)
        })
        .await?;
    // Once round, so that every series is there.
    send(cli, &subjects).await?;
    sleep(Duration::from_secs(cli.every_s)).await;
    let with = measured(cli, &subjects, "with rules").await?;
    for (subject, (with, without)) in subjects.iter().zip(with.iter().zip(&without)) {
        println!("{}: rules alone: {:.1} % of a core", subject.name, (with - without) * 100.0);
    }
    drop(prometheus);
    let (_, metrics) = query.text("/metrics").await?;
    let is_shown = |line: &&str| line.starts_with("weir_rule") && !line.contains("duration");
    metrics.lines().filter(is_shown).for_each(|line| println!("{line}"));
    let before = firing(&query).await?;
    server.kill().await?;
    let killed = Instant::now();
    let server = Server::start(&options).await?;
    let ready = killed.elapsed();
    subjects.truncate(1);
    (subjects[0].address, subjects[0].pid) = (server.http, server.pid());
    send(cli, &subjects).await?;
    let query = Query::new(server.query);
    while query.metrics().await?.get("weir_rule_evaluations_total").is_none_or(|count| (*count as usize) < cli.rules) {
        ensure!(killed.elapsed() < Duration::from_secs(3 * cli.every_s + 60), "no evaluation after the kill");
        sleep(Duration::from_millis(100)).await;
    }
    let after = firing(&query).await?;
    println!(
        "{before} alerts before a kill, {after} after it; ready after {ready:.1?}, all evaluated after {:.1?}",
        killed.elapsed()
    );
    Ok(())
}

/// Who is measured.
struct Subject {
    name: &'static str,
    address: SocketAddr,
    /// Where it takes OTLP.
    path: &'static str,
    pid: u32,
}

/// A running Prometheus. Killed when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    async fn start(binary: &Path, folder: &Path, rules: &Path) -> anyhow::Result<Self> {
        let config = folder.join("prometheus.yml");
        std::fs::write(&config, format!("rule_files: ['{}']\n", rules.display()))?;
        // Free until now: nobody else listens there so soon.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(binary)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-otlp-receiver", "--web.enable-lifecycle", "--log.level=error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let this = Self { child, address };
        let begin = Instant::now();
        while !Query::new(address).text("/-/ready").await.is_ok_and(|(status, _)| status.is_success()) {
            ensure!(begin.elapsed() < Duration::from_secs(60), "Prometheus is not ready");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(this)
    }

    fn subject(&self) -> Subject {
        Subject { name: "prometheus", address: self.address, path: "/api/v1/otlp/v1/metrics", pid: self.child.id() }
    }

    async fn reload(&self) -> anyhow::Result<()> {
        let request = Request::post("/-/reload").header("host", self.address.to_string()).body(Full::default())?;
        let (status, _) = Http1::new(self.address).send(request).await?;
        ensure!(status.is_success(), "Prometheus did not read the rules: {status}");
        Ok(())
    }
}

/// CPU time a second of each while samples come every interval, in cores.
async fn measured(cli: &Cli, subjects: &[Subject], what: &str) -> anyhow::Result<Vec<f64>> {
    let cpu = || subjects.iter().map(|subject| process::cpu_s(subject.pid).context("it runs"));
    let (begin, before) = (Instant::now(), cpu().collect::<anyhow::Result<Vec<f64>>>()?);
    for interval in 0..cli.intervals {
        send(cli, subjects).await?;
        tokio::time::sleep_until(begin + Duration::from_secs(cli.every_s) * (interval + 1)).await;
    }
    let after = cpu().collect::<anyhow::Result<Vec<f64>>>()?;
    let seconds = begin.elapsed().as_secs_f64();
    let cores: Vec<f64> = before.iter().zip(&after).map(|(before, after)| (after - before) / seconds).collect();
    for (subject, cores) in subjects.iter().zip(&cores) {
        println!("{} {what}: {:.1} % of a core", subject.name, cores * 100.0);
    }
    Ok(cores)
}

/// One sample of every series, to each of them.
async fn send(cli: &Cli, subjects: &[Subject]) -> anyhow::Result<()> {
    let clients: Vec<Http1> = subjects.iter().map(|subject| Http1::new(subject.address)).collect();
    let time_unix_nano = Clock::system().now_ns();
    for path in 0..cli.series_k {
        let points = (0..POINTS).map(|number| NumberDataPoint {
            attributes: vec![label("path", path), label("code", number % 5), label("pod", number / 5)],
            time_unix_nano,
            value: Some(number_data_point::Value::AsDouble((number % 7) as f64)),
            ..NumberDataPoint::default()
        });
        let gauge = Gauge { data_points: points.collect() };
        let metric = Metric { name: "load".into(), data: Some(metric::Data::Gauge(gauge)), ..Metric::default() };
        let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
        let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
        let body = Bytes::from(ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec());
        for (client, subject) in clients.iter().zip(subjects) {
            let request = Request::post(subject.path)
                .header("host", subject.address.to_string())
                .header("content-type", "application/x-protobuf")
                .body(Full::new(body.clone()))?;
            let (status, _) = client.send(request).await?;
            ensure!(status.is_success(), "{}: samples were refused: {status}", subject.name);
        }
    }
    Ok(())
}

fn label(key: &str, number: usize) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(format!("v{number}"))) };
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

/// Sums by code of one path's series, and alerts on each of them; every second alert fires, or all.
fn text(cli: &Cli) -> String {
    let mut text = String::from("groups:\n");
    for pair in 0..cli.rules / 2 {
        if (2 * pair).is_multiple_of(cli.group.max(2)) {
            text += &format!("- name: g{pair}\n  interval: {}s\n  rules:\n", cli.every_s);
        }
        let path = pair % cli.series_k.max(1);
        let threshold = if cli.all_fire || pair % 2 == 0 { 0 } else { 1_000_000 };
        text += &format!(
            "  - {{record: 'path:load:sum{pair}', expr: 'sum by (code) (load{{path=\"v{path}\"}})'}}\n  \
             - {{alert: High{pair}, expr: 'sum(path:load:sum{pair}) > {threshold}', labels: {{severity: page}}, \
             annotations: {{summary: 'it is {{{{ $value }}}}'}}}}\n"
        );
    }
    text
}

async fn firing(query: &Query) -> anyhow::Result<usize> {
    let (_, answer) = query.json("/prometheus/api/v1/alerts").await?;
    Ok(answer["data"]["alerts"].as_array().map_or(0, Vec::len))
}
