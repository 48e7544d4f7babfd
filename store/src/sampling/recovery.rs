//! Recovery: all journalled verdicts, then all unsealed frames through the sampler, each verdict where it was decided.
//!
//! A verdict says after which frame it was decided, and which limits the cache had. So replay finds every span with the verdict
//! that it had, however often Weir was stopped, and decides nothing itself.

use std::{collections::VecDeque, path::Path, sync::Arc};

use super::{
    Sampler,
    checkpoint::Checkpoint,
    inbox::FedFrame,
    status::TurnCounts,
    table::Place,
    traces::decided_trace,
    verdicts::{StoredVerdict, VerdictBatch},
};
use crate::{Offset, disk::Disk, head::HeadFile, journal::JournalFile};

/// Everything that was replayed took effect together.
const REPLAYED: super::VerdictNo = 1;

/// What is still to be replayed.
#[derive(Debug)]
pub(crate) struct Replay {
    /// In the order in which they were decided.
    verdicts: VecDeque<StoredVerdict>,
    checkpoint: Option<Checkpoint>,
    is_restored_again: bool,
}

impl Sampler {
    /// Reads all verdicts, and gives the judge its state back.
    pub(crate) fn begin_replay(&mut self, files: &[Arc<JournalFile>], checkpoint: Option<Checkpoint>) -> Replay {
        let mut verdicts = self.read_verdicts(files);
        verdicts.sort_by_key(|stored| stored.verdict.sequence);
        // One that found no space may have reached the disk all the same, and again.
        verdicts.dedup_by_key(|stored| stored.verdict.sequence);
        if let Some(checkpoint) = &checkpoint {
            self.judges.current.judge.restore(&checkpoint.state);
            self.time.reach(checkpoint.journal_time_ns);
            self.sequence = checkpoint.sequence;
        }
        if let Some(last) = verdicts.last() {
            self.sequence = self.sequence.max(last.verdict.sequence + 1);
        }
        Replay { verdicts: verdicts.into(), checkpoint, is_restored_again: false }
    }

    fn read_verdicts(&mut self, files: &[Arc<JournalFile>]) -> Vec<StoredVerdict> {
        let mut verdicts = Vec::new();
        for file in files {
            for frame in file.frames() {
                let frame = match frame {
                    Ok(frame) => frame,
                    Err(damage) => {
                        tracing::error!(%damage, "damaged verdicts: their traces are decided again");
                        continue;
                    }
                };
                let Some(batch) = VerdictBatch::decode(&frame.payload, &self.around.state.names) else {
                    tracing::error!(offset = %frame.offset, "verdicts that cannot be read: their traces are decided again");
                    continue;
                };
                let tenant = self.changes.tenant_number(&frame.header.tenant);
                let limits = Arc::new(batch.limits);
                verdicts.extend(batch.verdicts.into_iter().map(|verdict| StoredVerdict {
                    tenant,
                    file: file.number(),
                    limits: limits.clone(),
                    verdict,
                }));
            }
        }
        verdicts
    }

    /// Takes in the frames of the next unsealed journal file.
    pub(crate) fn replay(&mut self, replay: &mut Replay, file: &Arc<HeadFile>, frames: Vec<FedFrame>) {
        replay.find_moved(file);
        for frame in frames {
            let offset = frame.frame().offset;
            while let Some(stored) = replay.verdicts.pop_front_if(|next| next.verdict.after.offset < offset) {
                self.apply_stored(replay.checkpoint.as_ref(), &stored);
            }
            if let Some(checkpoint) = &replay.checkpoint
                && checkpoint.taken_in < offset
                && !replay.is_restored_again
            {
                // What it had observed up to here is in the state already.
                self.judges.current.judge.restore(&checkpoint.state);
                replay.is_restored_again = true;
            }
            self.take_in(&frame);
        }
        // What took effect in an earlier process is not counted again.
        self.apply_late(REPLAYED, &mut TurnCounts::default());
    }

    /// Applies the verdicts that are left, and shows everything.
    pub(crate) fn finish_replay(&mut self, mut replay: Replay) {
        while let Some(stored) = replay.verdicts.pop_front() {
            self.apply_stored(replay.checkpoint.as_ref(), &stored);
        }
        if let Some(checkpoint) = &replay.checkpoint
            && !replay.is_restored_again
        {
            self.judges.current.judge.restore(&checkpoint.state);
        }
        self.publish();
        self.around.state.set_undecided_from(self.undecided_from());
    }

    /// A verdict takes effect where it was decided.
    fn apply_stored(&mut self, checkpoint: Option<&Checkpoint>, stored: &StoredVerdict) {
        let StoredVerdict { tenant, file, ref limits, ref verdict } = *stored;
        let outcome = verdict.outcome;
        self.limit_cache(**limits);
        self.time.reach(verdict.journal_time_ns);
        let until = verdict.after.offset.max(self.taken_in.offset);
        match self.traces.find(tenant, verdict.trace_id) {
            Some(Place::Pending(number)) => {
                let account = self.close(number, outcome, file);
                self.judges.of(account.trace.generation).pending -= 1;
                self.traces.slots.decide(account.slot, outcome, REPLAYED);
                self.changes.decided(tenant, outcome, u64::from(account.trace.spans));
            }
            // Written again: as late as the copy.
            from => {
                let trace = decided_trace(verdict.trace_id, tenant, verdict.epoch, outcome, file);
                let files = &mut self.files;
                self.traces.remember(from, outcome.keep, trace, |gone| files.forget(gone.file, until));
            }
        }
        let is_cached = matches!(self.traces.find(tenant, verdict.trace_id), Some(Place::Decided(..)));
        self.files.add(file, u64::from(is_cached), until);
        let is_known = checkpoint.is_some_and(|checkpoint| verdict.sequence < checkpoint.sequence);
        if !is_known
            && !verdict.copied
            && let Some(policy) = self.judges.current.policy(outcome.policy)
        {
            let judge = &mut self.judges.current.judge;
            judge.recall(verdict.spans, outcome.keep, policy, verdict.journal_time_ns);
        }
    }

    /// Time goes on where it stood when the run before ended. Answers what the catalog is to know of this run.
    pub(crate) fn begin_run(&mut self, first_file: u32) -> (u32, i64) {
        let now_ns = self.around.clock.now_ns();
        self.time.begin_run(first_file, now_ns)
    }

    /// Writes down what the judge has learned, when it has learned anything.
    pub(crate) fn checkpoint(&mut self, disk: &Disk, folder: &Path) -> std::io::Result<()> {
        let state = self.judges.current.judge.checkpoint();
        if state.is_empty() {
            return Ok(());
        }
        let (taken_in, sequence) = (self.taken_in.offset, self.sequence);
        Checkpoint { taken_in, sequence, journal_time_ns: self.time.last(), state }.write(disk, folder)
    }
}

impl Replay {
    /// Verdicts that were decided after a frame which recovery has copied to this file: now they follow the copy.
    fn find_moved(&mut self, file: &HeadFile) {
        let (before, end) = file.journal().before();
        for stored in &mut self.verdicts {
            let after = &mut stored.verdict.after;
            if after.offset >= Offset::new(file.number(), 0) {
                return;
            }
            if after.offset.file() == before && after.offset.position() >= end {
                // Without the copy here it was copied once more, to the next file.
                let copy = file.frame(after.in_group as usize);
                after.offset = copy.map_or(Offset::new(file.number(), u32::MAX), |copy| copy.offset);
            }
        }
    }
}
