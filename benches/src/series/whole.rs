//! What whole servers cost: scraped targets and questions beside peers, requests that are sent, questions to sealed days.

use std::{
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use weir_proto::{Signal, TenantId, time::Clock};
use weir_store::StoreOptions;

use super::{
    fill::{Filled, STEP_MS},
    otlp,
    peers::{Peer, Running, escaped, range, scrape_configs},
    written::{self, Form},
};
use crate::{client::Http1, server::ServerOptions};

/// Every series there is, by name.
const BY_NAME: &str = r#"sum by (__name__) ({job="node"})"#;

/// Targets whose 256 series of cores are 6,400 together.
const SOME: &str = r#"instance=~"node-00(0.|1.|2[0-4]):9100""#;

fn now_ms() -> i64 {
    (Clock::system().now_ns() / 1_000_000) as i64
}

async fn ask(running: &Running, what: &str, path: &str, times: usize) -> anyhow::Result<()> {
    let cpu_s = running.cpu_s();
    let asked = running.ask(path, times).await?;
    println!(
        "  {what}: {:.1?} in the middle, {:.1?} at most, of {times}, {:.0} ms of CPU each; {} found, {:.0} MB on top",
        asked.middle,
        asked.most,
        (running.cpu_s() - cpu_s) * 1e3 / times as f64,
        asked.found,
        asked.more_bytes as f64 / 1e6
    );
    Ok(())
}

/// Scrapes the targets of `port` every so many seconds, asks the same questions, and is killed and started again.
pub async fn beside(
    (peer, binary): (Peer, &Path),
    folder: &Path,
    (port, targets): (u16, u64),
    (every_s, seconds): (u64, u64),
) -> anyhow::Result<()> {
    const PARTS: u64 = 4;
    let scrape = scrape_configs(port, targets, every_s);
    let running = peer.start(binary, folder, &scrape).await?;
    // The first scrapes make the series.
    tokio::time::sleep(Duration::from_secs(every_s * 2)).await;
    let (begin, cpu_s) = (Instant::now(), running.cpu_s());
    let series = targets as f64 * super::node::Node::default().series() as f64;
    println!("{}:", peer.name());
    for part in 1..=PARTS {
        tokio::time::sleep(Duration::from_secs(seconds) / PARTS as u32).await;
        let bytes = running.memory_bytes() as f64;
        let scrapes = seconds * part / PARTS / every_s;
        println!("  after {scrapes} scrapes: {:.0} MB, {:.0} bytes a series", bytes / 1e6, bytes / series);
    }
    let cpu_s = running.cpu_s() - cpu_s;
    let samples = series * begin.elapsed().as_secs_f64() / every_s as f64;
    println!("  {:.3} CPU s a million samples scraped", cpu_s * 1e6 / samples);
    let end_ms = now_ms();
    let step_ms = seconds as i64 * 1000 / 40;
    ask(&running, "sum by (__name__), 41 steps", &range(BY_NAME, (end_ms, step_ms, 41)), 3).await?;
    let rate = format!("sum by (mode) (rate(node_cpu_seconds_total{{{SOME}}}[{}s]))", every_s * 4);
    ask(&running, "rate by mode, 241 steps", &range(&rate, (end_ms, step_ms / 6, 241)), 5).await?;
    let values = format!("label/__name__/values?match[]={}", escaped(r#"{job="node"}"#));
    ask(&running, "label values with match[]", &values, 21).await?;
    running.kill().await?;
    let begin = Instant::now();
    let running = peer.start(binary, folder, &scrape).await?;
    let (ready, count) = (begin.elapsed(), format!("query?query={}", escaped(r#"count({job="node"})"#)));
    let answered = running.ask(&format!("{count}&time={}", end_ms as f64 / 1e3), 1).await?;
    ensure!(answered.found == 1, "what was scraped is gone");
    println!("  killed, ready again after {ready:.1?}, asked for what was there after {:.1?}", begin.elapsed());
    Ok(())
}

/// Rounds that a request to fill with has of each series.
const ROUNDS_AT_ONCE: u64 = 9;

/// Requests to fill with that are under way at once: they share their syncs.
const SENDERS: usize = 6;

/// Sends samples of each series every 15 s, the newest at `end_ms`; says now and then how far it is.
async fn fill(running: &Running, targets: u64, rounds: u64, end_ms: i64) -> anyhow::Result<()> {
    let begin = Instant::now();
    let client = Arc::new(Http1::new(running.address));
    let all: Vec<u64> = (0..rounds).collect();
    for some in all.chunks(ROUNDS_AT_ONCE as usize) {
        let times = some.iter().map(|&round| (round, end_ms - (rounds - 1 - round) as i64 * STEP_MS)).collect();
        let (made, bodies) = tokio::sync::mpsc::channel(SENDERS);
        let making = tokio::task::spawn_blocking(move || {
            // Whoever sends may have failed.
            written::caught_up(targets, times).try_for_each(|body| made.blocking_send(body))
        });
        let bodies = Arc::new(tokio::sync::Mutex::new(bodies));
        let mut sending = tokio::task::JoinSet::new();
        for _ in 0..SENDERS {
            let (client, bodies) = (client.clone(), bodies.clone());
            sending.spawn(async move {
                loop {
                    let next = bodies.lock().await.recv().await;
                    let Some(body) = next else { return anyhow::Ok(()) };
                    let (status, words) = client.post(weir_collector::receivers::remote_write::PATH, body).await?;
                    ensure!(status == StatusCode::NO_CONTENT, "{status}: {}", String::from_utf8_lossy(&words));
                }
            });
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        let _ = making.await?;
        let done = some.last().map_or(0, |round| round + 1);
        if (done / ROUNDS_AT_ONCE).is_multiple_of(10) {
            eprintln!("  {done} of {rounds} samples of each series are there after {:.0?}", begin.elapsed());
        }
    }
    Ok(())
}

/// Fills a new server by remote write, so many samples of each series up to now, and asks it.
pub async fn fresh(weir: &Path, folder: &Path, targets: u64, rounds: u64) -> anyhow::Result<()> {
    let running = Peer::Weir.start(weir, folder, &serde_json::Value::Null).await?;
    let end_ms = now_ms();
    fill(&running, targets, rounds, end_ms).await?;
    let series = targets as usize * super::node::Node::default().series();
    println!("{series} series in the head, {rounds} samples each, {:.0} MB:", running.memory_bytes() as f64 / 1e6);
    let steps = rounds.min(41) as i64;
    ask(&running, "sum by (__name__), 41 steps", &range(BY_NAME, (end_ms, STEP_MS, steps)), 7).await?;
    let rate = format!("sum by (mode) (rate(node_cpu_seconds_total{{{SOME}}}[5m]))");
    ask(&running, "rate by mode, 241 steps of 15 s", &range(&rate, (end_ms, STEP_MS, 241)), 11).await?;
    let values = format!("label/__name__/values?match[]={}", escaped(r#"{job="node"}"#));
    ask(&running, "label values with match[]", &values, 101).await
}

/// A merged day of `targets` targets every `step_ms`, asked through a server.
pub async fn day(weir: &Path, folder: &Path, targets: u64, step_ms: i64) -> anyhow::Result<()> {
    const DAY_MS: i64 = 86_400_000;
    let data = folder.join("data");
    // Some minutes ago, so that nothing is in the future while it is filled.
    let end_ms = now_ms() - 60_000;
    let options = StoreOptions { retention_metrics: None, ..StoreOptions::new(&data) };
    let mut filled = Filled::open_at(options, targets, (end_ms - DAY_MS, step_ms)).await?;
    let scrapes = DAY_MS / step_ms;
    for scrape in 1..=scrapes {
        filled.scrapes(1).await?;
        if scrape % (scrapes / 48).max(1) == 0 || scrape == scrapes {
            filled.store.roll().await;
        }
    }
    merged(&filled).await;
    filled.store.shutdown().await;
    // The folder is the server's from here on.
    drop(filled);
    let mut options = ServerOptions::new(weir, folder);
    options.data = data;
    let running = Running::weir(&options).await?;
    println!("a merged day of {targets} targets every {} s:", step_ms / 1000);
    let times = |step_ms, steps| (end_ms, step_ms, steps);
    ask(&running, "sum by (__name__), 41 steps of 15 s", &range(BY_NAME, times(STEP_MS, 41)), 5).await?;
    ask(&running, "sum by (__name__), 41 steps over the day", &range(BY_NAME, times(DAY_MS / 41, 41)), 3).await?;
    if step_ms <= STEP_MS {
        let rate = format!("sum by (mode) (rate(node_cpu_seconds_total{{{SOME}}}[5m]))");
        ask(&running, "rate by mode, 289 steps of 5 min", &range(&rate, times(300_000, 288)), 5).await?;
    }
    let values = format!("label/__name__/values?match[]={}", escaped(r#"{job="node"}"#));
    ask(&running, "label values with match[]", &values, 101).await
}

/// Waits until everything is sealed and merging has nothing to do for a while.
async fn merged(filled: &Filled) {
    let mut last = (0, Instant::now());
    while last.1.elapsed() < Duration::from_secs(10) {
        let mut signals = filled.store.status(&TenantId::default()).signals.into_iter();
        let status = signals.find(|status| status.signal == Signal::Metrics).expect("there are metrics");
        if status.segments != last.0 || status.journal_files > 1 {
            last = (status.segments, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How samples are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Written(Form),
    Otlp,
}

impl Sent {
    fn bodies(self, targets: u64, time: (u64, i64)) -> Vec<(Vec<u8>, u64)> {
        match self {
            Self::Written(form) => written::bodies(form, targets, time),
            Self::Otlp => otlp::bodies(targets, time),
        }
    }

    fn request(self, body: Vec<u8>) -> Request<Full<Bytes>> {
        let Self::Written(form) = self else {
            let request = Request::post("/v1/metrics").header("content-type", "application/x-protobuf");
            return request.header("host", "localhost").body(Full::new(body.into())).expect("a request");
        };
        let mut request = written::request(form, body);
        request.headers_mut().insert("host", http::HeaderValue::from_static("localhost"));
        request
    }
}

/// CPU of a whole server per million samples that are sent to it, and how soon they are acknowledged and seen.
pub async fn sent(weir: &Path, folder: &Path, targets: u64, rounds: u64) -> anyhow::Result<()> {
    let forms = [
        ("remote write 1", Sent::Written(Form::First)),
        ("remote write 2", Sent::Written(Form::Second)),
        ("OTLP", Sent::Otlp),
    ];
    for (name, form) in forms {
        let folder = folder.join(name.replace(' ', "-"));
        std::fs::create_dir_all(&folder)?;
        let options = ServerOptions::new(weir, &folder);
        let server = crate::server::Server::start(&options).await?;
        let pid = server.pid();
        let cpu = || crate::process::cpu_s(pid).unwrap_or_default();
        let client = Arc::new(Http1::new(if form == Sent::Otlp { server.http } else { server.query }));
        let (mut cpu_s, mut samples, mut acks) = (0.0, 0, Vec::new());
        let begin_ms = now_ms() - rounds as i64 * STEP_MS;
        for round in 0..rounds {
            let bodies = form.bodies(targets, (round, begin_ms + round as i64 * STEP_MS));
            let before = cpu();
            let mut count = 0;
            for (body, of_body) in bodies {
                count += of_body;
                let begin = Instant::now();
                let (status, words) = client.send(form.request(body)).await?;
                acks.push(begin.elapsed());
                if !status.is_success() {
                    bail!("{name}: {status}: {}", String::from_utf8_lossy(&words));
                }
            }
            // The first round makes the series.
            if round > 0 {
                (cpu_s, samples) = (cpu_s + cpu() - before, samples + count);
            } else {
                acks.clear();
            }
        }
        println!(
            "{name}: {samples} samples, {:.3} CPU s a million, HTTP included; acknowledged after {}",
            cpu_s * 1e6 / samples as f64,
            percentiles(acks)
        );
        if form == Sent::Written(Form::First) {
            println!("  the disk alone: 20 kB written and synced in {}", disk_alone(&folder).await?);
            paced(&server, targets).await?;
            println!("  and after that: in {}", disk_alone(&folder).await?);
        }
    }
    Ok(())
}

/// One request of 2,000 samples every 100 ms, 20,000 samples a second, and beside it single samples that are looked for.
async fn paced(server: &crate::server::Server, targets: u64) -> anyhow::Result<()> {
    const PROBES: usize = 200;
    let client = Arc::new(Http1::new(server.query));
    let form = Sent::Written(Form::First);
    let load = tokio::spawn({
        let client = client.clone();
        async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            let (mut acks, mut round) = (Vec::new(), 1_000);
            loop {
                // Made aside: what is measured is the server, not who makes its load.
                let making = tokio::task::spawn_blocking(move || form.bodies(targets.min(30), (round, now_ms())));
                for (body, _) in making.await.unwrap_or_default() {
                    ticks.tick().await;
                    let begin = Instant::now();
                    if client.send(form.request(body)).await.is_err() || acks.len() >= PROBES {
                        return acks;
                    }
                    acks.push(begin.elapsed());
                }
                round += 1;
            }
        }
    });
    let mut seen = Vec::new();
    let asking = Http1::new(server.query);
    for probe in 0..PROBES {
        let number = format!("n{probe}");
        let mut request = written::one_series(&[("__name__", "probe"), ("number", &number)], &[(1.0, now_ms())]);
        request.headers_mut().insert("host", http::HeaderValue::from_static("localhost"));
        client.send(request).await?;
        let (begin, path) =
            (Instant::now(), format!("/prometheus/api/v1/query?query=probe%7Bnumber%3D%22{number}%22%7D"));
        while !asking.get(&path).await?.1.windows(number.len()).any(|some| some == number.as_bytes()) {
            ensure!(begin.elapsed() < Duration::from_secs(5), "a sample is not seen");
        }
        seen.push(begin.elapsed());
    }
    println!("  at 20,000 samples a second: acknowledged after {}", percentiles(load.await?));
    println!("  seen by a query, its own time included, after {}", percentiles(seen));
    Ok(())
}

/// What the disk takes for what a request of 2,000 samples brings, when nobody else asks it: so often as requests come.
async fn disk_alone(folder: &Path) -> anyhow::Result<String> {
    const WRITES: usize = 60;
    let mut file = std::fs::File::create(folder.join("disk-alone"))?;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        ticks.tick().await;
        let written = tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            file.write_all(&[7; 20_000])?;
            file.sync_data()?;
            std::io::Result::Ok((file, begin.elapsed()))
        });
        let (back, taken) = written.await??;
        file = back;
        times.push(taken);
    }
    Ok(percentiles(times))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1))).copied();
    format!("{:.1?} in the middle, {:.1?} at p99", at(50).unwrap_or_default(), at(99).unwrap_or_default())
}
