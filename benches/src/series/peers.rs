//! Servers that scrape targets and answer PromQL over HTTP: Weir, and others beside it when they are there.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    client::Http1,
    process,
    server::{Server, ServerOptions},
};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This one.
    Weir,
    /// Prometheus.
    Prometheus,
    /// VictoriaMetrics, its single binary.
    Victoria,
}

/// One that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    process: Option<Process>,
    pid: u32,
    /// Where it answers queries.
    pub address: SocketAddr,
    client: Http1,
    prefix: &'static str,
}

#[derive(Debug)]
enum Process {
    Weir(Box<Server>),
    Other(Child),
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(Process::Other(child)) = &mut self.process {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Scrapes `targets` targets of a port, each a path.
pub fn scrape_configs(port: u16, targets: u64, every_s: u64) -> Value {
    let groups: Vec<Value> = (0..targets)
        .map(|target| {
            let instance = format!("node-{target:04}:9100");
            let labels = json!({"__metrics_path__": format!("/{target}"), "instance": instance});
            json!({"targets": [format!("127.0.0.1:{port}")], "labels": labels})
        })
        .collect();
    let every = format!("{every_s}s");
    json!([{"job_name": "node", "scrape_interval": every, "scrape_timeout": every, "static_configs": groups}])
}

impl Peer {
    /// As it is called in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weir => "weir",
            Self::Prometheus => "prometheus",
            Self::Victoria => "victoria-metrics",
        }
    }

    /// Starts it with an empty folder below `folder`, scraping as `scrape` says; nothing, where that is null.
    pub async fn start(self, binary: &Path, folder: &Path, scrape: &Value) -> anyhow::Result<Running> {
        if self == Self::Weir {
            let folder = folder.join(self.name());
            fs::create_dir_all(&folder)?;
            let mut options = ServerOptions::new(binary, &folder);
            if !scrape.is_null() {
                options.receivers = format!("  prometheus: {}\n", json!({"config": {"scrape_configs": scrape}}));
            }
            return Running::weir(&options).await;
        }
        self.start_with(binary, folder, &json!({"scrape_configs": scrape})).await
    }

    /// The same of another than Weir, with a whole `prometheus.yml`.
    pub async fn start_with(self, binary: &Path, folder: &Path, yaml: &Value) -> anyhow::Result<Running> {
        let folder = folder.join(self.name());
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = folder.join("prometheus.yml");
        fs::write(&config, yaml.to_string())?;
        let (config, data) = (config.display(), folder.join("data"));
        let args = match self {
            Self::Prometheus => vec![
                format!("--config.file={config}"),
                format!("--storage.tsdb.path={}", data.display()),
                format!("--web.listen-address={address}"),
            ],
            _ => vec![
                format!("-promscrape.config={config}"),
                format!("-storageDataPath={}", data.display()),
                format!("-httpListenAddr={address}"),
                "-search.latencyOffset=0s".to_owned(),
            ],
        };
        let log = File::create(folder.join("log"))?;
        let child = Command::new(binary).args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start {}", binary.display()))?;
        let prefix = if self == Self::Victoria { "/prometheus" } else { "" };
        let pid = child.id();
        let running =
            Running { process: Some(Process::Other(child)), pid, address, client: Http1::new(address), prefix };
        let begin = Instant::now();
        while running.client.get("/-/ready").await.map(|(status, _)| status).ok() != Some(StatusCode::OK) {
            ensure!(begin.elapsed() < Duration::from_secs(60), "{} is not ready", self.name());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(running)
    }
}

/// How a question was answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The one in the middle.
    pub middle: Duration,
    /// The slowest.
    pub most: Duration,
    /// Series, or values, of the answer.
    pub found: usize,
    /// Memory above what there was before.
    pub more_bytes: u64,
}

impl Running {
    /// A Weir with options of its own.
    pub async fn weir(options: &ServerOptions) -> anyhow::Result<Self> {
        let server = Server::start(options).await?;
        let (pid, address) = (server.pid(), server.query);
        let process = Some(Process::Weir(Box::new(server)));
        Ok(Self { process, pid, address, client: Http1::new(address), prefix: "/prometheus" })
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(mut self) -> std::io::Result<()> {
        match self.process.take() {
            Some(Process::Weir(server)) => server.kill().await,
            Some(Process::Other(mut child)) => child.kill().and_then(|()| child.wait()).map(|_| ()),
            None => Ok(()),
        }
    }

    /// User and system time so far.
    pub fn cpu_s(&self) -> f64 {
        process::cpu_s(self.pid).unwrap_or_default()
    }

    /// Memory as the kernel counts it, without mapped files.
    pub fn memory_bytes(&self) -> u64 {
        process::memory_bytes(self.pid).unwrap_or_default()
    }

    /// What it answers; `path` is what follows `/api/v1/`.
    pub async fn json(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.body(path).await?)?)
    }

    async fn body(&self, path: &str) -> anyhow::Result<Bytes> {
        let (status, body) = self.client.get(&format!("{}/api/v1/{path}", self.prefix)).await?;
        if status != StatusCode::OK {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Asks `times` times; `path` is what follows `/api/v1/`.
    pub async fn ask(&self, path: &str, times: usize) -> anyhow::Result<Asked> {
        let (before, pid) = (self.memory_bytes(), self.pid);
        let (most_bytes, is_done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watching = std::thread::spawn({
            let (most_bytes, is_done) = (most_bytes.clone(), is_done.clone());
            move || {
                while !is_done.load(Relaxed) {
                    most_bytes.fetch_max(process::memory_bytes(pid).unwrap_or_default(), Relaxed);
                    std::thread::park_timeout(Duration::from_millis(10));
                }
            }
        });
        let mut took = Vec::new();
        let mut found = 0;
        for _ in 0..times {
            let begin = Instant::now();
            let body = self.body(path).await?;
            took.push(begin.elapsed());
            let answer: Value = serde_json::from_slice(&body)?;
            let data = &answer["data"];
            found = data["result"].as_array().or(data.as_array()).map_or(0, Vec::len);
        }
        is_done.store(true, Relaxed);
        watching.thread().unpark();
        watching.join().expect("it only looks");
        took.sort();
        let more_bytes = most_bytes.load(Relaxed).saturating_sub(before);
        Ok(Asked { middle: took[times / 2], most: took[times - 1], found, more_bytes })
    }
}

/// A question of a range that ends at a time (Unix ms).
pub fn range(query: &str, (end_ms, step_ms, steps): (i64, i64, i64)) -> String {
    let start_ms = end_ms - (steps - 1) * step_ms;
    let seconds = |ms: i64| ms as f64 / 1e3;
    format!(
        "query_range?query={}&start={}&end={}&step={}",
        escaped(query),
        seconds(start_ms),
        seconds(end_ms),
        seconds(step_ms)
    )
}

/// Percent-encoded, but for what needs it nowhere.
pub fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The binary, when it is there; says so where it is not.
pub fn found(peer: Peer, binary: &Path) -> Option<PathBuf> {
    let is_there = binary.components().count() == 1 || binary.exists();
    if !is_there {
        println!("{}: not there ({}), left out", peer.name(), binary.display());
    }
    is_there.then(|| binary.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_escaped() {
        assert_eq!(
            range("a{b=~\"c\"}", (60_000, 15_000, 3)),
            "query_range?query=a%7Bb%3D~%22c%22%7D&start=30&end=60&step=15".replace('~', "%7E")
        );
    }
}
