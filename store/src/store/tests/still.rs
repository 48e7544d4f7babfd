//! A store without background threads: each step is taken by hand, so that every run does the same.

use std::{path::Path, sync::Arc};

use weir_proto::{TenantId, time::Clock};

use super::{
    super::{Shared, TracesBatch},
    check::{self, Numbers},
    clock, options, spans,
};
use crate::{
    disk::Disk,
    head::SpanRows,
    journal::{Entry, FrameHeader},
    lane::errors::OpenError,
    options::StoreOptions,
    snapshot::asked::Snapshot,
    upkeep::{housekeeping, merger, open, repair, run, sealer},
};

/// An open store that stands still between steps.
pub(super) struct StillStore {
    pub(super) shared: Arc<Shared>,
}

impl StillStore {
    pub(super) async fn open(folder: &Path) -> Self {
        Self::open_with(options(folder), Disk::default(), clock()).await
    }

    pub(super) async fn open_with(options: StoreOptions, disk: Disk, clock: Clock) -> Self {
        Self::try_open(options, disk, clock).await.expect("opens")
    }

    pub(super) async fn try_open(options: StoreOptions, disk: Disk, clock: Clock) -> Result<Self, OpenError> {
        Ok(Self { shared: Arc::new(open::open(disk, options, None, clock).await?) })
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.shared.views.current())
    }

    /// Appends one batch.
    pub(super) async fn append(&self, tenant: &TenantId, numbers: impl IntoIterator<Item = u64>) -> Numbers {
        let numbers: Numbers = numbers.into_iter().collect();
        self.append_batch(spans::batch(tenant, &Vec::from_iter(numbers.iter().copied()), self.shared.clock.now_ns()))
            .await;
        numbers
    }

    /// Appends one batch whose spans are to be sampled.
    pub(super) async fn append_sampled(&self, tenant: &TenantId, numbers: impl IntoIterator<Item = u64>) -> Numbers {
        let numbers: Numbers = numbers.into_iter().collect();
        let batch = spans::batch(tenant, &Vec::from_iter(numbers.iter().copied()), self.shared.clock.now_ns());
        self.append_batch(TracesBatch { generation: 1, ..batch }).await;
        numbers
    }

    /// Appends one batch that was made elsewhere.
    pub(super) async fn append_batch(&self, batch: TracesBatch) {
        let header = FrameHeader {
            tenant: batch.tenant,
            received_at_ns: batch.received_at_ns,
            items: batch.items,
            rejected: batch.rejected,
            generation: batch.generation,
            cursor: bytes::Bytes::new(),
            head_dropped: batch.head_dropped,
        };
        let entry = Entry { header, payload: batch.payload, attachment: batch.summaries };
        self.shared.traces.journal.append(entry).await.expect("appended");
    }

    /// Closes the journal file in use.
    pub(super) async fn roll(&self) {
        self.shared.traces.journal.roll().await;
    }

    /// Seals the next run; answers whether there was one.
    pub(super) async fn seal(&self) -> bool {
        self.seal_run().await.is_some()
    }

    /// Seals the next run, if there is one.
    pub(super) async fn seal_run(&self) -> Option<sealer::Sealed> {
        self.step(|shared| run::next_run::<SpanRows>(shared).map(|files| sealer::seal(shared, &files).expect("sealed")))
            .await
    }

    /// Does the next merge; answers whether there was one.
    pub(super) async fn merge(&self) -> bool {
        self.step(|shared| {
            let inputs = merger::next_merge(shared);
            inputs.inspect(|inputs| merger::merge_segments(shared, inputs)).is_some()
        })
        .await
    }

    /// Saves what is left of the next damaged segment; answers whether there was one.
    pub(super) async fn repair(&self) -> bool {
        self.step(|shared| {
            let damaged = repair::next_damaged(shared);
            damaged.inspect(|damaged| repair::repair(shared, damaged)).is_some()
        })
        .await
    }

    pub(super) async fn apply_retention(&self) {
        self.step(|shared| housekeeping::apply_retention(shared).expect("applied")).await;
    }

    /// What a background thread does, on a thread that may block.
    pub(super) async fn step<T: Send + 'static>(&self, step: impl FnOnce(&Arc<Shared>) -> T + Send + 'static) -> T {
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || step(&shared)).await.expect("no panic")
    }

    /// Stops as on shutdown.
    pub(super) async fn close(self) {
        self.step(|shared| shared.traces.journal.shutdown()).await;
        self.shared.catalog.close().await;
    }

    /// Checks every answer: exactly `sent` is there, nothing is damaged.
    pub(super) fn shows_all(&self, tenant: &TenantId, sent: &Numbers) {
        let snapshot = self.snapshot();
        assert_eq!(check::visible(&snapshot, tenant, sent), *sent);
        check::answers(&snapshot, tenant, sent);
    }

    /// Checks that all of `sent` is there but `lost`, which is counted as damaged.
    pub(super) fn shows_all_but(&self, lost: &Numbers, tenant: &TenantId, sent: &Numbers) {
        let snapshot = self.snapshot();
        let left: Numbers = sent.difference(lost).copied().collect();
        assert_eq!(check::visible(&snapshot, tenant, sent), left);
        check::searches(&snapshot, tenant, &left);
        let tally = check::tally(&snapshot, tenant);
        let (accepted, kept, damaged) = (tally.accepted, tally.kept, tally.damaged);
        assert_eq!((accepted, kept, damaged), (sent.len() as u64, left.len() as u64, lost.len() as u64));
    }

    /// Seals and merges as long as there is something to do.
    pub(super) async fn settle(&self) {
        while self.seal().await || self.merge().await {}
    }

    /// The number of segments in the view.
    pub(super) fn segments(&self) -> usize {
        self.shared.views.current().all_segments().count()
    }
}
