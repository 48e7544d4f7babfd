//! Recording rules over a week of samples: how long `weir rules replay` takes, and what it costs the server.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use http_body_util::Full;
use hyper::Request;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
    },
};
use prost::Message;
use tokio::time::Instant;
use weir_benches::{
    client::Http1,
    process,
    server::{Server, ServerOptions},
};
use weir_proto::time::{Clock, SECOND_NS};

/// Points of one request.
const POINTS: u64 = 5_000;

const DAY_S: u64 = 86_400;

/// Fills a server with counters of the past, and replays rules over them.
#[derive(Debug, Parser)]
struct Cli {
    /// The server, and the command that replays.
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Series.
    #[arg(long, default_value_t = 1_000)]
    series: u64,
    /// Recording rules, each over a tenth of the series.
    #[arg(long, default_value_t = 100)]
    rules: usize,
    /// How far back, in days.
    #[arg(long, default_value_t = 7)]
    days: u64,
    /// How often there are samples and rules are evaluated, in seconds.
    #[arg(long, default_value_t = 60)]
    every_s: u64,
    /// Write what is recorded, too.
    #[arg(long)]
    write: bool,
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
    std::fs::write(&rules, text(cli))?;
    let mut options = ServerOptions::new(&cli.weir, folder.path());
    options.storage = format!("  accept: {{past: {}h}}\n", (cli.days + 2) * 24);
    let server = Server::start(&options).await?;
    let end_s = Clock::system().now_ns() / SECOND_NS / cli.every_s * cli.every_s;
    let begin_s = end_s - cli.days * DAY_S;
    let filled = Instant::now();
    fill(cli, &server, begin_s).await?;
    println!("{} samples in {:.1?}", cli.series * (cli.days * DAY_S / cli.every_s), filled.elapsed());
    let cpu = process::cpu_s(server.pid()).context("it runs")?;
    let begin = Instant::now();
    let mut command = Command::new(&cli.weir);
    command.args(["rules", "replay", "--from", &begin_s.to_string(), "--to", &end_s.to_string()]);
    command.args(["--url", &format!("http://{}", server.query)]).arg(&rules);
    if cli.write {
        command.arg("--write");
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.success(), "it failed: {}", String::from_utf8_lossy(&output.stderr));
    let took = begin.elapsed();
    let cpu = process::cpu_s(server.pid()).context("it runs")? - cpu;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last: Vec<&str> = said.lines().rev().take(2).collect();
    println!("{} rules over {} days: {took:.1?}, {cpu:.1} s of the server's CPU; {last:?}", cli.rules, cli.days);
    ensure!(took < Duration::from_secs(3600), "an hour");
    Ok(())
}

/// Counters that grow evenly, all of one time after the other.
async fn fill(cli: &Cli, server: &Server, begin_s: u64) -> anyhow::Result<()> {
    let client = Http1::new(server.http);
    let steps = cli.days * DAY_S / cli.every_s;
    let series_at_once = (POINTS / cli.series.min(POINTS)).max(1);
    for first in (0..=steps).step_by(series_at_once as usize) {
        let mut data_points = Vec::new();
        for step in first..(first + series_at_once).min(steps + 1) {
            data_points.extend((0..cli.series).map(|number| point(cli, begin_s, step, number)));
        }
        let sum =
            Sum { data_points, aggregation_temporality: AggregationTemporality::Cumulative.into(), is_monotonic: true };
        let metric = Metric { name: "load".into(), data: Some(metric::Data::Sum(sum)), ..Metric::default() };
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

fn point(cli: &Cli, begin_s: u64, step: u64, number: u64) -> NumberDataPoint {
    let label = |key: &str, value: String| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
        ..KeyValue::default()
    };
    NumberDataPoint {
        attributes: vec![
            label("shard", (number % 10).to_string()),
            label("code", (200 + number / 10 % 5).to_string()),
            label("pod", number.to_string()),
        ],
        start_time_unix_nano: begin_s * SECOND_NS,
        time_unix_nano: (begin_s + step * cli.every_s) * SECOND_NS,
        value: Some(number_data_point::Value::AsInt((step * (number + 1)) as i64)),
        ..NumberDataPoint::default()
    }
}

/// Rates by code of a tenth of the series each.
fn text(cli: &Cli) -> String {
    let mut text = format!("groups:\n- name: g\n  interval: {}s\n  rules:\n", cli.every_s);
    for rule in 0..cli.rules {
        let shard = rule % 10;
        text +=
            &format!("  - {{record: 'r{rule}', expr: 'sum by (code) (rate(load_total{{shard=\"{shard}\"}}[5m]))'}}\n");
    }
    text
}
