//! The load generator's command line: `loadgen` sends, `loadgen verify` looks afterwards, `loadgen generate` measures itself.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tokio::time::Instant;
use weir_benches::{
    client::{Encoding, Protocol},
    load::{Load, Plan, Record, probe_visible},
    process,
    query::Query,
    shop::{BatchKey, Traffic},
    verify::{Verification, verify},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sends a web shop's traces over OTLP, counts what is acknowledged, and verifies it through the query API.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    send: Send,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verifies what an earlier run recorded with --acked-file.
    Verify {
        /// The record.
        #[arg(long)]
        acked_file: PathBuf,
        /// Where queries are answered.
        #[arg(long, default_value = "127.0.0.1:4320")]
        query_endpoint: SocketAddr,
        /// `all`, or about how many traces.
        #[arg(long, default_value = "all")]
        verify: Sample,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Makes batches without sending them: what the generator itself costs.
    Generate {
        /// How many spans.
        #[arg(long, default_value_t = 10_000_000)]
        spans: u64,
        /// Spans of a request.
        #[arg(long, default_value_t = 1000)]
        batch: usize,
    },
}

#[derive(Debug, Args)]
struct Send {
    /// How requests travel.
    #[arg(long, value_enum, default_value = "grpc")]
    protocol: Protocol,
    /// The receiver; by default 127.0.0.1:4317 or :4318.
    #[arg(long)]
    endpoint: Option<SocketAddr>,
    /// How requests are compressed.
    #[arg(long, value_enum, default_value = "none")]
    encoding: Encoding,
    /// Spans of a request.
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Spans a second on a fixed schedule; flat out without it.
    #[arg(long)]
    rate: Option<f64>,
    /// Requests in flight when flat out.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// gRPC connections.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Stop after so many seconds (10 when --spans is not given either).
    #[arg(long)]
    duration: Option<f64>,
    /// Stop after so many spans.
    #[arg(long)]
    spans: Option<u64>,
    /// Names the traffic; the same seed makes the same ids. By default the time, so that runs do not repeat ids.
    #[arg(long)]
    seed: Option<u64>,
    /// Batches to copy from; each takes 450 bytes a span.
    #[arg(long, default_value_t = 64)]
    templates: usize,
    /// With an attribute that is text too seldom to have a column of its own (not for --acked-file).
    #[arg(long, conflicts_with = "acked_file")]
    lanes: bool,
    /// Verify afterwards: `none`, `all`, or about how many traces.
    #[arg(long, default_value = "none")]
    verify: Sample,
    /// Where queries are answered.
    #[arg(long, default_value = "127.0.0.1:4320")]
    query_endpoint: SocketAddr,
    /// Write what was sent and acknowledged to this new file, for `loadgen verify` after a crash.
    #[arg(long)]
    acked_file: Option<PathBuf>,
    /// Measure how long after its ack a trace is visible, with a small batch of its own every 50 ms.
    #[arg(long)]
    probe_visible: bool,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// How much to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    None,
    All,
    Traces(u64),
}

impl std::str::FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            number => number.parse().map(Self::Traces).map_err(|_| "write none, all or a number of traces".into()),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // One thread: the generator shares the machine with the server that it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.command {
        None => runtime.block_on(send(cli.send)),
        Some(Command::Generate { spans, batch }) => generate(spans, batch),
        Some(Command::Verify { acked_file, query_endpoint, verify, json }) => {
            let (traffic, record) = Record::read(&acked_file)?;
            let query = Arc::new(Query::new(query_endpoint));
            let found = runtime.block_on(look(&query, &Arc::new(traffic), &record, verify, 0))?;
            conclude(&found.context("nothing to verify")?, json, None)
        }
    }
}

