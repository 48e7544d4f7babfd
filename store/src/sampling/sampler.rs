//! The sampler: turn by turn, takes frames in (`arrivals`), asks for decisions when they are due, applies verdicts once they are durable.

use std::sync::{Arc, atomic::Ordering};

use weir_proto::{TenantId, TraceId, time::Clock};

use super::{
    Cause, SampledState,
    changes::Changes,
    inbox::Fed,
    journal_time::JournalTime,
    judges::Judges,
    operations::FileOperations,
    rounds::{Decided, Round, VERDICTS_MAX},
    slots::SlotNo,
    status::{RememberedVerdict, SamplingStatus, TurnCounts},
    table::Tracked,
    traces::Traces,
    verdict_files::VerdictFiles,
    verdicts::{CacheLimits, FramePlace, Verdict},
};
use crate::{
    journal::{Journal, JournalAppendError},
    offset::Offset,
    snapshot::view::Views,
    verdict::outcome::{Outcome, VerdictNo},
};

/// Most cached verdicts that a round writes again.
const COPIES_MAX: usize = 4096;

/// Traces whose entries are brought into the processor's cache together.
const LOOK_AHEAD: usize = 32;

/// Bytes of a cached verdict in the verdict journal, roughly.
const VERDICT_BYTES: u64 = 40;

/// What the sampler works on, from outside.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) views: Arc<Views>,
    pub(crate) state: Arc<SampledState>,
    pub(crate) verdicts: Arc<Journal<u32>>,
    /// A file of the verdict journal is closed at this size.
    pub(crate) verdict_file_bytes_max: u64,
    pub(crate) clock: Clock,
}

/// All of sampling's state. One thread at a time.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(super) around: Surroundings,
    pub(super) judges: Judges,
    pub(super) traces: Traces,
    pub(super) changes: Changes,
    pub(super) files: VerdictFiles,
    pub(super) time: JournalTime,
    /// The last frame taken in.
    pub(super) taken_in: FramePlace,
    /// Of the next verdict.
    pub(super) sequence: u64,
    round: Option<Round>,
    /// Late spans whose verdict is durable: they follow it when the view is changed next.
    pub(super) late: Vec<LateSpans>,
    /// Late spans whose verdict is not durable yet.
    pub(super) late_unsettled: Vec<LateSpans>,
    /// Traces that have grown too large.
    pub(super) too_large: Vec<(u32, TraceId)>,
    pub(super) operations: FileOperations,
    pub(super) status: SamplingStatus,
    due: Vec<u32>,
}

/// Neighbouring spans that came after their trace's verdict.
#[derive(Debug)]
pub(super) struct LateSpans {
    pub(super) slot: SlotNo,
    pub(super) tenant: u32,
    pub(super) outcome: Outcome,
    pub(super) spans: u64,
    pub(super) offset: Offset,
}

impl Sampler {
    pub(crate) fn new(around: Surroundings, runs: Vec<(u32, i64)>) -> Self {
        let judges = Judges::new(around.state.marking().as_ref(), &around.state.names);
        Self {
            around,
            judges,
            traces: Traces::default(),
            changes: Changes::default(),
            files: VerdictFiles::default(),
            time: JournalTime::new(runs),
            taken_in: FramePlace::default(),
            sequence: 0,
            round: None,
            late: Vec::new(),
            late_unsettled: Vec::new(),
            too_large: Vec::new(),
            operations: FileOperations::default(),
            status: SamplingStatus::default(),
            due: Vec::new(),
        }
    }

    /// The journal of its verdicts.
    pub(crate) fn verdicts(&self) -> Arc<Journal<u32>> {
        self.around.verdicts.clone()
    }

    /// One turn: takes in what waits, applies what is durable, decides what is due if it is told the first journal file that is not
    /// sealed, and no verdicts are on their way. Whether it decided; an error is for good.
    pub(crate) fn turn(&mut self, first_unsealed: Option<u32>) -> Result<bool, JournalAppendError> {
        let (fed, durable) = {
            let mut waiting = self.around.state.inbox.lock();
            waiting.spans = 0;
            (std::mem::take(&mut waiting.fed), std::mem::take(&mut waiting.durable))
        };
        for fed in fed {
            match fed {
                Fed::Frame(frame) => self.take_in(&frame),
                Fed::Reload(sampling) => self.judges.replace(sampling.as_ref(), &self.around.state.names),
            }
        }
        if let Some(round) = &mut self.round {
            durable.into_iter().for_each(|(frame, file)| round.settle(frame, file));
            round.look_for_refusals()?;
            self.around.state.is_stuck.store(round.is_refused(), Ordering::Release);
            round.submit(&self.around.verdicts)?;
        }
        self.publish();
        let first_unsealed = first_unsealed.filter(|_| self.round.is_none());
        if let Some(first_unsealed) = first_unsealed {
            let is_caught_up = self.around.state.lag_spans() == 0;
            // What has not been taken in may be of the traces that are due.
            let now_ns = if is_caught_up { self.time.now(self.around.clock.now_ns()) } else { self.time.last() };
            self.decide(now_ns, first_unsealed)?;
        }
        self.judges.retire();
        if self.judges.previous.is_none() {
            let mut waiting = self.around.state.inbox.lock();
            // Unless another one came meanwhile.
            waiting.is_reloading &= !waiting.fed.iter().all(|fed| matches!(fed, Fed::Frame(_)));
        }
        Ok(first_unsealed.is_some())
    }

