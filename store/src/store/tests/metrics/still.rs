//! The lane of metrics in a store without background threads.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use weir_proto::{TenantId, metrics::LabelMatcher};

use super::{ALWAYS, labels, shown};
use crate::{
    disk::Disk,
    head::SeriesFile,
    lane::{
        metrics,
        metrics::{FloatSample, MetricsAppended, MetricsBatch},
        shared::Shared,
    },
    ledger::Tally,
    options::StoreOptions,
    snapshot::asked::Snapshot,
    store::tests::{clock, still::StillStore},
    upkeep::{merger, repair, seal_samples},
};

/// A store whose metrics go on by hand.
pub(super) struct StillMetrics {
    pub(super) store: StillStore,
    sealed: Arc<Mutex<VecDeque<Arc<SeriesFile>>>>,
}

/// A sample: series, time, value.
pub(super) type Told<'a> = (&'a str, i64, f64);

impl StillMetrics {
    pub(super) async fn open(options: StoreOptions) -> Self {
        Self::open_on(options, Disk::default()).await
    }

    pub(super) async fn open_on(options: StoreOptions, disk: Disk) -> Self {
        Self { store: StillStore::open_with(options, disk, clock()).await, sealed: Arc::default() }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.store.shared
    }

    pub(super) fn batch(&self, tenant: &TenantId, samples: &[Told<'_>]) -> MetricsBatch {
        let mut batch = MetricsBatch::new(tenant.clone(), clock().now_ns());
        let float = |&(series, time_ms, value): &Told<'_>| FloatSample {
            series: self.shared().registry.series(tenant, &labels(series)).expect("taken"),
            time_ms,
            start_ms: 0,
            value,
        };
        batch.floats = samples.iter().map(float).collect();
        batch
    }

    pub(super) async fn append(&self, tenant: &TenantId, samples: &[Told<'_>]) -> MetricsAppended {
        metrics::append(self.shared(), self.batch(tenant, samples)).await.expect("appended")
    }

    pub(super) async fn roll(&self) {
        self.shared().metrics.journal.roll().await;
    }

    /// Seals the next file; answers whether there was one.
    pub(super) async fn seal(&self) -> bool {
        let sealed = self.sealed.clone();
        self.step(move |shared| {
            let mut sealed = sealed.lock();
            seal_samples::forget(shared, &mut sealed);
            let Some(file) = seal_samples::next_file(shared) else { return false };
            seal_samples::seal(shared, &file).expect("sealed");
            sealed.push_back(file);
            seal_samples::forget(shared, &mut sealed);
            true
        })
        .await
    }

    /// Makes one segment of all of a tenant's.
    pub(super) async fn merge_all(&self, tenant: &TenantId) {
        let tenant = tenant.clone();
        self.step(move |shared| {
            let inputs = shared.views.current().metrics.segments_of(&tenant).to_vec();
            merger::merge_segments(shared, &inputs);
        })
        .await;
    }

    /// Saves what is left of the next damaged segment; answers whether there was one.
    pub(super) async fn repair(&self) -> bool {
        self.step(|shared| {
            let damaged = repair::next_damaged_series(shared);
            damaged.inspect(|damaged| repair::repair(shared, damaged)).is_some()
        })
        .await
    }

    async fn step<T: Send + 'static>(&self, step: impl FnOnce(&Arc<Shared>) -> T + Send + 'static) -> T {
        let shared = self.shared().clone();
        tokio::task::spawn_blocking(move || step(&shared)).await.expect("no panic")
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    pub(super) fn shown(&self, tenant: &TenantId, matchers: &[LabelMatcher]) -> String {
        shown(&self.snapshot(), tenant, matchers, ALWAYS)
    }

    pub(super) fn tally(&self, tenant: &TenantId) -> Tally {
        self.snapshot().ledger().metrics.get(tenant).cloned().unwrap_or_default()
    }

    pub(super) fn segments(&self, tenant: &TenantId) -> usize {
        self.shared().views.current().metrics.segments_of(tenant).len()
    }

    pub(super) async fn close(self) {
        let shared = self.shared().clone();
        tokio::task::spawn_blocking(move || shared.metrics.journal.shutdown()).await.expect("no panic");
        self.store.close().await;
    }
}