async fn send(options: Send) -> anyhow::Result<()> {
    let seed = options.seed.unwrap_or_else(|| weir_proto::time::Clock::system().now_ns());
    let make = if options.lanes { Traffic::with_lanes } else { Traffic::new };
    let traffic = Arc::new(make(seed, options.batch, options.templates));
    let query = Arc::new(Query::new(options.query_endpoint));
    let looks = options.verify != Sample::None || options.acked_file.is_some();
    let accepted_before = if looks { query.ledger().await?.accepted } else { 0 };
    let record = Arc::new(match &options.acked_file {
        Some(path) => Record::create(path, &traffic, options.templates, accepted_before)?,
        None => Record::new(accepted_before),
    });
    let port = if options.protocol == Protocol::Grpc { 4317 } else { 4318 };
    let address = options.endpoint.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
    let seconds = options.duration.or(options.spans.is_none().then_some(10.0));
    let plan = Plan {
        protocol: options.protocol,
        encoding: options.encoding,
        connections: options.connections,
        concurrency: options.concurrency,
        rate: options.rate,
        duration: seconds.map(Duration::from_secs_f64),
        spans: options.spans,
        ..Plan::new(address)
    };
    let load = Load::run(plan.clone(), Arc::clone(&traffic), Arc::clone(&record), 0);
    let (report, visible) = match (options.probe_visible, plan.duration) {
        (false, _) => (load.await?, None),
        (true, None) => bail!("--probe-visible needs --duration"),
        (true, Some(_)) if options.protocol == Protocol::Http => bail!("--probe-visible needs --protocol grpc"),
        (true, Some(duration)) => {
            let until = Instant::now() + duration;
            let probe = probe_visible(address, &query, seed ^ 0xfeed, Duration::from_millis(50), until);
            let (report, visible) = tokio::try_join!(load, probe)?;
            (report, Some(visible))
        }
    };
    let probed = visible.map_or(0, |(_, acked)| acked);
    let found = look(&query, &traffic, &record, options.verify, probed).await?;
    let mut output = json!({ "seed": seed, "load": report.json() });
    if !options.json {
        println!("{report}");
    }
    if let Some((quantiles, _)) = visible {
        output["visible"] = quantiles.json();
        if !options.json {
            println!("visible after the ack: {quantiles}, {} probes", quantiles.count);
        }
    }
    match found {
        Some(found) => conclude(&found, options.json, Some(output)),
        None if options.json => {
            println!("{output}");
            Ok(())
        }
        None => Ok(()),
    }
}

async fn look(
    query: &Arc<Query>,
    traffic: &Arc<Traffic>,
    record: &Record,
    sample: Sample,
    others_acked: u64,
) -> anyhow::Result<Option<Verification>> {
    let sample = match sample {
        Sample::None => return Ok(None),
        Sample::All => None,
        Sample::Traces(traces) => Some(traces),
    };
    verify(query, traffic, record, sample, others_acked).await.map(Some)
}

/// Prints what was found; an error when it is not good.
fn conclude(found: &Verification, as_json: bool, output: Option<serde_json::Value>) -> anyhow::Result<()> {
    if as_json {
        let mut output = output.unwrap_or_else(|| json!({}));
        output["verification"] = found.json();
        println!("{output}");
    } else {
        println!("{found}");
    }
    if !found.good() {
        bail!("the server does not have what it acknowledged");
    }
    Ok(())
}

/// Fills batches and throws them away.
fn generate(spans: u64, batch: usize) -> anyhow::Result<()> {
    let traffic = Traffic::new(1, batch, 64);
    let base_ns = weir_proto::time::Clock::system().now_ns();
    let (mut buffer, mut bytes) = (Vec::new(), 0);
    let before_s = process::own_cpu_s();
    for number in 0..spans.div_ceil(batch as u64) {
        traffic.fill(BatchKey { number, base_ns }, &mut buffer);
        bytes += std::hint::black_box(&buffer).len();
    }
    let cpu_s = process::own_cpu_s() - before_s;
    let million = spans as f64 / 1e6;
    println!("{:.3} CPU s per million spans, {} bytes a span", cpu_s / million, bytes as u64 / spans);
    Ok(())
}
