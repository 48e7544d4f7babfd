//! Fills servers with the same lines, unless they were filled before, and says what that cost.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use weir_proto::time::{Clock, SECOND_NS};

use super::{BATCH, SEED, victoria_logs::VictoriaLogs};
use crate::{
    client::Http1,
    lines::{LineForm, Lines},
    process,
    query::Query,
    server::Server,
};

/// Batches between two words about how far it is.
const BATCHES_PER_WORD: u64 = 2000;
/// Longest wait until nothing is merged any more.
const SETTLED_MAX: Duration = Duration::from_secs(600);

/// What a folder was filled with, and what that cost.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Filled {
    /// When the first batch was, Unix ns.
    pub(super) base_ns: u64,
    batches: u64,
    /// User and system time until everything was merged.
    cpu_s: f64,
    /// Of all files below the data folder, in the end.
    disk_bytes: u64,
    /// Of the lines themselves.
    raw_bytes: u64,
}

impl Filled {
    /// In words.
    pub(super) fn told(&self, who: &str, lines: u64) -> String {
        let Self { cpu_s, disk_bytes, raw_bytes, .. } = self;
        format!(
            "{who}: {:.2} s of CPU per million lines taken in and merged, {:.1} % of their {:.1} GB on disk",
            cpu_s / lines as f64 * 1e6,
            *disk_bytes as f64 / *raw_bytes as f64 * 100.0,
            *raw_bytes as f64 / 1e9
        )
    }

    /// What was noted in a folder; an error when it holds something else.
    fn known(note: &Path, is_new: bool, batches: u64) -> anyhow::Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(note) else {
            ensure!(is_new, "{} is missing: remove its folder, which was filled in part, or by others", note.display());
            return Ok(None);
        };
        let filled: Self = serde_json::from_str(&text).with_context(|| format!("{}", note.display()))?;
        ensure!(filled.batches == batches, "{} says {} batches", note.display(), filled.batches);
        Ok(Some(filled))
    }
}

/// Sends all lines to Weir as OTLP, unless the folder, which may have been there before it was started, has them.
pub(super) async fn weir(server: &Server, folder: &Path, is_new: bool, batches: u64) -> anyhow::Result<Filled> {
    let note = folder.join("filled.json");
    if let Some(known) = Filled::known(&note, is_new, batches)? {
        return Ok(known);
    }
    let base_ns = Clock::system().now_ns() - (batches + 60) * SECOND_NS;
    let before_s = process::cpu_s(server.pid()).context("it runs")?;
    let batch = |batch: u64| {
        let (body, raw_bytes) = Lines::new(SEED).batch(batch, BATCH, base_ns + batch * SECOND_NS, LineForm::Otlp);
        Batch { path: "/v1/logs", kind: "application/x-protobuf", body, raw_bytes }
    };
    let raw_bytes = send_all(server.http, batches, batch).await?;
    eprintln!("waiting until everything is sealed and merged");
    let settled = |metrics: &std::collections::HashMap<String, f64>| {
        metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_merge_debt_bytes") == Some(&0.0)
    };
    Query::new(server.query).until("everything sealed and merged", SETTLED_MAX, settled).await?;
    at_rest(server.pid()).await?;
    let cpu_s = process::cpu_s(server.pid()).context("it runs")? - before_s;
    noted(&note, Filled { base_ns, batches, cpu_s, disk_bytes: size_of(&folder.join("data")), raw_bytes })
}

/// Sends the same lines to VictoriaLogs, as objects of which it parses the fields.
pub(super) async fn victoria_logs(
    peer: &VictoriaLogs,
    (folder, is_new): (&Path, bool),
    base_ns: u64,
    batches: u64,
) -> anyhow::Result<Filled> {
    let (note, data) = (folder.join("filled-beside.json"), VictoriaLogs::data(folder));
    if let Some(known) = Filled::known(&note, is_new, batches)? {
        ensure!(known.base_ns == base_ns, "{} has lines of another time: remove it", data.display());
        return Ok(known);
    }
    let before_s = process::cpu_s(peer.pid()?).context("it runs")?;
    let batch = |batch: u64| {
        let (mut body, mut raw_bytes) = (String::new(), 0);
        for at in 0..BATCH {
            let time_ns = base_ns + batch * SECOND_NS + at * 1000;
            let mut line = String::new();
            Lines::new(SEED).write(batch * BATCH + at, batch, time_ns, &mut line);
            raw_bytes += line.len() as u64;
            // Its time is in ns there.
            body += &format!("{{\"_time\":\"{time_ns}\",{}\n", &line[1..]);
        }
        Batch { path: VictoriaLogs::INSERT, kind: "application/stream+json", body: body.into_bytes(), raw_bytes }
    };
    let raw_bytes = send_all(peer.address, batches, batch).await?;
    eprintln!("waiting until VictoriaLogs is at rest");
    at_rest(peer.pid()?).await?;
    let cpu_s = process::cpu_s(peer.pid()?).context("it runs")? - before_s;
    noted(&note, Filled { base_ns, batches, cpu_s, disk_bytes: size_of(&data), raw_bytes })
}

fn noted(note: &Path, filled: Filled) -> anyhow::Result<Filled> {
    fs::write(note, serde_json::to_string(&filled)?)?;
    Ok(filled)
}

/// A request's path, kind and body, and how many bytes its lines have.
struct Batch {
    path: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    raw_bytes: u64,
}

/// Sends every batch, over four connections; how many bytes their lines had.
async fn send_all(address: SocketAddr, batches: u64, batch: impl Fn(u64) -> Batch) -> anyhow::Result<u64> {
    let next = AtomicU64::new(0);
    let (begun, http) = (Instant::now(), Http1::new(address));
    let sender = || async {
        let mut raw_bytes = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= batches {
                return anyhow::Ok(raw_bytes);
            }
            if number.is_multiple_of(BATCHES_PER_WORD) && number > 0 {
                let per_s = (number * BATCH) as f64 / begun.elapsed().as_secs_f64();
                eprintln!("sent {} of {} lines, {per_s:.0} a second", number * BATCH, batches * BATCH);
            }
            let batch = batch(number);
            raw_bytes += batch.raw_bytes;
            send(&http, address, batch).await.with_context(|| format!("batch {number}"))?;
        }
    };
    let (a, b, c, d) = tokio::try_join!(sender(), sender(), sender(), sender())?;
    Ok(a + b + c + d)
}

/// Sends a batch until it is taken.
async fn send(http: &Http1, address: SocketAddr, batch: Batch) -> anyhow::Result<()> {
    let body = bytes::Bytes::from(batch.body);
    loop {
        let request = http::Request::post(batch.path).header("host", address.to_string());
        let request = request.header("content-type", batch.kind);
        let (status, answer) = http.send(request.body(body.clone().into())?).await?;
        match status {
            StatusCode::OK => return Ok(()),
            StatusCode::SERVICE_UNAVAILABLE => sleep(Duration::from_millis(200)).await,
            status => anyhow::bail!("{status} {}", String::from_utf8_lossy(&answer)),
        }
    }
}

/// Waits until a process does next to nothing for some seconds.
pub(crate) async fn at_rest(pid: u32) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut before_s = process::cpu_s(pid).context("it runs")?;
    while begun.elapsed() < SETTLED_MAX {
        sleep(Duration::from_secs(5)).await;
        let now_s = process::cpu_s(pid).context("it runs")?;
        if now_s - before_s < 0.1 {
            return Ok(());
        }
        before_s = now_s;
    }
    Ok(())
}

/// Bytes of all files below a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
