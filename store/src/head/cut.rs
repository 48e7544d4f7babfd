//! What of the head a view shows.

use crate::{
    ask::span::SpanState,
    offset::Offset,
    verdict::{
        kept::KeptBy,
        names::PolicyNames,
        outcome::{Outcome, SpanStanding, VerdictNo},
    },
};

/// A place in the journal and one among the verdicts: rows and outcomes behind them are not part of the view.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'v> {
    /// The last visible frame.
    pub(crate) projected: Offset,
    /// The last visible batch of verdicts.
    pub(crate) verdicts: VerdictNo,
    /// The names behind outcomes' policies.
    pub(crate) policies: &'v PolicyNames,
}

impl<'v> Cut<'v> {
    /// The verdict of a kept span.
    pub(crate) fn kept_by(&self, outcome: &Outcome) -> KeptBy<'v> {
        KeptBy {
            policy: self.policies.name(outcome.policy),
            adjusted_count: outcome.adjusted_count,
            is_probabilistic: outcome.is_probabilistic,
        }
    }
}

impl SpanStanding {
    /// As queries see it; `None` for a dropped span, which they do not see.
    pub(crate) fn state(self) -> Option<SpanState> {
        match self {
            Self::Pending => Some(SpanState::Pending),
            Self::Unsampled | Self::Decided(Outcome { keep: true, .. }) => Some(SpanState::Kept),
            Self::Decided(Outcome { keep: false, .. }) => None,
        }
    }

    /// The verdict of a decided span.
    pub(crate) fn kept_by<'v>(&self, cut: &Cut<'v>) -> Option<KeptBy<'v>> {
        match self {
            Self::Decided(outcome) => Some(cut.kept_by(outcome)),
            Self::Pending | Self::Unsampled => None,
        }
    }
}
