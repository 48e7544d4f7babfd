//! What a journal file of metrics brought: its series, exemplars and tallies. The samples are with the series.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use prometheus::{IntCounter, register_int_counter};
use weir_proto::{
    TenantId,
    metrics::{Exemplar, Metadata},
};

use super::{blocks::Blocks, data::Arrival, registry::SeriesLimits, series::SeriesRef};
use crate::{
    journal::{FrameHeader, JournalFile, Tallies},
    ledger::{Tally, tally_of_frame},
    offset::Offset,
};

static EXEMPLARS_REFUSED: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Exemplars left out because a journal file has storage.exemplars_max of the tenant.";
    register_int_counter!("weir_exemplars_refused_total", text).expect("registered once")
});

/// One journal file that is not sealed.
#[derive(Debug)]
pub(crate) struct SeriesFile {
    blocks: Arc<Blocks>,
    journal: Arc<JournalFile>,
    /// Of a tenant; further ones are not kept.
    exemplars_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tenants: BTreeMap<TenantId, TenantFile>,
    tallies: BTreeMap<TenantId, Tally>,
    /// The newest frames, as far back as there are snapshots that tell them apart.
    frames: VecDeque<(Offset, TenantId, Tally)>,
    end: Offset,
    last_received_at_ns: u64,
}

/// One tenant's part of a file.
#[derive(Debug, Default, Clone)]
pub(crate) struct TenantFile {
    /// Those with samples in it, in the order in which they came.
    pub(crate) series: Vec<SeriesRef>,
    /// Exemplars with the positions of their frames.
    pub(crate) exemplars: Vec<(SeriesRef, u32, Exemplar)>,
    last_exemplars: HashMap<u64, usize>,
    /// Families that its frames tell of.
    pub(crate) metadata: BTreeMap<String, Metadata>,
    /// Samples that are there.
    pub(crate) samples: u64,
}

/// What a frame brought, once its samples are with their series.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// Series that had nothing in the file before.
    pub(crate) new_series: Vec<SeriesRef>,
    /// Exemplars.
    pub(crate) exemplars: Vec<(SeriesRef, Exemplar)>,
    /// What the frame says of families.
    pub(crate) metadata: Vec<Metadata>,
    /// Samples that are there now.
    pub(crate) samples: u64,
    /// Acknowledged samples that could not be read.
    pub(crate) damaged: u64,
}

impl SeriesFile {
    /// A file of which nothing was read yet.
    pub(crate) fn new(journal: Arc<JournalFile>, limits: SeriesLimits) -> Self {
        let blocks = Arc::new(Blocks::new(journal.number()));
        Self { blocks, journal, exemplars_max: limits.exemplars_max, state: Mutex::default() }
    }

    /// The journal file's number.
    pub(crate) fn number(&self) -> u32 {
        self.blocks.file()
    }

    /// Where its samples' bytes go.
    pub(crate) fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// The journal file itself.
    pub(crate) fn journal(&self) -> &Arc<JournalFile> {
        &self.journal
    }

    /// Adds what a frame brought. `seen` is the file's position up to which every snapshot sees.
    pub(crate) fn add(&self, arrival: Arrival<'_>, header: &FrameHeader, arrived: Arrived) {
        let mut state = self.state.lock();
        let mut tally = tally_of_frame(header);
        tally.damaged = arrived.damaged.min(tally.kept);
        tally.kept -= tally.damaged;
        state.tallies.entry(header.tenant.clone()).or_default().add(&tally);
        let offset = Offset::new(arrival.file(), arrival.position);
        while state.frames.front().is_some_and(|(frame, ..)| frame.position() <= arrival.seen) {
            state.frames.pop_front();
        }
        state.frames.push_back((offset, header.tenant.clone(), tally));
        state.end = offset;
        state.last_received_at_ns = state.last_received_at_ns.max(header.received_at_ns);
        let tenant = state.tenants.entry(header.tenant.clone()).or_default();
        tenant.series.extend(arrived.new_series);
        tenant.samples += arrived.samples;
        for family in arrived.metadata {
            tenant.metadata.insert(family.family.clone(), family);
        }
        for (series, exemplar) in arrived.exemplars {
            tenant.add_exemplar(series, arrival.position, exemplar, self.exemplars_max);
        }
    }

