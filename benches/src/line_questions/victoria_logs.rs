//! Runs VictoriaLogs on a folder of its own.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::questions::escaped;

/// Longest wait until it listens.
const READY_MAX: Duration = Duration::from_secs(120);

/// A running VictoriaLogs. Killed when dropped.
#[derive(Debug)]
pub(super) struct VictoriaLogs {
    child: Child,
    /// Where it speaks HTTP.
    pub(super) address: SocketAddr,
}

impl VictoriaLogs {
    /// Where it takes objects, one a line: streams by service and pod, `msg` as the message.
    pub(super) const INSERT: &str = "/insert/jsonline?_stream_fields=service,pod&_msg_field=msg&_time_field=_time";

    /// Its data below a folder.
    pub(super) fn data(folder: &Path) -> PathBuf {
        folder.join("victoria-logs")
    }

    /// Starts it and waits until it listens.
    pub(super) async fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        // Free at this moment: it does not say which port it was given.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = folder.join("victoria-logs.log");
        let mut child = Command::new(binary)
            .arg(format!("-storageDataPath={}", Self::data(folder).display()))
            .arg(format!("-httpListenAddr={address}"))
            .args(["-retentionPeriod=100y", "-search.maxQueryDuration=120s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if started.elapsed() > READY_MAX || child.try_wait()?.is_some() {
                bail!("{} did not get ready:\n{}", binary.display(), fs::read_to_string(log).unwrap_or_default());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, address })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("VictoriaLogs ended")
    }
}

/// Path and query of a question in LogsQL.
pub(super) fn path(query: &str, span_ns: Option<(u64, u64)>, more: &str) -> String {
    let span = span_ns.map(|(start, end)| format!("&start={start}&end={end}")).unwrap_or_default();
    format!("/select/logsql/query?query={}{span}{more}", escaped(query))
}
