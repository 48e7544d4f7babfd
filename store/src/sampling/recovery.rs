//! Recovery: all journalled verdicts, then all unsealed frames through the sampler, each verdict where it was decided.
//!
//! A verdict says after which frame it was decided, and which limits the cache had. So replay finds every span with the verdict
//! that it had, however often Weir was stopped, and decides nothing itself.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Sampler,
    checkpoint::Checkpoint,
    inbox::FedFrame,
    status::TurnCounts,
    table::Tracked,
    traces::decided_trace,
    verdicts::{StoredVerdict, VerdictBatch},
};
use crate::{
    head::SpanFile,
    journal::{JournalFile, Newer},
    offset::Offset,
};

/// Everything that was replayed took effect together.
const REPLAYED: crate::verdict::outcome::VerdictNo = 1;

/// What is still to be replayed.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// In the order in which they were decided.
    verdicts: VecDeque<StoredVerdict>,
    /// The last frame that the checkpoint had observed.
    observed: Offset,
    /// The first verdict that it does not know.
    first_unknown: u64,
    /// Its state, until everything that it knows is replayed.
    state: Option<Vec<u8>>,
}

impl Sampler {
    /// Reads all verdicts, and gives the judge its state back.
    pub(crate) fn begin_replay(
        &mut self,
        files: &[Arc<JournalFile>],
        checkpoint: Option<Checkpoint>,
    ) -> Result<Replay, Newer> {
        let mut verdicts = self.read_verdicts(files)?;
        verdicts.sort_by_key(|stored| stored.verdict.sequence);
        // One that found no space may have reached the disk all the same, and again.
        verdicts.dedup_by_key(|stored| stored.verdict.sequence);
        let mut replay = Replay::default();
        if let Some(Checkpoint { taken_in, sequence, journal_time_ns, state }) = checkpoint {
            self.judges.current.judge.restore(&state);
            self.time.reach(journal_time_ns);
            self.sequence = sequence;
            replay = Replay { observed: taken_in, first_unknown: sequence, state: Some(state), ..replay };
        }
        if let Some(last) = verdicts.last() {
            self.sequence = self.sequence.max(last.verdict.sequence + 1);
        }
        Ok(Replay { verdicts: verdicts.into(), ..replay })
    }

    fn read_verdicts(&mut self, files: &[Arc<JournalFile>]) -> Result<Vec<StoredVerdict>, Newer> {
        let mut verdicts = Vec::new();
        for file in files {
            for frame in file.frames() {
                let frame = match frame {
                    Ok(frame) => frame,
                    Err(damage) => {
                        Newer::of_damage(file, &damage)?;
                        tracing::error!(%damage, "damaged verdicts: their traces are decided again");
                        continue;
                    }
                };
                if let Some((found, supported)) = VerdictBatch::newer(&frame.payload) {
                    return Err(Newer { path: file.path().to_owned(), found, supported });
                }
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
        Ok(verdicts)
    }

    /// Takes in the frames of the next unsealed journal file.
    pub(crate) fn replay(&mut self, replay: &mut Replay, file: &Arc<SpanFile>, frames: Vec<FedFrame>) {
        replay.find_moved(file);
        for frame in frames {
            let offset = frame.frame().offset;
            while let Some(stored) = replay.verdicts.pop_front_if(|next| next.verdict.after.offset < offset) {
                self.apply_stored(replay, &stored);
            }
            if replay.observed < offset {
                self.restore_again(replay);
            }
            self.take_in(&frame);
        }
        // What took effect in an earlier process is not counted again.
        self.apply_late(REPLAYED, &mut TurnCounts::default());
    }

    /// Applies the verdicts that are left, and shows everything.
    pub(crate) fn finish_replay(&mut self, mut replay: Replay) {
        while let Some(stored) = replay.verdicts.pop_front() {
            self.apply_stored(&mut replay, &stored);
        }
        self.restore_again(&mut replay);
        self.publish();
        self.around.state.set_undecided_from(self.undecided_from());
    }

    /// The judge has its state back for good: what was observed for the accounts' sake is in it already.
    fn restore_again(&mut self, replay: &mut Replay) {
        if let Some(state) = replay.state.take() {
            self.judges.current.judge.restore(&state);
        }
    }

    /// A verdict takes effect where it was decided.
    fn apply_stored(&mut self, replay: &mut Replay, stored: &StoredVerdict) {
        let StoredVerdict { tenant, file, ref limits, ref verdict } = *stored;
        let outcome = verdict.outcome;
        self.limit_cache(**limits);
        self.time.reach(verdict.journal_time_ns);
        let until = verdict.after.offset.max(self.taken_in.offset);
        match self.traces.find(tenant, verdict.trace_id) {
            Some(Tracked::Pending(number)) => {
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
        let is_cached = matches!(self.traces.find(tenant, verdict.trace_id), Some(Tracked::Decided(..)));
        self.files.add(file, u64::from(is_cached), until);
        if verdict.copied || verdict.sequence < replay.first_unknown {
            return;
        }
        // Decided after the checkpoint, and so after every frame that it had observed.
        self.restore_again(replay);
        if let Some(policy) = self.judges.current.policy(outcome.policy) {
            let judge = &mut self.judges.current.judge;
            judge.recall(verdict.spans, outcome.keep, policy, verdict.journal_time_ns);
        }
    }

    /// Time goes on where it stood when the run before ended. Answers what the catalog is to know of this run.
    pub(crate) fn begin_run(&mut self, first_file: u32) -> (u32, i64) {
        let now_ns = self.around.clock.now_ns();
        self.time.begin_run(first_file, now_ns)
    }

    /// What the judge has learned, when it has learned anything.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let state = self.judges.current.judge.checkpoint();
        let (taken_in, sequence, journal_time_ns) = (self.taken_in.offset, self.sequence, self.time.last());
        (!state.is_empty()).then_some(Checkpoint { taken_in, sequence, journal_time_ns, state })
    }
}

impl Replay {
    /// Verdicts that were decided after a frame which recovery has copied to this file: now they follow the copy.
    fn find_moved(&mut self, file: &SpanFile) {
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
