//! Runs the weir binary in a folder of its own: starts it on free ports, waits until it is ready, kills it, stops it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::query::Query;

/// How to start a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The binary.
    pub binary: PathBuf,
    /// What it does: `run`, or `demo`.
    pub command: &'static str,
    /// Further arguments.
    pub args: Vec<String>,
    /// For configuration and log; exists.
    pub folder: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// Further lines below `receivers:`, indented by two.
    pub receivers: String,
    /// Lines below `storage:`, indented by two.
    pub storage: String,
    /// Lines at the top level, `processors:` for example.
    pub more: String,
    /// Lines below `query:`, indented by two.
    pub query: String,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The only core that it may run on, by taskset(1).
    pub core: Option<usize>,
    /// Longest wait for readiness.
    pub ready_max: Duration,
}

impl ServerOptions {
    /// Everything in `folder`, defaults, 60 s to get ready.
    pub fn new(binary: impl Into<PathBuf>, folder: &Path) -> Self {
        Self {
            binary: binary.into(),
            command: "run",
            args: Vec::new(),
            folder: folder.to_owned(),
            data: folder.join("data"),
            receivers: String::new(),
            storage: String::new(),
            more: String::new(),
            query: String::new(),
            env: Vec::new(),
            core: None,
            ready_max: Duration::from_secs(60),
        }
    }

    /// What the server printed to stderr, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("weir.log")).unwrap_or_default()
    }

    fn write_config(&self) -> std::io::Result<PathBuf> {
        let file = self.folder.join("weir.yaml");
        let text = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: 127.0.0.1:0\n      http:\n        endpoint: 127.0.0.1:0\n  \
             zipkin:\n    endpoint: 127.0.0.1:0\n{}query:\n  endpoint: 127.0.0.1:0\n{}storage:\n  path: {}\n{}{}",
            self.receivers,
            self.query,
            self.data.display(),
            self.storage,
            self.more
        );
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Spawns the process without waiting for anything but its existence.
    pub fn spawn(&self) -> anyhow::Result<Child> {
        let config = self.write_config()?;
        let log = File::options().create(true).append(true).open(self.folder.join("weir.log"))?;
        let mut command = match self.core {
            None => Command::new(&self.binary),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(core.to_string()).arg(&self.binary);
                command
            }
        };
        command
            .arg(self.command)
            .arg("--config")
            .arg(&config)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    /// Where OTLP/gRPC is spoken.
    pub grpc: SocketAddr,
    /// Where OTLP/HTTP is spoken.
    pub http: SocketAddr,
    /// Where Zipkin is spoken.
    pub zipkin: SocketAddr,
    /// Where queries are answered.
    pub query: SocketAddr,
    /// From the start of the process until `/readyz` said yes.
    pub ready_after: Duration,
}

impl Server {
    /// Starts it and waits until it is ready. The error holds the end of its log when it exits instead.
    pub async fn start(options: &ServerOptions) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut child = options.spawn()?;
        let pid = child.id().context("it was just started")?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let (mut grpc, mut http, mut zipkin, mut query) = (None, None, None, None);
        let banner = async {
            while let Some(line) = lines.next_line().await? {
                let words: Vec<_> = line.split_whitespace().collect();
                match words[..] {
                    ["OTLP/gRPC", address] => grpc = Some(address.parse()?),
                    ["OTLP/HTTP", address] => http = Some(address.parse()?),
                    ["Zipkin", address] => zipkin = Some(address.parse()?),
                    ["queries", url] => query = Some(parse_url(url)?),
                    _ => {}
                }
                if let (Some(grpc), Some(http), Some(zipkin), Some(query)) = (grpc, http, zipkin, query) {
                    return Ok((grpc, http, zipkin, query));
                }
            }
            bail!("it ended without saying that it is ready")
        };
        let ports = timeout(options.ready_max, banner).await.context("no banner in time").and_then(|ports| ports);
        let (grpc, http, zipkin, query) = match ports {
            Ok(ports) => ports,
            Err(error) => {
                // Reaped, so that what it had open is closed when the caller goes on.
                child.kill().await.ok();
                let status = child.wait().await?;
                bail!("weir did not start ({status}): {error:#}\n{}", tail(&options.log()));
            }
        };
        // The rest of what it prints is of no interest, but the pipe must not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let asking = Query::new(query);
        while !asking.ready().await {
            if started.elapsed() > options.ready_max {
                bail!("not ready after {:?}\n{}", options.ready_max, tail(&options.log()));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(Self { child, pid, grpc, http, zipkin, query, ready_after: started.elapsed() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(mut self) -> std::io::Result<()> {
        self.child.kill().await
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it exits by itself; one that does not is killed, and gone when the error is returned.
    pub async fn exited(mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let ended = timeout(limit, self.child.wait()).await;
        if ended.is_err() {
            self.child.kill().await?;
        }
        Ok(ended.context("it still runs")??)
    }

    /// SIGTERM; returns how it exited.
    pub async fn stop(self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.signal("-TERM").await?;
        self.exited(limit).await
    }

    /// Writes the configuration anew, and SIGHUP: it reads it some time later.
    pub async fn reload(&self, options: &ServerOptions) -> anyhow::Result<()> {
        options.write_config()?;
        self.signal("-HUP").await
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid.to_string();
        let sent = Command::new("kill").arg(signal).arg(&pid).status().await?;
        anyhow::ensure!(sent.success(), "cannot signal {pid}");
        Ok(())
    }
}

/// `http://localhost:4320` → 127.0.0.1:4320
fn parse_url(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    address.parse().with_context(|| format!("not an address: {url}"))
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
