//! The store's door: open, append, snapshot, shut down.

mod errors;
mod folder;
mod housekeeping;
mod merger;
mod newer;
mod open;
mod options;
mod publish;
mod quarantine;
mod repair;
mod repeats;
mod run;
mod sampler;
mod sealer;
mod shared;
mod snapshot;
mod spare_builder;
mod stored;
pub(crate) mod view;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use bytes::Bytes;
use weir_proto::{TenantId, time::Clock};

use self::shared::Shared;
pub(crate) use self::stored::StoredSegment;
pub use self::{
    errors::{AppendError, OpenError, ReadError},
    options::StoreOptions,
    snapshot::Snapshot,
};
use crate::{
    Rejection,
    disk::Disk,
    head::BatchSummaries,
    journal::{Checksummed, Entry, FrameHeader, JournalAppendError},
    sampling::{ReloadError, Sampling, SamplingStatus},
};

/// Largest batch. Receivers' own limits are lower.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// Admitted spans, ready for the journal.
#[derive(Debug)]
pub struct TracesBatch {
    /// Whose.
    pub tenant: TenantId,
    /// A canonical ExportTraceServiceRequest.
    pub payload: Checksummed,
    /// When it arrived, Unix ns.
    pub received_at_ns: u64,
    /// Spans in the payload, rejected ones included.
    pub items: u32,
    /// The refused ones, in ordinal order.
    pub rejected: Vec<Rejection>,
    /// The accepted ones, summarised while their bytes were in cache.
    pub summaries: BatchSummaries,
    /// [`Sampling::generation`](crate::sampling::Sampling::generation) of what marked the summaries; 0 when nothing samples them.
    pub generation: u32,
    /// Spans that head sampling took out of what arrived: not in the payload.
    pub head_dropped: u32,
}

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
        let threads = vec![
            start("weir-sampler", sampler::run)?,
            start("weir-sealer", sealer::run)?,
            start("weir-merger", merger::run)?,
            start("weir-keeper", housekeeping::run)?,
        ];
        Ok(Self(Arc::new(Inner { shared, threads: Mutex::new(threads) })))
    }

    /// Returns once the batch is fsynced and visible to snapshots.
    pub async fn append_traces(&self, batch: TracesBatch) -> Result<(), AppendError> {
        self.readiness()?;
        let header = FrameHeader {
            tenant: batch.tenant,
            received_at_ns: batch.received_at_ns,
            items: batch.items,
            rejected: batch.rejected,
            generation: batch.generation,
            cursor: Bytes::new(),
            head_dropped: batch.head_dropped,
        };
        let entry = Entry { header, payload: batch.payload, attachment: batch.summaries };
        match self.0.shared.journal.append(entry).await {
            Ok(_) => Ok(()),
            Err(JournalAppendError::DiskFull) => Err(AppendError::DiskFull),
            Err(JournalAppendError::QueueFull) => Err(AppendError::Busy("the journal's queue is full")),
            Err(JournalAppendError::TooLarge) => Err(AppendError::TooLarge { bytes_max: FRAME_BYTES_MAX }),
            Err(JournalAppendError::Stopped) => Err(AppendError::Stopped),
        }
    }

    /// Ok when appends would be taken now; the reason otherwise.
    pub fn readiness(&self) -> Result<(), AppendError> {
        let shared = &self.0.shared;
        if shared.is_stopping() {
            return Err(AppendError::Stopped);
        }
        match &*shared.refusal.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(()),
        }
    }

    /// An immutable view of everything acknowledged so far. Takes a microsecond.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.shared.views.current())
    }

    /// Samples otherwise from now on, or, with `None`, no more. Traces that have begun are decided as they would have been. Then
    /// batches may come with the new generation; those under way with the old one are marked anew. With `None` batches are to be
    /// marked as before until [`Sampling::retire`].
    pub async fn set_sampling(&self, sampling: Option<Arc<dyn Sampling>>) -> Result<(), ReloadError> {
        self.0.shared.sampled.reload(sampling)?;
        self.0.shared.journal.roll().await;
        Ok(())
    }

    /// How sampling fares. May wait some milliseconds for the sampler.
    pub fn sampling_status(&self) -> SamplingStatus {
        self.0.shared.sampler.lock().unwrap_or_else(PoisonError::into_inner).status()
    }

    /// Closes the journal file in use, so that what it holds can be sealed before it is full or old.
    pub async fn roll(&self) {
        self.0.shared.journal.roll().await;
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
            reason = self.0.shared.journal.failed() => {
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
            inner.shared.journal.shutdown();
            let threads = std::mem::take(&mut *inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
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
