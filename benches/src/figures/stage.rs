//! What every scenario needs: settings, a fresh server, traffic, and waiting until the background work is done.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::ensure;

use crate::{
    load::{Load, LoadReport, Plan, Record},
    query::Query,
    server::{Server, ServerOptions},
    shop::Traffic,
    verify::verify,
};

/// What is measured with, and for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The binary.
    pub weir: PathBuf,
    /// The binary of the standard way.
    pub standard_way: PathBuf,
    /// Where data folders are made: a disk, not tmpfs.
    pub folder: PathBuf,
    /// Spans of scenarios that send a number of them.
    pub spans: u64,
    /// Seconds of scenarios that send for a time.
    pub seconds: f64,
    /// Spans sent before CPU is measured: what a server needs once, memory above all, is not what a span costs. On a virtual
    /// machine that gives free memory back to its host, a first touch costs as much as sealing.
    pub warm_up_spans: u64,
    /// Spans a second of the latency scenario.
    pub rate: f64,
    /// Spans a second of the scenarios that measure CPU; `None` for flat out.
    pub cpu_rate: Option<f64>,
    /// Spans a second of the scenario that sustains tail sampling.
    pub tail_rate: f64,
    /// Seals of the scenario that counts segments.
    pub seals: u64,
    /// Journal of the restart scenario, in GiB.
    pub journal_gib: f64,
    /// Traces of the scenarios with known truth.
    pub traces: u64,
    /// Traces a second of them.
    pub trace_rate: f64,
    /// An OpenTelemetry Collector to compare with.
    pub collector: Option<PathBuf>,
    /// The interpreter that finds other engines; `python3` without one.
    pub python: Option<PathBuf>,
    /// Traces that are looked for afterwards.
    pub verify_traces: u64,
}

/// A server in a folder that goes away with it.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) query: Arc<Query>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) record: Arc<Record>,
    pub(super) options: ServerOptions,
    _folder: tempfile::TempDir,
}

/// CPU seconds at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu<const N: usize> {
    pub(super) total_s: f64,
    pub(super) threads_s: [f64; N],
}

impl<const N: usize> Cpu<N> {
    /// CPU seconds per million spans from `before` to now.
    pub(super) fn per_million(self, before: Self, spans: u64) -> Self {
        let millions = spans as f64 / 1e6;
        let threads_s = std::array::from_fn(|thread| (self.threads_s[thread] - before.threads_s[thread]) / millions);
        Self { total_s: (self.total_s - before.total_s) / millions, threads_s }
    }
}

/// Batches to copy from: 64 of 1,000 spans are 27 MB, more than a core's cache.
pub(super) const TEMPLATES: usize = 64;
/// Longest wait for sealing or merging.
const BACKGROUND_MAX: Duration = Duration::from_secs(600);

impl Stage {
    pub(super) async fn new(settings: &Settings, spans_per_batch: usize, storage: &str) -> anyhow::Result<Self> {
        // A seed of its own each time: no run meets another's ids.
        let seed = weir_proto::time::Clock::system().now_ns();
        Self::with(settings, Traffic::new(seed, spans_per_batch, TEMPLATES), storage, "").await
    }

    /// With an attribute that is text too seldom to have a column of its own.
    pub(super) async fn with_lanes(settings: &Settings, storage: &str) -> anyhow::Result<Self> {
        let seed = weir_proto::time::Clock::system().now_ns();
        Self::with(settings, Traffic::with_lanes(seed, 1000, TEMPLATES), storage, "").await
    }

    /// With other traffic and further lines of configuration.
    pub(super) async fn with(settings: &Settings, traffic: Traffic, storage: &str, more: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("weir-figures-").tempdir_in(&settings.folder)?;
        let mut options = ServerOptions::new(&settings.weir, folder.path());
        options.storage = storage.into();
        options.more = more.into();
        let server = Server::start(&options).await?;
        Ok(Self {
            query: Arc::new(Query::new(server.query)),
            traffic: Arc::new(traffic),
            record: Arc::new(Record::new(0)),
            server,
            options,
            _folder: folder,
        })
    }

    /// Runs a plan; numbers batches on.
    pub(super) async fn load(&self, plan: Plan) -> anyhow::Result<LoadReport> {
        let first = self.record.len() as u64;
        let report = Load::run(plan, Arc::clone(&self.traffic), Arc::clone(&self.record), first).await?;
        eprintln!("  {report}");
        Ok(report)
    }

    /// CPU seconds of the server so far.
    pub(super) fn cpu_s(&self) -> f64 {
        crate::process::cpu_s(self.server.pid()).unwrap_or(f64::NAN)
    }

    /// CPU seconds of the server's threads of one name so far.
    pub(super) fn threads_cpu_s(&self, name: &str) -> f64 {
        crate::process::threads_cpu_s(self.server.pid(), name)
    }

    /// CPU of the server so far, and of its threads of some names.
    pub(super) fn cpu<const N: usize>(&self, names: [&str; N]) -> Cpu<N> {
        Cpu { total_s: self.cpu_s(), threads_s: names.map(|name| self.threads_cpu_s(name)) }
    }

    /// Sends what is not measured, and waits until all of it is done with.
    pub(super) async fn warm_up(&self, settings: &Settings) -> anyhow::Result<()> {
        if settings.warm_up_spans == 0 {
            return Ok(());
        }
        let plan = Plan { spans: Some(settings.warm_up_spans), rate: settings.cpu_rate, ..Plan::new(self.server.grpc) };
        ensure!(self.load(plan).await?.all_acked(), "not everything was acknowledged while warming up");
        self.sealed().await?;
        self.merged().await
    }

    /// Memory of the server now, without mapped files.
    pub(super) fn memory_bytes(&self) -> u64 {
        crate::process::memory_bytes(self.server.pid()).unwrap_or_default()
    }

    /// Waits until every span is in a segment.
    pub(super) async fn sealed(&self) -> anyhow::Result<()> {
        self.query.until("sealed", BACKGROUND_MAX, |metrics| metrics.get("weir_head_spans") == Some(&0.0)).await
    }

    /// Waits until nothing is left to merge.
    pub(super) async fn merged(&self) -> anyhow::Result<()> {
        self.query.until("merged", BACKGROUND_MAX, |metrics| metrics.get("weir_merge_debt_bytes") == Some(&0.0)).await
    }

    /// Everything acknowledged is there, by sample and by ledger.
    pub(super) async fn verified(&self, settings: &Settings, others_acked: u64) -> anyhow::Result<()> {
        let sample = Some(settings.verify_traces);
        let found = verify(&self.query, &self.traffic, &self.record, sample, others_acked).await?;
        eprintln!("  {found}");
        ensure!(found.good(), "the server does not have what it acknowledged");
        Ok(())
    }
}
