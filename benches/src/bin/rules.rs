//! Rules over many series: what a running weir's CPU and lateness are with them and without, and how soon it is right again after a kill.

use std::{path::PathBuf, time::Duration};

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
    /// How often samples come and rules are evaluated, in seconds.
    #[arg(long, default_value_t = 30)]
    every_s: u64,
    /// Intervals that are measured, without rules and with them.
    #[arg(long, default_value_t = 4)]
    intervals: u32,
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
    send(cli, &server).await?;
    let without = measured(cli, &server, "without rules").await?;
    std::fs::write(&rules, text(cli))?;
    let query = Query::new(server.query);
    query
        .until("the rules are read", Duration::from_secs(60), |metrics| {
            metrics.get("weir_rules").is_some_and(|rules| *rules as usize == cli.rules)
        })
        .await?;
    // Once round, so that every series is there.
    send(cli, &server).await?;
    sleep(Duration::from_secs(cli.every_s)).await;
    let with = measured(cli, &server, "with rules").await?;
    println!("rules alone: {:.1} % of a core", (with - without) * 100.0);
    let (_, metrics) = query.text("/metrics").await?;
    let is_shown = |line: &&str| line.starts_with("weir_rule") && !line.contains("duration");
    metrics.lines().filter(is_shown).for_each(|line| println!("{line}"));
    let before = firing(&query).await?;
    server.kill().await?;
    let killed = Instant::now();
    let server = Server::start(&options).await?;
    let ready = killed.elapsed();
    send(cli, &server).await?;
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

/// CPU time a second while samples come every interval, in cores.
async fn measured(cli: &Cli, server: &Server, what: &str) -> anyhow::Result<f64> {
    let (begin, cpu) = (Instant::now(), process::cpu_s(server.pid()).context("it runs")?);
    for interval in 0..cli.intervals {
        send(cli, server).await?;
        tokio::time::sleep_until(begin + Duration::from_secs(cli.every_s) * (interval + 1)).await;
    }
    let spent = process::cpu_s(server.pid()).context("it runs")? - cpu;
    let cores = spent / begin.elapsed().as_secs_f64();
    println!("{what}: {:.1} % of a core", cores * 100.0);
    Ok(cores)
}

/// One sample of every series.
async fn send(cli: &Cli, server: &Server) -> anyhow::Result<()> {
    let client = Http1::new(server.http);
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
        let body = ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec();
        let request = Request::post("/v1/metrics")
            .header("host", server.http.to_string())
            .header("content-type", "application/x-protobuf")
            .body(Full::new(Bytes::from(body)))?;
        let (status, _) = client.send(request).await?;
        ensure!(status.is_success(), "samples were refused: {status}");
    }
    Ok(())
}

fn label(key: &str, number: usize) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(format!("v{number}"))) };
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

/// Sums by code of one path's series, and alerts on each of them; every second alert fires.
fn text(cli: &Cli) -> String {
    let mut text = String::from("groups:\n");
    for pair in 0..cli.rules / 2 {
        if (2 * pair).is_multiple_of(cli.group.max(2)) {
            text += &format!("- name: g{pair}\n  interval: {}s\n  rules:\n", cli.every_s);
        }
        let path = pair % cli.series_k.max(1);
        let threshold = if pair % 2 == 0 { 0 } else { 1_000_000 };
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