    /// Lets verdicts that are durable, and late spans, take effect, and shows how far the sampler has come: one swap of the view.
    pub(super) fn publish(&mut self) {
        let durable = self.round.as_ref().and_then(Round::durable_in);
        let round = durable.and_then(|file| Some((file, self.round.take()?)));
        if let Some((file, round)) = &round {
            let cached = self.traces.settle(*file);
            let until = round.decided.last().map_or(Offset::default(), |decided| decided.verdict.after.offset);
            self.files.add(*file, cached, until);
            round.copied_from.iter().for_each(|&from| self.files.forget(from, until));
            self.late.append(&mut self.late_unsettled);
        }
        let round = round.map(|(_, round)| round);
        let view = self.around.views.current();
        if round.is_none() && self.late.is_empty() && view.sampled.taken_in == self.taken_in.offset {
            return;
        }
        let number = view.verdicts + 1;
        drop(view);
        let mut counts = TurnCounts::default();
        let now_ns = self.time.at(self.around.clock.now_ns());
        for decided in round.iter().flat_map(|round| &round.decided) {
            self.apply(decided, number, &mut counts);
        }
        self.apply_late(number, &mut counts);
        self.status.add(&self.around.state.names, counts, now_ns);
        let (changes, names, taken_in) = (&mut self.changes, &self.around.state.names, self.taken_in.offset);
        let update = |sampled: &mut crate::snapshot::view::SampledTallies| {
            changes.apply(names, sampled);
            sampled.taken_in = taken_in;
        };
        self.around.state.change(&self.around.views, update, &mut |view| view.verdicts = number);
        self.around.state.set_undecided_from(self.undecided_from());
    }

    /// Late spans follow their verdicts.
    pub(super) fn apply_late(&mut self, number: VerdictNo, counts: &mut TurnCounts) {
        for late in self.late.drain(..) {
            self.traces.slots.decide(late.slot, late.outcome, number);
            self.changes.decided(late.tenant, late.outcome, late.spans);
            counts.add_late(late.outcome, late.spans);
        }
    }

    /// The first epoch that has no verdict in effect.
    pub(super) fn undecided_from(&self) -> Option<Offset> {
        let oldest = self.traces.accounts.oldest().map(|number| self.traces.accounts[number].epoch);
        let decided = self.round.as_ref().and_then(Round::epoch);
        let late = self.late_unsettled.first().map(|late| late.offset);
        [oldest, decided, late].into_iter().flatten().min()
    }

    fn apply(&mut self, decided: &Decided, number: VerdictNo, counts: &mut TurnCounts) {
        let Some(slot) = decided.slot else { return };
        let (outcome, spans) = (decided.verdict.outcome, u64::from(decided.verdict.spans));
        self.traces.slots.decide(slot, outcome, number);
        self.changes.decided(decided.tenant, outcome, spans);
        counts.add_trace(outcome, spans);
        if decided.due_ns > 0 {
            counts.add_due(decided.due_ns);
        }
    }

    /// Decides what is too large, too much and due, and hands the verdicts to their journal.
    fn decide(&mut self, now_ns: u64, first_unsealed: u32) -> Result<(), JournalAppendError> {
        let options = &self.judges.current.options;
        let (traces_max, bytes_max) = (options.pending_traces_max, options.pending_bytes_max);
        let limits = CacheLimits { kept: options.kept_cache_traces_max, dropped: options.dropped_cache_traces_max };
        let mut round = Round::default();
        for (number, id) in std::mem::take(&mut self.too_large) {
            // Recovery may have found its verdict meanwhile.
            if self.traces.accounts.get(number).is_none_or(|account| account.trace.trace_id != id) {
                continue;
            }
            self.decide_one(&mut round, limits, number, Cause::TooLarge, now_ns);
        }
        while round.decided.len() < VERDICTS_MAX
            && (self.traces.accounts.count() > traces_max || self.status.pending_bytes > bytes_max)
            && let Some(oldest) = self.traces.accounts.oldest()
        {
            self.decide_one(&mut round, limits, oldest, Cause::Early, now_ns);
        }
        let mut due = std::mem::take(&mut self.due);
        self.traces.wheel.due(now_ns, VERDICTS_MAX.saturating_sub(round.decided.len()), &mut due);
        for numbers in due.chunks(LOOK_AHEAD) {
            self.traces.look_ahead_to_decisions(numbers);
            for &number in numbers {
                self.decide_one(&mut round, limits, number, Cause::Due, now_ns);
            }
        }
        due.clear();
        self.due = due;
        self.copy_forward(&mut round, first_unsealed, now_ns);
        if round.decided.is_empty() {
            return Ok(());
        }
        round.encode(self.traces.limits(), &self.around.state.names, |tenant| self.changes.tenant(tenant).clone());
        let submitted = round.submit(&self.around.verdicts);
        self.round = Some(round);
        submitted
    }

