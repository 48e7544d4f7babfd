//! What a policy sees of a trace that is due, what it answers, and what became of the trace.

use weir_store::sampling::TraceAccount;

/// A trace whose verdict is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueTrace<'a> {
    /// What was gathered of it.
    pub(crate) account: &'a TraceAccount,
    /// Journal time.
    pub(crate) now_ns: u64,
}

impl DueTrace<'_> {
    /// Whether any of these bits is set.
    pub(crate) fn has(&self, bits: u64) -> bool {
        self.account.bits & bits != 0
    }

    /// Spans, as a number to reckon with.
    pub(crate) fn spans(&self) -> f64 {
        f64::from(self.account.spans)
    }

    /// From the earliest start to the latest end.
    pub(crate) fn duration_ns(&self) -> u64 {
        self.account.end_max_ns.saturating_sub(self.account.start_min_ns)
    }
}

/// A policy's opinion, as the Collector's tail sampler knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vote {
    /// Keep it.
    Sampled,
    /// Not wanted here; others may want it.
    NotSampled,
    /// `invert_match`, and nothing matched: keep it unless someone says `NotSampled`.
    InvertSampled,
    /// `invert_match`, and something matched: do not keep it, whoever wants it.
    InvertNotSampled,
    /// Drop it, whoever wants it.
    Dropped,
}

impl Vote {
    /// `Sampled` or `NotSampled`.
    pub(crate) fn sampled_if(wanted: bool) -> Self {
        if wanted { Self::Sampled } else { Self::NotSampled }
    }

    /// For a predicate that may be inverted.
    pub(crate) fn matched(matched: bool, invert: bool) -> Self {
        match (matched, invert) {
            (true, false) => Self::Sampled,
            (false, false) => Self::NotSampled,
            (false, true) => Self::InvertSampled,
            (true, true) => Self::InvertNotSampled,
        }
    }

    /// Whether it is a yes, for a policy around it.
    pub(crate) fn is_yes(self) -> bool {
        matches!(self, Self::Sampled | Self::InvertSampled)
    }
}

/// What became of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// Whether it is kept.
    pub(crate) kept: bool,
    /// Whether that was settled without the policies that keep by chance, by limits or budgets.
    pub(crate) is_certain: bool,
}
