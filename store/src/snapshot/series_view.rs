//! What the view has of metrics.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
};

use weir_proto::TenantId;

use super::{stored::StoredSegment, view::SegmentsByTenant};
use crate::{
    head::{HeadCut, Registry, SeriesFile},
    ledger::Tally,
    offset::Offset,
    segment::series::SeriesSegment,
};

/// What metrics have at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetricsView {
    /// All series in memory, of this moment or not.
    pub(crate) registry: Arc<Registry>,
    /// Samples of later frames are not part of it. Shared by all views of this moment: while there is one, the series keep apart
    /// what came later.
    pub(crate) horizon: Arc<Horizon>,
    /// Journal files that are not sealed, oldest first.
    pub(crate) files: Vec<Arc<SeriesFile>>,
    /// Everything sealed.
    pub(crate) segments: Arc<SegmentsByTenant<SeriesSegment>>,
    /// Of everything sealed.
    pub(crate) sealed_ledger: Arc<BTreeMap<TenantId, Tally>>,
}

/// The last frame that was published.
#[derive(Debug, Default)]
pub(crate) struct Horizon(pub(crate) Offset);

impl MetricsView {
    /// What of the head is part of it.
    pub(crate) fn cut(&self) -> HeadCut {
        let first_file = self.files.first().map_or(u32::MAX, |file| file.number());
        HeadCut { first_file, projected: self.horizon.0 }
    }

    /// Bytes of journal files that are not sealed.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.journal().bytes())).sum()
    }

    /// Samples in the head.
    pub(crate) fn head_samples(&self) -> u64 {
        self.files.iter().map(|file| file.samples()).sum()
    }

    /// Samples of a tenant.
    pub(crate) fn samples_of(&self, tenant: &TenantId) -> u64 {
        let sealed: u64 = self.segments_of(tenant).iter().map(|segment| segment.samples()).sum();
        sealed + self.files.iter().map(|file| file.samples_of(tenant)).sum::<u64>()
    }

    /// A tenant's segments, oldest first.
    pub(crate) fn segments_of(&self, tenant: &TenantId) -> &[Arc<StoredSegment<SeriesSegment>>] {
        self.segments.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }

    /// Samples in segments.
    pub(crate) fn sealed_samples(&self) -> u64 {
        self.segments.values().flatten().map(|segment| segment.samples()).sum()
    }

    /// The tallies of everything sealed, and of the head.
    pub(crate) fn ledger(&self) -> BTreeMap<TenantId, Tally> {
        let mut ledger = self.sealed_ledger.as_ref().clone();
        for file in &self.files {
            for (tenant, tally) in file.tallies(self.horizon.0) {
                ledger.entry(tenant).or_default().add(&tally);
            }
        }
        ledger
    }
}

/// Horizons that views may still have, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Horizons(VecDeque<(Offset, Weak<Horizon>)>);

impl Horizons {
    /// The current view's horizon, asked for before each change of it.
    pub(crate) fn note(&mut self, horizon: &Arc<Horizon>) {
        if self.0.back().is_none_or(|(_, known)| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(horizon))) {
            self.0.push_back((horizon.0, Arc::downgrade(horizon)));
        }
    }

    /// Every snapshot sees the frames up to here.
    pub(crate) fn seen(&mut self) -> Offset {
        while self.0.len() > 1 && self.0.front().is_some_and(|(_, horizon)| horizon.strong_count() == 0) {
            self.0.pop_front();
        }
        self.0.front().map_or(Offset::default(), |(offset, _)| *offset)
    }
}
