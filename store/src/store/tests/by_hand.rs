//! Verdicts without a sampler: a test says what becomes of each trace, and when.

use std::{collections::BTreeMap, sync::Arc};

use weir_proto::{TenantId, TraceId};

use super::super::Shared;
use crate::{
    ledger::Tally,
    offset::Offset,
    verdict::outcome::{FrameTraces, Outcome, SlotChunk, VerdictNo},
};

/// Where the traces of sampled frames stand.
#[derive(Default)]
pub(super) struct Verdicts {
    traces: BTreeMap<(TenantId, TraceId), Trace>,
    number: VerdictNo,
    taken_in: Offset,
}

struct Trace {
    /// Its outcome is in the first slot.
    chunk: Arc<SlotChunk>,
    epoch: Offset,
    spans: u64,
    outcome: Option<Outcome>,
}

/// What a test says of a trace; `None` for not yet.
pub(super) type Says = Option<(&'static str, bool, f64)>;

impl Verdicts {
    /// Takes in what arrived since, as pending; spans of decided traces follow their verdicts.
    pub(super) fn take_in(&mut self, shared: &Shared) {
        shared.sampled.change_by_hand(&shared.views, |view, sampled| {
            let taken_in = self.taken_in;
            let frames = view.traces.files.iter().flat_map(|file| file.frames(view.traces.projected));
            for frame in frames.filter(|frame| frame.offset > taken_in) {
                self.taken_in = frame.offset;
                if frame.generation == 0 {
                    continue;
                }
                let mut traces = FrameTraces::with_capacity(frame.spans.len());
                let tally = sampled.by_tenant.entry(frame.tenant.clone()).or_default();
                tally.accepted += frame.spans.len() as u64;
                for span in &frame.spans {
                    let trace = (self.traces.entry((frame.tenant.clone(), span.trace_id))).or_insert_with(|| Trace {
                        chunk: SlotChunk::new(),
                        epoch: frame.offset,
                        spans: 0,
                        outcome: None,
                    });
                    trace.spans += 1;
                    let chunk = traces.add_chunk(&trace.chunk);
                    traces.push_in(chunk, 0, 1);
                    match trace.outcome {
                        Some(outcome) => settle(tally, &outcome, 1, shared),
                        None => tally.pending += 1,
                    }
                }
                frame.traces.set(traces).expect("taken in once");
            }
            sampled.taken_in = self.taken_in;
            (self.number, self.undecided_from())
        });
    }

    /// Gives verdicts to the pending traces of which `says` knows one, in one batch.
    pub(super) fn decide(&mut self, shared: &Shared, says: impl Fn(TraceId) -> Says) {
        shared.sampled.change_by_hand(&shared.views, |_, sampled| {
            self.number += 1;
            for ((tenant, id), trace) in &mut self.traces {
                let Some((policy, keep, adjusted_count)) = says(*id).filter(|_| trace.outcome.is_none()) else {
                    continue;
                };
                let policy = shared.sampled.names.number(policy);
                let outcome = Outcome { keep, policy, adjusted_count, is_probabilistic: adjusted_count > 1.0 };
                trace.outcome = Some(outcome);
                trace.chunk.decide(0, outcome, self.number);
                let tally = sampled.by_tenant.get_mut(tenant).expect("taken in");
                tally.pending -= trace.spans;
                settle(tally, &outcome, trace.spans, shared);
            }
            (self.number, self.undecided_from())
        });
    }

    fn undecided_from(&self) -> Offset {
        let pending = self.traces.values().filter(|trace| trace.outcome.is_none());
        // Whatever comes next is not decided either.
        pending.map(|trace| trace.epoch).min().unwrap_or(Offset(self.taken_in.0 + 1))
    }
}

fn settle(tally: &mut Tally, outcome: &Outcome, spans: u64, shared: &Shared) {
    if outcome.keep {
        tally.kept += spans;
        return;
    }
    *tally.dropped.entry(shared.sampled.names.name(outcome.policy).to_owned()).or_default() += spans;
}
