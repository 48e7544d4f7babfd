//! The ledger: accepted = kept + pending + dropped + damaged, exact at every moment; rejected beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_proto::{Signal, TenantId};

use crate::{
    journal::{Count, FrameHeader, Tallies},
    reject::RejectReason,
};

/// The name under which the ledger counts what head sampling dropped; no policy of tail sampling has it.
pub const HEAD_SAMPLER: &str = "probabilistic_sampler";

/// The name under which the ledger counts what was dropped by policies that a lost catalog knew.
pub const UNKNOWN_POLICY: &str = "unknown";

/// The tallies of every signal and tenant, as one cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By tenant, for traces.
    pub traces: BTreeMap<TenantId, Tally>,
    /// By tenant, for logs.
    pub logs: BTreeMap<TenantId, Tally>,
    /// By tenant, for metrics, in samples.
    pub metrics: BTreeMap<TenantId, Tally>,
}

impl Ledger {
    /// A signal's tallies, by tenant.
    pub fn of(&self, signal: Signal) -> &BTreeMap<TenantId, Tally> {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }
}

/// What became of the items of one signal and tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Acknowledged items.
    pub accepted: u64,
    /// Kept, for good or until retention.
    pub kept: u64,
    /// Waiting for their verdict.
    pub pending: u64,
    /// Dropped, by policy.
    pub dropped: BTreeMap<String, u64>,
    /// Acknowledged, and lost to a damaged or missing file.
    pub damaged: u64,
    /// Refused item by item, by reason; never accepted.
    pub rejected: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another tally's counts.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.kept += other.kept;
        self.pending += other.pending;
        self.damaged += other.damaged;
        for (policy, n) in &other.dropped {
            *self.dropped.entry(policy.clone()).or_default() += n;
        }
        for (reason, n) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += n;
        }
    }

    /// So many kept items turn out to be damaged.
    pub(crate) fn lose(&mut self, items: u64) {
        self.kept = self.kept.saturating_sub(items);
        self.damaged += items;
    }

    /// Takes back what was added.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.accepted -= other.accepted;
        self.kept -= other.kept;
        self.pending -= other.pending;
        self.damaged -= other.damaged;
        for (mine, others) in [(&mut self.dropped, &other.dropped), (&mut self.rejected, &other.rejected)] {
            for (name, n) in others {
                if let Some(items) = mine.get_mut(name) {
                    *items -= n;
                }
            }
            mine.retain(|_, items| *items > 0);
        }
    }

    /// What a journal counted for a tenant. Of those accepted it knows only which ones head sampling dropped.
    pub(crate) fn of_count(count: &Count) -> Self {
        let rejected = count.rejected().map(|(reason, items)| (reason.name().to_owned(), items)).collect();
        let dropped = Self::head_dropped(count.head_dropped);
        Self { accepted: count.accepted, dropped, rejected, ..Self::default() }
    }

    /// Makes what segments tell of sealed items add up to what their journal counted. Of the rest nobody knows: its segments are
    /// gone, or it had none because nothing was kept. Where sampling has dropped anything, the rest counts as dropped, by
    /// [`UNKNOWN_POLICY`]; else as kept.
    pub(crate) fn complete(&mut self, counted: Self) {
        let is_sampled = self.dropped.keys().any(|policy| policy != HEAD_SAMPLER);
        self.dropped.remove(HEAD_SAMPLER);
        self.dropped.extend(counted.dropped);
        self.accepted = counted.accepted;
        self.rejected = counted.rejected;
        if is_sampled {
            let rest = self.accepted.saturating_sub(self.kept + self.damaged + self.dropped_items());
            if rest > 0 {
                *self.dropped.entry(UNKNOWN_POLICY.to_owned()).or_default() += rest;
            }
        }
        self.kept = self.accepted.saturating_sub(self.damaged + self.dropped_items());
    }

    /// What a journal counted for a tenant and nobody finds any more.
    pub(crate) fn lost(count: &Count) -> Self {
        Self { damaged: count.accepted - count.head_dropped.min(count.accepted), ..Self::of_count(count) }
    }

    /// Items dropped by head sampling, by policy.
    pub(crate) fn head_dropped(items: u64) -> BTreeMap<String, u64> {
        (items > 0).then(|| (HEAD_SAMPLER.to_owned(), items)).into_iter().collect()
    }

    /// Dropped by any policy.
    pub fn dropped_items(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether accepted = kept + pending + dropped + damaged.
    pub fn balances(&self) -> bool {
        self.accepted == self.kept + self.pending + self.damaged + self.dropped_items()
    }
}

/// What a frame adds when all its accepted items are kept.
pub(crate) fn tally_of_frame(header: &FrameHeader) -> Tally {
    let mut tally = Tally { accepted: header.accepted(), kept: header.accepted(), ..Tally::default() };
    for rejection in &header.rejected {
        *tally.rejected.entry(rejection.reason.name().to_owned()).or_default() += 1;
    }
    tally
}

/// What a journal must have counted up to the point where the ledger stands.
pub(crate) fn journal_tallies(ledger: &BTreeMap<TenantId, Tally>) -> Tallies {
    let mut tallies = Tallies::default();
    for (tenant, tally) in ledger {
        let count = tallies.entry(tenant);
        count.accepted = tally.accepted;
        count.head_dropped = tally.dropped.get(HEAD_SAMPLER).copied().unwrap_or(0);
        for reason in RejectReason::ALL {
            count.add_rejected(reason, tally.rejected.get(reason.name()).copied().unwrap_or(0));
        }
    }
    tallies
}