    /// Adds samples that recovery gave to series; a series itself, when they are its first in the file.
    pub(crate) fn add_series<'s>(&self, stored: impl Iterator<Item = (&'s TenantId, Option<&'s SeriesRef>, u64)>) {
        let mut state = self.state.lock();
        for (tenant, new, samples) in stored {
            let of_tenant = match state.tenants.get_mut(tenant) {
                Some(of_tenant) => of_tenant,
                None => state.tenants.entry(tenant.clone()).or_default(),
            };
            of_tenant.series.extend(new.cloned());
            of_tenant.samples += samples;
        }
    }

    /// Counts samples that were acknowledged, or rejected, and that recovery could not find.
    pub(crate) fn add_damaged(&self, lost: &Tallies) {
        let mut state = self.state.lock();
        for (tenant, count) in lost.iter() {
            state.tallies.entry(tenant.clone()).or_default().add(&Tally::lost(count));
        }
    }

    /// The last frame's offset.
    pub(crate) fn end(&self) -> Offset {
        self.state.lock().end
    }

    /// When its last frame arrived, Unix ns; 0 without frames.
    pub(crate) fn newest_received_at_ns(&self) -> u64 {
        self.state.lock().last_received_at_ns
    }

    /// Samples of all tenants.
    pub(crate) fn samples(&self) -> u64 {
        self.state.lock().tenants.values().map(|tenant| tenant.samples).sum()
    }

    /// Samples of a tenant.
    pub(crate) fn samples_of(&self, tenant: &TenantId) -> u64 {
        self.state.lock().tenants.get(tenant).map_or(0, |tenant| tenant.samples)
    }

    /// What the frames at or before `visible` add up to.
    pub(crate) fn tallies(&self, visible: Offset) -> BTreeMap<TenantId, Tally> {
        let state = self.state.lock();
        let mut tallies = state.tallies.clone();
        for (_, tenant, tally) in state.frames.iter().rev().take_while(|(offset, ..)| *offset > visible) {
            if let Some(sum) = tallies.get_mut(tenant) {
                sum.subtract(tally);
            }
        }
        tallies.retain(|_, tally| *tally != Tally::default());
        tallies
    }

    /// The tenants that it has something of.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        self.state.lock().tenants.keys().cloned().collect()
    }

    /// A copy of one tenant's part.
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Option<TenantFile> {
        self.state.lock().tenants.get(tenant).cloned()
    }

    /// The exemplars of a tenant up to a position, as `each` wants them.
    pub(crate) fn exemplars(&self, tenant: &TenantId, position: u32, mut each: impl FnMut(&SeriesRef, &Exemplar)) {
        let state = self.state.lock();
        let Some(of_tenant) = state.tenants.get(tenant) else { return };
        of_tenant
            .exemplars
            .iter()
            .take_while(|(_, at, _)| *at <= position)
            .for_each(|(series, _, exemplar)| each(series, exemplar));
    }
}

impl TenantFile {
    /// Adds an exemplar, unless it is the one that its series had last: scrapes bring it again until there is another.
    fn add_exemplar(&mut self, series: SeriesRef, position: u32, exemplar: Exemplar, exemplars_max: usize) {
        let last = self.last_exemplars.get(&series.0.number).map(|&index| &self.exemplars[index].2);
        if last.is_some_and(|last| {
            last.labels == exemplar.labels
                && last.time_ms == exemplar.time_ms
                && last.value.to_bits() == exemplar.value.to_bits()
        }) {
            return;
        }
        if self.exemplars.len() >= exemplars_max {
            EXEMPLARS_REFUSED.inc();
            return;
        }
        self.last_exemplars.insert(series.0.number, self.exemplars.len());
        self.exemplars.push((series, position, exemplar));
    }
}
