//! What the sampler, the committer and the sealer share: how far verdicts reach, and the lock of the unsealed spans' tallies.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use weir_proto::TenantId;

use super::{
    Sampling,
    inbox::{Fed, FedFrame, Inbox, LAG_SPANS_MAX},
};
use crate::{
    ledger::Tally,
    offset::Offset,
    snapshot::view::{SampledTallies, View, Views},
    verdict::names::PolicyNames,
};

/// Why another configuration is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// Traces are pending that began before the last reload: try again once they have their verdicts.
    #[error("traces from before the last reload still wait for their verdicts; try again after decision_wait")]
    StillPending,
    /// A generation must differ from the one before.
    #[error("sampling has generation {generation} already")]
    SameGeneration {
        /// Which.
        generation: u32,
    },
}

/// What spans are marked with, for as long as frames are on their way to the sampler: a reload comes before or after them.
pub(crate) type Marking<'a> = MutexGuard<'a, Option<Arc<dyn Sampling>>>;

/// Shared by the store's threads.
#[derive(Debug)]
pub(crate) struct SampledState {
    /// The names behind outcomes' policies.
    pub(crate) names: Arc<PolicyNames>,
    undecided_from: AtomicU64,
    /// Held by whoever changes [`View::sampled`].
    changing: Mutex<()>,
    /// See [`Marking`].
    sampling: Mutex<Option<Arc<dyn Sampling>>>,
    pub(super) inbox: Inbox,
    /// Verdicts cannot be written for want of space.
    pub(super) is_stuck: AtomicBool,
}

impl SampledState {
    /// For spans marked by `sampling`.
    pub(crate) fn new(sampling: Option<Arc<dyn Sampling>>) -> Self {
        Self {
            names: Arc::default(),
            undecided_from: AtomicU64::new(u64::MAX),
            changing: Mutex::new(()),
            sampling: Mutex::new(sampling),
            inbox: Inbox::default(),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// The first offset at which a span may lie whose verdict has not taken effect. A closed journal file whose last frame lies
    /// before it can be sealed, by a view taken after asking.
    pub(crate) fn undecided_from(&self) -> Offset {
        Offset(self.undecided_from.load(Ordering::Acquire))
    }

    /// What spans are marked with now.
    pub(crate) fn marking(&self) -> Marking<'_> {
        self.sampling.lock()
    }

    /// Hands sampled frames to the sampler, once a view shows them, in the configuration that they were marked in.
    pub(crate) fn feed(&self, frames: Vec<FedFrame>, _marking: Marking<'_>) {
        let Some(first) = frames.first().map(|frame| frame.frame().offset) else { return };
        // Under the queue's lock, like the sampler when it moves the end.
        self.inbox.feed(frames, || {
            self.undecided_from.fetch_min(first.0, Ordering::AcqRel);
        });
    }

    /// Traces that begin from now on are sampled otherwise, or, with `None`, no more.
    pub(crate) fn reload(&self, sampling: Option<Arc<dyn Sampling>>) -> Result<(), ReloadError> {
        let mut marking = self.marking();
        let mut waiting = self.inbox.lock();
        if waiting.is_reloading {
            return Err(ReloadError::StillPending);
        }
        let generation = |sampling: &Option<Arc<dyn Sampling>>| sampling.as_ref().map_or(0, |of| of.generation());
        if generation(&sampling) == generation(&marking) {
            return Err(ReloadError::SameGeneration { generation: generation(&sampling) });
        }
        waiting.is_reloading = true;
        marking.clone_from(&sampling);
        waiting.fed.push_back(Fed::Reload(sampling));
        Ok(())
    }

    /// Frames of the verdict journal are durable: each one's number in the round, and its file.
    pub(crate) fn settle(&self, settled: impl Iterator<Item = (u32, u32)>) {
        self.inbox.settle(settled);
    }

    /// Spans that wait for the sampler.
    pub(crate) fn lag_spans(&self) -> u64 {
        self.inbox.lock().spans
    }

    /// Whether receivers have to wait for the sampler.
    pub(crate) fn has_fallen_behind(&self) -> bool {
        self.lag_spans() >= LAG_SPANS_MAX
    }

    /// Whether verdicts wait for space on the disk.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    /// The sampler's pause between two turns: ends early when there is much to do.
    pub(crate) fn pause(&self, tick: Duration) {
        self.inbox.pause(tick);
    }

    /// Everything before `undecided`, and before what waits, has its verdict.
    pub(super) fn set_undecided_from(&self, undecided: Option<Offset>) {
        let waiting = self.inbox.lock();
        let first = [undecided, waiting.first_offset()].into_iter().flatten().min();
        self.undecided_from.store(first.map_or(u64::MAX, |offset| offset.0), Ordering::Release);
    }

    /// Changes the view and takes a sealed run's share out of [`View::sampled`] in the same swap: of its sampled frames
    /// `accepted` (without damaged), `kept` and `dropped`. `change` may run more than once.
    pub(crate) fn take_out(&self, views: &Views, mut change: impl FnMut(&mut View), share: &BTreeMap<TenantId, Tally>) {
        let update = |sampled: &mut SampledTallies| {
            for (tenant, tally) in share {
                if let Some(sum) = sampled.by_tenant.get_mut(tenant) {
                    sum.subtract(tally);
                }
            }
            sampled.by_tenant.retain(|_, tally| *tally != Tally::default());
        };
        self.change(views, update, &mut change);
    }

    /// Changes the tallies, and the rest of the view with them, in one swap.
    pub(super) fn change(
        &self,
        views: &Views,
        update: impl FnOnce(&mut SampledTallies),
        change: &mut dyn FnMut(&mut View),
    ) {
        let _changing = self.changing.lock();
        // Nobody else changes them while this lock is held.
        let mut sampled = views.current().sampled.as_ref().clone();
        update(&mut sampled);
        let sampled = Arc::new(sampled);
        views.change(|view| {
            change(view);
            view.sampled = sampled.clone();
        });
    }
}

#[cfg(test)]
impl SampledState {
    /// Tests that give verdicts by hand change the tallies of a view, and say which verdicts it shows and how far they reach.
    pub(crate) fn change_by_hand(
        &self,
        views: &Views,
        change: impl FnOnce(&View, &mut SampledTallies) -> (crate::verdict::outcome::VerdictNo, Offset),
    ) {
        let _changing = self.changing.lock();
        let view = views.current();
        let mut sampled = view.sampled.as_ref().clone();
        let (verdicts, undecided_from) = change(&view, &mut sampled);
        let sampled = Arc::new(sampled);
        views.change(|view| {
            view.sampled = sampled.clone();
            view.verdicts = verdicts;
        });
        self.undecided_from.store(undecided_from.0, Ordering::Release);
    }
}
