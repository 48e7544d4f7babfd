//! Files that are tailed: what a file of lines costs, what a hundred growing and a thousand idle ones cost, and how soon a line reaches who follows it;
//! beside the OpenTelemetry Collector, where it is there.

mod agent;
mod follow;
mod operators;
mod otelcol;
mod whole;
mod writer;

use std::{fs, path::Path, time::Duration};

use anyhow::Context;

use self::otelcol::FileCollector;
use crate::{
    process,
    server::{Server, ServerOptions},
};

/// What is measured, and of whom.
#[derive(Debug, Clone, Copy)]
pub struct Tailing<'a> {
    /// Weir's binary.
    pub weir: &'a Path,
    /// The Collector's binary, where it is there.
    pub otelcol: Option<&'a Path>,
    /// Where files are written: a disk, not tmpfs.
    pub folder: &'a Path,
    /// Lines of the file that is read whole.
    pub count: u64,
    /// How long files grow, are idle, and are followed.
    pub seconds: u64,
    /// Lines a second that are followed.
    pub followed_rate: u64,
    /// Whether nothing is measured but what other operators cost.
    pub only_operators: bool,
}

/// Measures all of it, each with a server of its own.
///
/// # Errors
///
/// When a server cannot be started, or does not read what was written.
pub async fn files(tailing: Tailing<'_>) -> anyhow::Result<()> {
    if tailing.only_operators {
        return operators::measure(tailing).await;
    }
    whole::measure(tailing).await?;
    agent::growing(tailing).await?;
    agent::idle(tailing).await?;
    follow::measure(tailing).await?;
    if tailing.otelcol.is_none() {
        println!("the Collector: skipped: --otelcol PATH is missing; docs/performance.md says how it is built");
    }
    Ok(())
}

/// What takes JSON lines apart; lines below `operators:`.
const JSON_PARSER: &str = "      - type: json_parser\n        severity: {parse_from: attributes.level}\n";

/// What both are told to do with files; lines below `filelog:`.
fn filelog(logs: &Path, operators: &str) -> String {
    format!("    include: ['{}/*.log']\n    start_at: beginning\n    operators:\n{operators}", logs.display())
}

/// Lines below `storage:`, and what follows it; what configs/agent.yaml has, too.
const STORAGE: &str = "  retention: {logs: forever}\n  accept: any\n";
const AGENTS_STORAGE: &str = "  journal: {file_size_max: 4MiB, commit_size_max: 256KiB}\n  head: {payload_size_max: 1MiB}\n  \
                              seal: {size_max: 4MiB, age_max: 10s}\n  merge: {group_size_max: 8MiB}\n  accept: any\nservice: {freed_memory: give_back}\n";

/// Who reads the files.
enum Reader {
    Weir(Server),
    Otelcol(FileCollector),
}

impl Reader {
    /// Weir, which keeps the lines.
    async fn weir(tailing: Tailing<'_>, folder: &Path, storage: &str) -> anyhow::Result<Self> {
        Self::weir_with(tailing, folder, storage, JSON_PARSER).await
    }

    async fn weir_with(tailing: Tailing<'_>, folder: &Path, storage: &str, operators: &str) -> anyhow::Result<Self> {
        let mut options = ServerOptions::new(tailing.weir, folder);
        options.receivers = format!("  filelog:\n{}", filelog(&logs(folder)?, operators));
        options.storage = storage.into();
        options.query = "  timeout: 120s\n".into();
        Ok(Self::Weir(Server::start(&options).await?))
    }

    /// The Collector, whose exporter does nothing.
    async fn otelcol(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self::Otelcol(FileCollector::start(binary, folder, &filelog(&logs(folder)?, JSON_PARSER)).await?))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Weir(_) => "Weir",
            Self::Otelcol(_) => "the Collector",
        }
    }

    fn pid(&self) -> anyhow::Result<u32> {
        match self {
            Self::Weir(server) => Ok(server.pid()),
            Self::Otelcol(collector) => collector.pid(),
        }
    }

    fn cpu_s(&self) -> anyhow::Result<f64> {
        process::cpu_s(self.pid()?).context("it runs")
    }

    /// Waits until so many lines were read.
    async fn until_read(&self, lines: u64) -> anyhow::Result<()> {
        let (query, metric) = match self {
            Self::Weir(server) => (&crate::query::Query::new(server.query), "weir_receiver_items_accepted_total"),
            Self::Otelcol(collector) => (&collector.metrics, "otelcol_receiver_accepted_log_records"),
        };
        let read = |metrics: &std::collections::HashMap<String, f64>| {
            let of_metric = metrics.iter().filter(|(name, _)| name.starts_with(metric)).map(|(_, count)| count);
            of_metric.sum::<f64>() >= lines as f64
        };
        query.until("every line read", Duration::from_secs(600), read).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Weir(server) => server.stop(Duration::from_secs(60)).await.map(drop),
            Self::Otelcol(collector) => collector.kill().await,
        }
    }
}

/// The folder of the files.
fn logs(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let logs = folder.join("logs");
    fs::create_dir_all(&logs)?;
    Ok(logs)
}

/// A folder that goes when it is dropped.
fn temporary(tailing: Tailing<'_>) -> anyhow::Result<tempfile::TempDir> {
    fs::create_dir_all(tailing.folder)?;
    Ok(tempfile::Builder::new().prefix("weir-files-").tempdir_in(tailing.folder)?)
}