    fn decide_one(&mut self, round: &mut Round, limits: CacheLimits, number: u32, cause: Cause, now_ns: u64) {
        // With the first decision under them, so that recovery does the same at the same place.
        self.limit_cache(limits);
        let due_ns = if cause == Cause::Due { self.traces.wheel.due_ns(number) } else { 0 };
        let trace = &self.traces.accounts[number].trace;
        let seat = self.judges.of(trace.generation);
        seat.pending -= 1;
        let outcome = seat.decide(trace, cause, now_ns);
        self.status.count_cause(cause);
        let account = self.close(number, outcome, 0);
        let verdict = Verdict {
            sequence: self.sequence,
            trace_id: account.trace.trace_id,
            epoch: account.epoch,
            after: self.taken_in,
            outcome,
            spans: account.trace.spans,
            copied: false,
            journal_time_ns: now_ns,
        };
        self.sequence += 1;
        round.decided.push(Decided { tenant: account.tenant, slot: Some(account.slot), due_ns, verdict });
    }

    /// Closes an account; late spans find its outcome in the cache.
    pub(super) fn close(&mut self, number: u32, outcome: Outcome, file: u32) -> super::accounts::Account {
        let (files, until) = (&mut self.files, self.taken_in.offset);
        let account = self.traces.decide(number, outcome, file, |gone| files.forget(gone.file, until));
        self.status.pending_spans -= u64::from(account.trace.spans);
        self.status.pending_bytes -= account.trace.bytes;
        account
    }

    /// Sets how many decided traces are remembered.
    pub(super) fn limit_cache(&mut self, limits: CacheLimits) {
        let (files, until) = (&mut self.files, self.taken_in.offset);
        self.traces.limit(limits, |gone| files.forget(gone.file, until));
    }

    /// Cached verdicts that alone keep the oldest file from going are written again.
    fn copy_forward(&mut self, round: &mut Round, first_unsealed: u32, now_ns: u64) {
        let cached = self.traces.decided(false).len() + self.traces.decided(true).len();
        let files_max = 2 + 2 * cached * VERDICT_BYTES / self.around.verdict_file_bytes_max;
        let Some(file) = self.files.worth_copying(files_max, first_unsealed) else { return };
        for keep in [false, true] {
            while round.copied_from.len() < COPIES_MAX
                && let Some(trace) = self.traces.renew_oldest(keep, file)
            {
                let verdict = Verdict {
                    sequence: self.sequence,
                    trace_id: trace.trace_id,
                    epoch: trace.epoch,
                    after: self.taken_in,
                    outcome: trace.outcome(keep),
                    spans: 0,
                    copied: true,
                    journal_time_ns: now_ns,
                };
                self.sequence += 1;
                round.decided.push(Decided { tenant: trace.tenant, slot: None, due_ns: 0, verdict });
                round.copied_from.push(file);
            }
        }
    }

    /// Removes files of the verdict journal that nobody needs.
    pub(crate) fn retire_verdicts(&mut self, first_unsealed: u32) -> std::io::Result<()> {
        let first_needed = self.files.first_needed(first_unsealed);
        if self.round.is_some() {
            // Its verdicts may be in any file from the newest known one on.
            return Ok(());
        }
        self.around.verdicts.retire(first_needed.unwrap_or(u32::MAX))
    }

    /// Whether verdicts are on their way into the journal.
    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.round.is_some()
    }

    /// Journal time.
    #[cfg(test)]
    pub(crate) fn now_ns(&mut self) -> u64 {
        self.time.now(self.around.clock.now_ns())
    }

    /// What was decided of a trace, as far as it is remembered.
    pub(crate) fn remembered(&self, tenant: &TenantId, trace: TraceId) -> Option<RememberedVerdict> {
        let tenant = self.changes.known_tenant(tenant)?;
        let Tracked::Decided(keep, position) = self.traces.find(tenant, trace)? else { return None };
        let policy = self.traces.decided(keep).get(position).policy;
        Some(RememberedVerdict { keep, policy: self.around.state.names.name(policy).to_owned() })
    }

    /// How sampling fares.
    pub(crate) fn status(&self) -> SamplingStatus {
        let policies = self.judges.current.judge.report();
        SamplingStatus { policies, ..self.figures() }
    }

    /// Shows the metrics.
    pub(crate) fn show_metrics(&self) {
        self.figures().show();
    }

    /// All but the policies' own.
    fn figures(&self) -> SamplingStatus {
        let mut status = self.status.clone();
        status.generation = self.judges.current.generation;
        status.reloading = self.judges.previous.is_some();
        status.pending_traces = self.traces.accounts.count();
        status.memory_bytes = self.traces.bytes() as u64;
        status.cached_kept_traces = self.traces.decided(true).len();
        status.cached_dropped_traces = self.traces.decided(false).len();
        status.lag_spans = self.around.state.lag_spans();
        status.waits_for_space = self.around.state.is_stuck();
        status.verdict_files = self.around.verdicts.files().len() as u64;
        status
    }
}

pub(super) fn nanos(wait: std::time::Duration) -> u64 {
    u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)
}
