//! What the store's threads share: options, journal, catalog, views, and the signals between them.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use weir_proto::{Signal, time::Clock};

use super::{
    folder::FolderLock,
    lane::{Lane, RowsLane},
    metrics::SentFrame,
};
use crate::{
    archive::Archive,
    catalog::Catalog,
    disk::Disk,
    head::{LineRows, PayloadBudget, Registry, SpanRows},
    journal::Journal,
    options::StoreOptions,
    sampling::{SampledState, Sampler},
    segment::SegmentId,
    snapshot::view::Views,
};

/// Shared by the store's handle and its threads.
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) traces: RowsLane<SpanRows>,
    pub(crate) logs: RowsLane<LineRows>,
    pub(crate) metrics: Lane<SentFrame>,
    pub(crate) registry: std::sync::Arc<Registry>,
    pub(crate) catalog: Catalog,
    pub(crate) views: std::sync::Arc<Views>,
    pub(crate) sampled: std::sync::Arc<SampledState>,
    pub(crate) sampler: Mutex<Sampler>,
    verdicts: std::sync::Arc<Journal<u32>>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Held while the list of segments changes: one of sealer, merger and retention at a time.
    pub(crate) segments_change: Mutex<()>,
    pub(crate) budget: std::sync::Arc<Mutex<PayloadBudget>>,
    /// Where segments go for longer, if anywhere.
    pub(crate) archive: Option<std::sync::Arc<Archive>>,
    pub(crate) failure: watch::Sender<Option<String>>,
    stopping: AtomicBool,
    bell: Bell,
    /// Given back last, when no thread can touch the folder any more.
    _folder: FolderLock,
}

/// What opening a data folder leads to.
pub(crate) struct Opened {
    pub(crate) options: StoreOptions,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) folder: FolderLock,
    pub(crate) catalog: Catalog,
    pub(crate) lanes: Lanes,
    pub(crate) views: std::sync::Arc<Views>,
    pub(crate) sampled: std::sync::Arc<SampledState>,
    pub(crate) sampler: Sampler,
    pub(crate) budget: std::sync::Arc<Mutex<PayloadBudget>>,
    pub(crate) archive: Option<std::sync::Arc<Archive>>,
}

/// A lane for each signal.
pub(crate) struct Lanes {
    pub(crate) traces: RowsLane<SpanRows>,
    pub(crate) logs: RowsLane<LineRows>,
    pub(crate) metrics: Lane<SentFrame>,
}

/// Wakes the background threads before their next tick.
#[derive(Debug, Default)]
struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.options.path).finish_non_exhaustive()
    }
}

impl Shared {
    /// Everything that was not opened starts empty.
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { options, clock, disk, folder, catalog, lanes, views, sampled, sampler, budget, archive } = opened;
        let Lanes { traces, logs, metrics } = lanes;
        Self {
            options,
            clock,
            disk,
            traces,
            logs,
            metrics,
            registry: views.current().metrics.registry.clone(),
            catalog,
            views,
            sampled,
            verdicts: sampler.verdicts(),
            sampler: Mutex::new(sampler),
            runtime: tokio::runtime::Handle::current(),
            segments_change: Mutex::new(()),
            budget,
            archive,
            failure: watch::Sender::new(None),
            stopping: AtomicBool::new(false),
            bell: Bell::default(),
            _folder: folder,
        }
    }

    /// The verdict journal.
    pub(crate) fn verdicts(&self) -> std::sync::Arc<Journal<u32>> {
        self.verdicts.clone()
    }

    /// The folder that a segment is in.
    pub(crate) fn folder_of(&self, id: &SegmentId) -> PathBuf {
        segments_path(&self.options.path, id.signal).join(id.tenant.as_str())
    }

    /// Whether the store is shutting down or has failed.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire) || self.failure.borrow().is_some()
    }

    /// Tells the threads to end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(archive) = &self.archive {
            archive.stop();
        }
        self.ring();
    }

    /// Nothing can be trusted any more: the process has to end and recover.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason, "the store stops");
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(reason);
            first
        });
        self.ring();
    }

    /// Wakes the background threads.
    pub(crate) fn ring(&self) {
        *self.bell.rings.lock() += 1;
        self.bell.rung.notify_all();
    }

    /// Waits for a ring or the end of `tick`.
    pub(crate) fn wait(&self, tick: Duration) {
        let mut rings = self.bell.rings.lock();
        let before = *rings;
        self.bell.rung.wait_while_for(&mut rings, |rings| *rings == before && !self.is_stopping(), tick);
    }

    /// Waits for the end of `length`, or of the store, whatever rings.
    pub(crate) fn pause(&self, length: Duration) {
        let mut rings = self.bell.rings.lock();
        self.bell.rung.wait_while_for(&mut rings, |_| !self.is_stopping(), length);
    }
}

/// The folder of the verdict journal.
pub(crate) fn verdicts_path(data: &Path) -> PathBuf {
    data.join("journal").join("verdicts")
}

/// The folder of a signal's journal.
pub(crate) fn journal_path(data: &Path, signal: Signal) -> PathBuf {
    data.join("journal").join(signal.name())
}

/// The folder of all tenants' segments of a signal.
pub(crate) fn segments_path(data: &Path, signal: Signal) -> PathBuf {
    data.join("segments").join(signal.name())
}
