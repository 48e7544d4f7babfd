//! Runs an OpenTelemetry Collector that reads files and exports to nowhere.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::query::Query;

/// Longest wait until it shows metrics.
const READY_MAX: Duration = Duration::from_secs(60);

/// A running Collector. Killed when dropped.
#[derive(Debug)]
pub(super) struct FileCollector {
    child: Child,
    /// Where its metrics are.
    pub(super) metrics: Query,
}

impl FileCollector {
    /// Starts it with these lines below `filelog:` and waits until it shows metrics.
    pub(super) async fn start(binary: &Path, folder: &Path, filelog: &str) -> anyhow::Result<Self> {
        // Free at this moment: it does not say which port it was given.
        let telemetry = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.join("otelcol.yaml");
        fs::write(&config, configuration(telemetry.port(), filelog))?;
        let log = folder.join("otelcol.log");
        let mut child = Command::new(binary)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(telemetry).await.is_err() {
            if started.elapsed() > READY_MAX || child.try_wait()?.is_some() {
                bail!("{} did not get ready:\n{}", binary.display(), fs::read_to_string(log).unwrap_or_default());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, metrics: Query::new(telemetry) })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the Collector ended")
    }

    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn configuration(telemetry: u16, filelog: &str) -> String {
    format!(
        "receivers:
  filelog:
{filelog}exporters:
  nop: {{}}
service:
  telemetry:
    logs: {{level: warn}}
    metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {telemetry}}}}}}}}}]}}
  pipelines:
    logs: {{receivers: [filelog], exporters: [nop]}}
"
    )
}
