//! What the sampler has counted since the view's tallies were last brought up to date.

use std::collections::{BTreeMap, HashMap};

use weir_proto::TenantId;

use crate::{
    snapshot::view::SampledTallies,
    verdict::{
        names::PolicyNames,
        outcome::{Outcome, PolicyNo},
    },
};

/// Counts by tenant, and the tenants' numbers.
#[derive(Debug, Default)]
pub(super) struct Changes {
    tenants: Vec<TenantId>,
    numbers: HashMap<TenantId, u32, foldhash::fast::RandomState>,
    by_tenant: BTreeMap<u32, TenantChange>,
}

#[derive(Debug, Default)]
struct TenantChange {
    arrived: u64,
    kept: u64,
    dropped: Vec<(PolicyNo, u64)>,
}

impl Changes {
    /// A tenant's number in this process.
    pub(super) fn tenant_number(&mut self, tenant: &TenantId) -> u32 {
        if let Some(&number) = self.numbers.get(tenant) {
            return number;
        }
        let number = self.tenants.len() as u32;
        self.tenants.push(tenant.clone());
        self.numbers.insert(tenant.clone(), number);
        number
    }

    /// The same of a tenant that has one.
    pub(super) fn known_tenant(&self, tenant: &TenantId) -> Option<u32> {
        self.numbers.get(tenant).copied()
    }

    /// The tenant behind a number.
    pub(super) fn tenant(&self, number: u32) -> &TenantId {
        &self.tenants[number as usize]
    }

    /// Spans were taken in: pending.
    pub(super) fn arrived(&mut self, tenant: u32, spans: u64) {
        self.by_tenant.entry(tenant).or_default().arrived += spans;
    }

    /// Pending spans have their verdict.
    pub(super) fn decided(&mut self, tenant: u32, outcome: Outcome, spans: u64) {
        let change = self.by_tenant.entry(tenant).or_default();
        if outcome.keep {
            change.kept += spans;
            return;
        }
        match change.dropped.iter_mut().find(|(policy, _)| *policy == outcome.policy) {
            Some((_, dropped)) => *dropped += spans,
            None => change.dropped.push((outcome.policy, spans)),
        }
    }

    /// Adds them to the tallies, and begins anew.
    pub(super) fn apply(&mut self, names: &PolicyNames, tallies: &mut SampledTallies) {
        for (tenant, change) in std::mem::take(&mut self.by_tenant) {
            let tally = tallies.by_tenant.entry(self.tenants[tenant as usize].clone()).or_default();
            let dropped: u64 = change.dropped.iter().map(|(_, spans)| spans).sum();
            tally.accepted += change.arrived;
            tally.pending += change.arrived;
            tally.pending -= change.kept + dropped;
            tally.kept += change.kept;
            for (policy, spans) in change.dropped {
                *tally.dropped.entry(names.name(policy).to_owned()).or_default() += spans;
            }
        }
    }
}
