//! The ledger: accepted = kept + pending + dropped + damaged, exact at every moment; rejected beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_proto::TenantId;

use crate::{
    RejectReason,
    journal::{Count, Tallies},
};

/// The tallies of every signal and tenant, as one cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By tenant, for traces.
    pub traces: BTreeMap<TenantId, Tally>,
}

/// What became of the items of one signal and tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// What a journal counted for a tenant; what became of the items is not known to it.
    pub(crate) fn of_count(count: &Count) -> Self {
        let rejected = count.rejected().map(|(reason, items)| (reason.name().to_owned(), items)).collect();
        Self { accepted: count.accepted, rejected, ..Self::default() }
    }

    /// Whether accepted = kept + pending + dropped + damaged.
    pub fn balances(&self) -> bool {
        self.accepted == self.kept + self.pending + self.damaged + self.dropped.values().sum::<u64>()
    }
}

/// What a journal must have counted up to the point where the ledger stands.
pub(crate) fn journal_tallies(ledger: &BTreeMap<TenantId, Tally>) -> Tallies {
    let mut tallies = Tallies::default();
    for (tenant, tally) in ledger {
        let count = tallies.entry(tenant);
        count.accepted = tally.accepted;
        for reason in RejectReason::ALL {
            count.add_rejected(reason, tally.rejected.get(reason.name()).copied().unwrap_or(0));
        }
    }
    tallies
}
