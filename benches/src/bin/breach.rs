//! From a breach that is taken in to the request at an Alertmanager: how long it takes, over many breaches.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;
use weir_benches::{
    client::Http1,
    rng::Rng,
    server::{Server, ServerOptions},
};
use weir_proto::time::Clock;

/// Sends gauges above a threshold, one after the other at random moments, and waits for each to be told of.
#[derive(Debug, Parser)]
struct Cli {
    /// The server.
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Breaches.
    #[arg(long, default_value_t = 200)]
    breaches: u64,
    /// How often the rule is evaluated, in seconds.
    #[arg(long, default_value_t = 5)]
    every_s: u64,
    /// Where to write: a disk, not tmpfs.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let (manager, told) = alertmanager()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&cli, manager, &told))
}

async fn run(cli: &Cli, manager: SocketAddr, told: &mpsc::Receiver<(String, Instant)>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&cli.folder)?;
    let rules = folder.path().join("rules.yml");
    let rule = "- {alert: High, expr: 'breach > 1', labels: {severity: page}}";
    std::fs::write(&rules, format!("groups:\n- name: g\n  interval: {}s\n  rules:\n  {rule}\n", cli.every_s))?;
    let mut options = ServerOptions::new(&cli.weir, folder.path());
    options.more = format!(
        "alerting:\n  rule_files: ['{}']\n  alertmanagers: [{{static_configs: [{{targets: ['{manager}']}}]}}]\n",
        rules.display()
    );
    let server = Server::start(&options).await?;
    let mut rng = Rng::new(1);
    let (mut breached, mut took_ms): (Vec<Instant>, Vec<u64>) = (Vec::new(), Vec::new());
    for number in 0..cli.breaches {
        // Ten in an interval, anywhere in it.
        tokio::time::sleep(Duration::from_millis(rng.below(cli.every_s * 200) + 1)).await;
        send(&server, number).await?;
        breached.push(Instant::now());
    }
    let begin = Instant::now();
    let mut left: Vec<bool> = vec![true; breached.len()];
    while left.iter().any(|left| *left) {
        ensure!(
            begin.elapsed() < Duration::from_secs(60),
            "{} breaches were not told of",
            left.iter().filter(|left| **left).count()
        );
        let Ok((number, at)) = told.recv_timeout(Duration::from_secs(1)) else { continue };
        let index: usize = number.parse().context("a number")?;
        if std::mem::replace(&mut left[index], false) {
            took_ms.push(at.saturating_duration_since(breached[index]).as_millis() as u64);
        }
    }
    took_ms.sort_unstable();
    let at = |share: usize| took_ms[(took_ms.len() * share / 100).min(took_ms.len() - 1)];
    println!("{} breaches: p50 {} ms, p99 {} ms, max {} ms", took_ms.len(), at(50), at(99), at(100));
    Ok(())
}

/// A gauge of its own above the threshold.
async fn send(server: &Server, number: u64) -> anyhow::Result<()> {
    let now = Clock::system().now_ns().to_string();
    let attributes = json!([{"key": "number", "value": {"stringValue": number.to_string()}}]);
    let point = json!({"timeUnixNano": now, "asDouble": 2.0, "attributes": attributes});
    let metric = json!({"name": "breach", "gauge": {"dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let request = Request::post("/v1/metrics")
        .header("host", server.http.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let (status, _) = Http1::new(server.http).send(request).await?;
    ensure!(status.is_success(), "a sample was refused: {status}");
    Ok(())
}

/// Takes alerts as Alertmanager does; each one's number and when its request was there.
fn alertmanager() -> anyhow::Result<(SocketAddr, mpsc::Receiver<(String, Instant)>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while take(&stream, &sender).is_some() {});
        }
    });
    Ok((address, told))
}

fn take(stream: &TcpStream, told: &mpsc::Sender<(String, Instant)>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let at = Instant::now();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let alerts: serde_json::Value = serde_json::from_slice(&body).ok()?;
    for alert in alerts.as_array()? {
        let number = alert["labels"]["number"].as_str().unwrap_or_default().to_owned();
        told.send((number, at)).ok()?;
    }
    (&mut &*stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
