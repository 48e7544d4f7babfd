//! The store's door: open, append, snapshot, shut down.

mod archive;
mod feed;
mod status;

#[cfg(test)]
mod tests;

use std::{sync::Arc, thread::JoinHandle};

use parking_lot::Mutex;

use weir_proto::{Signal, TenantId, metrics::Labels, time::Clock};

pub use self::{
    archive::{ArchiveStatus, ArchivedSignal, PinStatus, SegmentPlace, Share},
    feed::{Arrived, LineFeed},
    status::{SignalStatus, StoreStatus},
};
use crate::{
    disk::Disk,
    head::{BatchSummaries, LineRows, SeriesRef, SeriesRefused, SpanRows},
    journal::SourceCursors,
    lane::{
        errors::{AppendError, OpenError},
        lane::{Batch, LogsBatch},
        metrics::{self, MetricsAppended, MetricsBatch},
        shared::Shared,
    },
    note::Note,
    options::StoreOptions,
    sampling::{ReloadError, Sampling, SamplingStatus},
    snapshot::asked::Snapshot,
    upkeep::{archiver, deciding, housekeeping, merger, open, seal_samples, sealer},
};

/// Admitted spans.
pub type TracesBatch = Batch<BatchSummaries>;

/// The store. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the folder, recovers what was acknowledged, starts committing, sealing and merging.
    /// Spans whose batches have a generation wait for the verdicts of `sampling`.
    pub async fn open(
        options: StoreOptions,
        sampling: Option<Arc<dyn Sampling>>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_on(Disk::system(), options, sampling, clock).await
    }

    /// [`Store::open`] with the disk passed in, for tests of faults.
    pub async fn open_on(
        disk: Disk,
        options: StoreOptions,
        sampling: Option<Arc<dyn Sampling>>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(open::open(disk, options, sampling, clock).await?);
        housekeeping::inspect(&shared);
        let start = |name: &str, run: fn(&Arc<Shared>)| {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name(name.into())
                .spawn(move || run_or_fail(&shared, run))
                .map_err(|source| OpenError::Io { path: name.into(), source })
        };
        let mut threads = vec![
            start("weir-sampler", deciding::run)?,
            start("weir-sealer", sealer::run::<SpanRows>)?,
            start("weir-sealer-logs", sealer::run::<LineRows>)?,
            start("weir-sealer-metrics", seal_samples::run)?,
            start("weir-merger", merger::run)?,
            start("weir-keeper", housekeeping::run)?,
        ];
        if shared.archive.is_some() {
            threads.push(start("weir-archiver", archiver::run)?);
        }
        Ok(Self(Arc::new(Inner { shared, threads: Mutex::new(threads) })))
    }

    /// Returns once the spans are fsynced and visible to snapshots.
    pub async fn append_traces(&self, batch: TracesBatch) -> Result<(), AppendError> {
        self.readiness(Signal::Traces)?;
        self.0.shared.traces.append(batch).await
    }

    /// Returns once the lines are fsynced and visible to snapshots.
    pub async fn append_logs(&self, batch: LogsBatch) -> Result<(), AppendError> {
        self.readiness(Signal::Logs)?;
        self.0.shared.logs.append(batch).await
    }

    /// Finds or makes a series of a tenant's. While the answer is held the series stays known; hold it for as long as samples come.
    pub fn series(&self, tenant: &TenantId, labels: &Labels) -> Result<SeriesRef, SeriesRefused> {
        self.0.shared.registry.series(tenant, labels)
    }

    /// Returns once the samples are fsynced and visible to snapshots: all of them at once.
    pub async fn append_metrics(&self, batch: MetricsBatch) -> Result<MetricsAppended, AppendError> {
        self.readiness(Signal::Metrics)?;
        metrics::append(&self.0.shared, batch).await
    }

    /// The notes of a tenant that stand, by name: durable all of them.
    pub fn notes(&self, tenant: &TenantId) -> Vec<Note> {
        self.0.shared.registry.known_tenant(tenant).map(|known| known.notes()).unwrap_or_default()
    }

    /// The same of those whose names begin so.
    pub fn notes_of(&self, tenant: &TenantId, prefix: &str) -> Vec<Note> {
        self.0.shared.registry.known_tenant(tenant).map(|known| known.notes_of(prefix)).unwrap_or_default()
    }

    /// Where the sources of lines stand, behind everything that was acknowledged: sealed or not.
    pub fn line_cursors(&self) -> SourceCursors {
        self.0.shared.views.current().logs.cursors()
    }

    /// Ok when appends of a signal would be taken now; the reason otherwise.
    pub fn readiness(&self, signal: Signal) -> Result<(), AppendError> {
        let shared = &self.0.shared;
        if shared.is_stopping() {
            return Err(AppendError::Stopped);
        }
        let refusal = match signal {
            Signal::Traces => shared.traces.refusal(),
            Signal::Logs => shared.logs.refusal(),
            Signal::Metrics => shared.metrics.refusal(),
        };
        refusal.map_or(Ok(()), Err)
    }

    /// An immutable view of everything acknowledged so far. Takes a microsecond.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.0.shared.views.current())
    }

    /// Samples otherwise from now on, or, with `None`, no more. Traces that have begun are decided as they would have been. Then
    /// batches may come with the new generation; those under way with the old one are marked anew. With `None` batches are to be
    /// marked as before until [`Sampling::retire`].
    pub async fn set_sampling(&self, sampling: Option<Arc<dyn Sampling>>) -> Result<(), ReloadError> {
        self.0.shared.sampled.reload(sampling)?;
        self.0.shared.traces.journal.roll().await;
        Ok(())
    }

    /// How sampling fares. May wait some milliseconds for the sampler.
    pub fn sampling_status(&self) -> SamplingStatus {
        self.0.shared.sampler.lock().status()
    }

    /// Closes the journal files in use, so that what they hold can be sealed before they are full or old.
    pub async fn roll(&self) {
        self.0.shared.traces.journal.roll().await;
        self.0.shared.logs.journal.roll().await;
        self.0.shared.metrics.journal.roll().await;
    }

    /// Completes when the store had to stop by itself (a failed fsync): the process must exit.
    pub async fn failed(&self) -> String {
        let verdicts = self.0.shared.verdicts();
        let mut failure = self.0.shared.failure.subscribe();
        tokio::select! {
            failed = failure.wait_for(Option::is_some) => match failed {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => "the store is gone".to_owned(),
            },
            reason = self.0.shared.traces.journal.failed() => {
                self.0.shared.fail(reason.clone());
                reason
            }
            reason = self.0.shared.logs.journal.failed() => {
                self.0.shared.fail(reason.clone());
                reason
            }
            reason = self.0.shared.metrics.journal.failed() => {
                self.0.shared.fail(reason.clone());
                reason
            }
            reason = verdicts.failed() => {
                self.0.shared.fail(reason.clone());
                reason
            }
        }
    }

    /// Refuses appends, commits what waits, stops the background work.
    pub async fn shutdown(&self) {
        let inner = self.0.clone();
        let stopped = tokio::task::spawn_blocking(move || {
            inner.shared.stop();
            inner.shared.traces.journal.shutdown();
            inner.shared.logs.journal.shutdown();
            inner.shared.metrics.journal.shutdown();
            let threads = std::mem::take(&mut *inner.threads.lock());
            for thread in threads {
                drop(thread.join());
            }
            inner.shared.verdicts().shutdown();
        });
        drop(stopped.await);
        self.0.shared.catalog.close().await;
    }
}

impl Drop for Inner {
    /// Without a shutdown the threads end by themselves; the last one gives the folder back.
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// A panic in a background thread must not leave a store that only seems to work.
fn run_or_fail(shared: &Arc<Shared>, run: fn(&Arc<Shared>)) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(shared)));
    if outcome.is_err() {
        shared.fail("a background thread panicked".to_owned());
    }
}
