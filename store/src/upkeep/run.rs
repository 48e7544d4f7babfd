//! A run of closed journal files on its way into segments: which files it has, and what became of their spans.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use weir_proto::TenantId;

use crate::{
    head::{Cut, HeadFile, HeadFrame},
    journal::Frames,
    lane::{errors::SealError, lane::Laned, outcomes::Outcomes, shared::Shared, spare_builder::SpareBuilder},
    ledger::Tally,
    segment::{Builder, ChosenSpan, PAYLOAD_BYTES_MAX},
};

/// Largest run in kept payload bytes, and largest journal file: with the one frame that a file may hold beyond its size it
/// fits a builder.
pub(crate) const RUN_BYTES_MAX: u64 = PAYLOAD_BYTES_MAX / 2;

/// The oldest closed files of a signal whose items are settled, as many as make one segment, once there is enough in them, or
/// in the journal because of them, or they have waited long enough.
pub(crate) fn next_run<L: Laned>(shared: &Shared) -> Option<Vec<Arc<HeadFile<L>>>> {
    // In this order: the sampler had heard of all that a file holds before it was closed, and the view has every verdict before
    // the offset.
    let files = L::of_view(&shared.views.current()).files.clone();
    let closed = files.iter().take_while(|file| file.journal().is_closed()).count();
    let settled = files[..closed].iter().take_while(|file| L::is_settled(shared, file)).count();
    let view = shared.views.current();
    let now_ns = shared.clock.now_ns();
    let kept_bytes_max = shared.options.seal_bytes_max.min(RUN_BYTES_MAX);
    let mut run: Vec<Arc<HeadFile<L>>> = Vec::new();
    let (mut kept_bytes, mut journal_bytes) = (0, 0);
    let mut is_full = false;
    for file in &files[..settled] {
        let decided = L::decided(file, view.cut(), now_ns);
        if !run.is_empty() && kept_bytes + decided.kept_bytes > kept_bytes_max {
            is_full = true;
            break;
        }
        kept_bytes += decided.kept_bytes;
        journal_bytes += u64::from(file.journal().bytes());
        run.push(file.clone());
        if journal_bytes >= shared.options.seal_journal_bytes_max {
            is_full = true;
            break;
        }
    }
    // A clock that was set back says nothing of the age: rather sealed early than when it has caught up.
    let age_ns = now_ns.checked_sub(L::decided(run.first()?, view.cut(), now_ns).since_ns);
    let is_old = age_ns.is_none_or(|age_ns| Duration::from_nanos(age_ns) >= shared.options.seal_age_max);
    (is_full || is_old || kept_bytes >= shared.options.seal_bytes_max).then_some(run)
}

/// What is gathered while a run's files are read.
#[derive(Debug)]
pub(crate) struct Run<L: Laned> {
    /// By tenant.
    pub(crate) tenants: BTreeMap<TenantId, TenantRun<L>>,
    /// Frames that were read and scanned.
    pub(crate) frames_read: u64,
    /// Frames without a kept span, which were not.
    pub(crate) frames_passed_over: u64,
}

/// One tenant's part of a run.
#[derive(Debug)]
pub(crate) struct TenantRun<L: Laned> {
    /// The kept items.
    pub(crate) builder: L::Builder,
    /// Of its sampled frames: accepted (without damaged), kept, dropped.
    sampled: Outcomes,
}

impl<L: Laned> Default for Run<L> {
    fn default() -> Self {
        Self { tenants: BTreeMap::new(), frames_read: 0, frames_passed_over: 0 }
    }
}

impl<L: Laned> Run<L> {
    /// Whether whatever a file keeps fits beside what is here already.
    pub(crate) fn has_room(&self, file: &HeadFile<L>) -> bool {
        self.tenants.values().all(|tenant| tenant.builder.has_room(file.journal().bytes() as usize))
    }

    /// Adds a file's kept items to their tenants' builders. What is damaged stays out; answers whether nothing was.
    pub(crate) fn read_file(
        &mut self,
        file: &HeadFile<L>,
        cut: Cut<'_>,
        spare: &SpareBuilder<L::Builder>,
    ) -> Result<bool, SealError> {
        let mut is_whole = true;
        let mut frames = file.journal().frames();
        let mut chosen = Vec::new();
        for frame in file.frames(file.end()) {
            if !self.tenants.contains_key(&frame.tenant) {
                let run = TenantRun { builder: spare.take(), sampled: Outcomes::default() };
                self.tenants.insert(frame.tenant.clone(), run);
            }
            let tenant = self.tenants.get_mut(&frame.tenant).expect("inserted just now");
            chosen.clear();
            if L::choose(frame, cut, &mut tenant.sampled, &mut chosen)? == 0 {
                self.frames_passed_over += 1;
                continue;
            }
            self.frames_read += 1;
            is_whole &= tenant.read_frame(frame, &mut frames, &chosen);
        }
        Ok(is_whole)
    }

    /// What the run takes out of the tallies of unsealed sampled spans.
    pub(crate) fn share(&self, cut: Cut<'_>) -> BTreeMap<TenantId, Tally> {
        let share = self.tenants.iter().map(|(tenant, run)| (tenant.clone(), run.sampled.tally(cut)));
        share.filter(|(_, tally)| *tally != Tally::default()).collect()
    }
}

impl<L: Laned> TenantRun<L> {
    /// Adds a frame's items; answers whether they could be read.
    fn read_frame(&mut self, frame: &HeadFrame<L>, frames: &mut Frames, chosen: &[ChosenSpan<'_>]) -> bool {
        let stored = match frames.at(frame.offset.position()) {
            Some(Ok(stored)) => stored,
            Some(Err(damage)) => {
                tracing::error!(offset = %frame.offset, %damage, "a damaged frame in the journal");
                return false;
            }
            None => {
                tracing::error!(offset = %frame.offset, "a frame is not in the journal any more");
                return false;
            }
        };
        self.builder.arrived_at(stored.header.received_at_ns);
        let pushed = L::push(&mut self.builder, frame, &stored, chosen);
        if let Err(error) = &pushed {
            tracing::error!(offset = %frame.offset, %error, "a frame's payload cannot be read");
        }
        pushed.is_ok()
    }
}
