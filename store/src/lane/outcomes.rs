//! What became of the sampled spans of one tenant in a run.

use super::errors::SealError;
use crate::{
    head::{Cut, SpanFrame},
    ledger::Tally,
    segment::ChosenSpan,
    verdict::outcome::{PolicyNo, SpanStanding},
};

/// Sampled spans by their outcomes.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    kept: u64,
    /// By policy number.
    dropped: Vec<u64>,
}

impl Outcomes {
    /// Chooses a frame's kept spans, and counts what became of all.
    pub(crate) fn choose<'v>(
        &mut self,
        frame: &SpanFrame,
        cut: Cut<'v>,
        chosen: &mut Vec<ChosenSpan<'v>>,
    ) -> Result<(), SealError> {
        for (row, span) in frame.spans.iter().enumerate() {
            let SpanStanding::Decided(outcome) = frame.standing(row, cut.verdicts) else {
                return Err(SealError::Undecided { offset: frame.offset });
            };
            if outcome.keep {
                self.kept += 1;
                chosen.push(ChosenSpan { ordinal: span.ordinal, kept_by: Some(cut.kept_by(&outcome)) });
                continue;
            }
            let policy = usize::from(outcome.policy.0);
            if policy >= self.dropped.len() {
                self.dropped.resize(policy + 1, 0);
            }
            self.dropped[policy] += 1;
        }
        Ok(())
    }

    pub(crate) fn tally(&self, cut: Cut<'_>) -> Tally {
        let mut tally = Tally { kept: self.kept, ..Tally::default() };
        for (policy, &items) in (0..=u16::MAX).zip(&self.dropped).filter(|(_, items)| **items > 0) {
            // Two numbers may have one name: those beyond what can be numbered.
            *tally.dropped.entry(cut.policies.name(PolicyNo(policy)).to_owned()).or_default() += items;
        }
        tally.accepted = tally.kept + tally.dropped_items();
        tally
    }
}
