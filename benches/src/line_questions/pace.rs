//! Sends lines at a rate that does not wait for answers: how long acks take, and how long until a line is found after its ack.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};
use weir_proto::time::{Clock, SECOND_NS};

use super::{BATCH, SEED, questions::escaped, start};
use crate::{
    client::Http1,
    lines::{LineForm, Lines},
    load::{Load, Plan, Quantiles, Record, probe_visible},
    process,
    query::Query,
    shop::Traffic,
};

/// Different batches that are sent over and over.
const BATCHES: u64 = 64;
/// Of so many batches one is looked for.
const BATCHES_PER_LOOK: u64 = 50;
/// Where the numbers of lines begin that are looked for.
const LOOKED_FOR: u64 = 1 << 32;
/// Shapes of traces.
const TEMPLATES: usize = 64;
/// Between two probes of spans, and their seed.
const PROBE_EVERY: Duration = Duration::from_millis(25);
const PROBE_SEED: u64 = 8;
/// Longest wait until a line is found.
const FOUND_MAX: Duration = Duration::from_secs(10);

/// What is sent in a second, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Lines.
    pub lines: u64,
    /// Spans beside them.
    pub spans: u32,
    /// How long.
    pub seconds: u64,
}

/// Starts a server and sends it so many OTLP lines a second, in requests of a thousand; and spans by OTLP/gRPC beside them, if any.
///
/// # Errors
///
/// When the server does not work, refuses lines, or does not find one.
pub async fn pace(weir: &Path, folder: &Path, pace: Pace) -> anyhow::Result<()> {
    let Pace { lines: rate, spans, seconds } = pace;
    let folder = tempfile::Builder::new().prefix("weir-pace-").tempdir_in(folder)?;
    let server = start(weir, folder.path()).await?;
    let base_ns = Clock::system().now_ns() - 3600 * SECOND_NS;
    let bodies: Vec<bytes::Bytes> = (0..BATCHES)
        .map(|batch| Lines::new(SEED).batch(batch, BATCH, base_ns + batch * SECOND_NS, LineForm::Otlp).0.into())
        .collect();
    let (http, query) = (Arc::new(Http1::new(server.http)), Arc::new(Http1::new(server.query)));
    let beside = tokio::spawn(spans_beside(server.grpc, server.query, spans, seconds));
    let (begun, before_s) = (Instant::now(), process::cpu_s(server.pid()).context("it runs")?);
    let mut sent = JoinSet::new();
    for number in 0..rate * seconds / BATCH {
        let due = begun + Duration::from_secs_f64((number * BATCH) as f64 / rate as f64);
        let is_looked_for = number.is_multiple_of(BATCHES_PER_LOOK);
        let batch = LOOKED_FOR + number;
        let time_ns = base_ns + (BATCHES + number) * SECOND_NS;
        let body = match is_looked_for {
            true => Lines::new(SEED).batch(batch, BATCH, time_ns, LineForm::Otlp).0.into(),
            false => bodies[(number % BATCHES) as usize].clone(),
        };
        tokio::time::sleep_until(due).await;
        let (http, query) = (Arc::clone(&http), Arc::clone(&query));
        sent.spawn(async move {
            send(&http, body).await?;
            let ack = due.elapsed();
            let found = match is_looked_for {
                true => Some(found_after(&query, batch, time_ns).await?),
                false => None,
            };
            anyhow::Ok((ack, found))
        });
    }
    let (mut acks, mut founds) = (Vec::new(), Vec::new());
    while let Some(one) = sent.join_next().await {
        let (ack, found) = one??;
        acks.push(ack);
        founds.extend(found);
    }
    if let Some((acks, visible)) = beside.await?? {
        println!("{spans} spans a second: ack {acks}, visible after the ack {visible}");
    }
    let took_s = begun.elapsed().as_secs_f64();
    let cpu_s = process::cpu_s(server.pid()).context("it runs")? - before_s;
    println!(
        "{rate} lines a second for {took_s:.0} s: ack {}, found after the ack {}, {:.0} % of a core",
        told(acks),
        told(founds),
        cpu_s / took_s * 100.0
    );
    server.stop(Duration::from_secs(60)).await?;
    Ok(())
}

/// Spans at a rate: how long their acks take, and how long after it a trace is there.
async fn spans_beside(
    grpc: SocketAddr,
    query: SocketAddr,
    rate: u32,
    seconds: u64,
) -> anyhow::Result<Option<(Quantiles, Quantiles)>> {
    if rate == 0 {
        return Ok(None);
    }
    let duration = Duration::from_secs(seconds);
    let traffic = Arc::new(Traffic::new(SEED, BATCH as usize, TEMPLATES));
    let plan = Plan { rate: Some(f64::from(rate)), duration: Some(duration), ..Plan::new(grpc) };
    let query = Query::new(query);
    let probe = probe_visible(grpc, &query, PROBE_SEED, PROBE_EVERY, Instant::now() + duration);
    let load = Load::run(plan, traffic, Arc::new(Record::new(0)), 0);
    let (report, (visible, _)) = tokio::try_join!(load, probe)?;
    ensure!(report.acked == report.sent, "{} of {} spans were refused", report.sent - report.acked, report.sent);
    Ok(Some((report.latency, visible)))
}

async fn send(http: &Http1, body: bytes::Bytes) -> anyhow::Result<()> {
    let request = http::Request::post("/v1/logs").header("content-type", "application/x-protobuf");
    let (status, answer) = http.send(request.body(body.into())?).await?;
    ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// Asks for the last line of a batch until it is there.
async fn found_after(http: &Http1, batch: u64, time_ns: u64) -> anyhow::Result<Duration> {
    let acked = Instant::now();
    let number = batch * BATCH + BATCH - 1;
    let mut line = String::new();
    Lines::new(SEED).write(number, batch, time_ns + (BATCH - 1) * 1000, &mut line);
    let line: Value = serde_json::from_str(&line)?;
    let id = line["request_id"].as_str().context("a text")?;
    let query = escaped(&format!("{{service_name=~\".+\"}} |= `{id}`"));
    let path = format!("/loki/api/v1/query_range?query={query}&start={time_ns}&end={}", time_ns + SECOND_NS);
    while acked.elapsed() < FOUND_MAX {
        let (status, answer) = http.get(&path).await?;
        ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer["data"]["result"].as_array().is_some_and(|streams| !streams.is_empty()) {
            return Ok(acked.elapsed());
        }
    }
    anyhow::bail!("line {number} is not found within {FOUND_MAX:?}")
}

fn told(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let at = |share: f64| all.get((all.len() as f64 * share) as usize).or(all.last()).copied().unwrap_or_default();
    let ms = |one: Duration| one.as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p99 {:.1} ms", ms(at(0.5)), ms(at(0.99)))
}
