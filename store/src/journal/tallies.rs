//! Accepted and rejected items by tenant: what the ledger is made exact with after a crash.

use std::collections::BTreeMap;

use weir_proto::TenantId;

use super::{
    frame::FrameHeader,
    varint::{Fields, put_varint},
};
use crate::reject::RejectReason;

/// Stands where a reason's code does, and counts what head sampling dropped.
const HEAD_DROPPED: u8 = 255;

/// With more tenants than these, what is written with each group names only those that changed. Few in tests, so that they meet it.
const FEW: usize = if cfg!(test) { 1 } else { 100 };

/// Items by tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies(BTreeMap<TenantId, Count>);

/// One tenant's items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Acknowledged items, those that head sampling dropped included.
    pub accepted: u64,
    /// Dropped by head sampling before they were journalled.
    pub head_dropped: u64,
    rejected: [u64; RejectReason::ALL.len()],
}

impl Count {
    /// Refused items, by reason; reasons without any are left out.
    pub fn rejected(&self) -> impl Iterator<Item = (RejectReason, u64)> + '_ {
        RejectReason::ALL.into_iter().zip(self.rejected).filter(|&(_, items)| items > 0)
    }

    /// Counts refused items.
    pub fn add_rejected(&mut self, reason: RejectReason, items: u64) {
        self.rejected[reason as usize - 1] += items;
    }

    fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn combine(&mut self, other: &Self, combine: impl Fn(u64, u64) -> u64) {
        self.accepted = combine(self.accepted, other.accepted);
        self.head_dropped = combine(self.head_dropped, other.head_dropped);
        for (items, others) in self.rejected.iter_mut().zip(other.rejected) {
            *items = combine(*items, others);
        }
    }
}

impl Tallies {
    /// By tenant, in the names' order.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, &Count)> {
        self.0.iter()
    }

    /// One tenant's items.
    pub fn get(&self, tenant: &TenantId) -> Count {
        self.0.get(tenant).copied().unwrap_or_default()
    }

    /// Accepted items of all tenants.
    pub fn accepted(&self) -> u64 {
        self.0.values().map(|count| count.accepted).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Count::is_zero)
    }

    /// The tenant's count, to be changed.
    pub fn entry(&mut self, tenant: &TenantId) -> &mut Count {
        if !self.0.contains_key(tenant) {
            self.0.insert(tenant.clone(), Count::default());
        }
        self.0.get_mut(tenant).expect("inserted just now")
    }

    /// Counts a frame's items.
    pub fn add_frame(&mut self, frame: &FrameHeader) {
        let count = self.entry(&frame.tenant);
        count.accepted += frame.accepted() + u64::from(frame.head_dropped);
        count.head_dropped += u64::from(frame.head_dropped);
        for rejection in &frame.rejected {
            count.add_rejected(rejection.reason, 1);
        }
    }

    /// Adds other items.
    pub fn add(&mut self, other: &Self) {
        for (tenant, count) in &other.0 {
            self.entry(tenant).combine(count, u64::saturating_add);
        }
    }

    /// What was added since `earlier`; tenants with nothing new are left out.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut new = self.clone();
        for (tenant, count) in &earlier.0 {
            if let Some(later) = new.0.get_mut(tenant) {
                later.combine(count, u64::saturating_sub);
            }
        }
        new.0.retain(|_, count| !count.is_zero());
        new
    }

    /// Whether there are so many tenants that those which did not change are left out where that can be.
    pub(super) fn is_wide(&self) -> bool {
        self.0.len() > FEW
    }

    /// Whether there are far more than [`Self::is_wide`] asks for: worth a file of its own.
    pub(super) fn is_very_wide(&self) -> bool {
        self.0.len() > 4 * FEW
    }

    /// Takes the counts of another for the tenants that it has.
    pub(super) fn replace(&mut self, newer: &Self) {
        for (tenant, &count) in &newer.0 {
            *self.entry(tenant) = count;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends the stored form (docs/formats.md, Journal, Tallies).
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        put_varint(buffer, self.0.len() as u64);
        for (tenant, count) in &self.0 {
            buffer.push(tenant.as_str().len() as u8);
            buffer.extend_from_slice(tenant.as_str().as_bytes());
            put_varint(buffer, count.accepted);
            put_varint(buffer, count.rejected().count() as u64 + u64::from(count.head_dropped > 0));
            for (reason, items) in count.rejected() {
                buffer.push(reason as u8);
                put_varint(buffer, items);
            }
            if count.head_dropped > 0 {
                buffer.push(HEAD_DROPPED);
                put_varint(buffer, count.head_dropped);
            }
        }
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let mut tallies = Self::default();
        for _ in 0..fields.varint()? {
            let tenant = decode_tenant(fields)?;
            let mut count = Count { accepted: fields.varint()?, ..Count::default() };
            for _ in 0..fields.varint()? {
                match fields.u8()? {
                    HEAD_DROPPED => count.head_dropped = fields.varint()?,
                    code => count.add_rejected(RejectReason::from_code(code)?, fields.varint()?),
                }
            }
            tallies.0.insert(tenant, count);
        }
        Some(tallies)
    }
}

/// A tenant's name behind its length in one byte.
pub(super) fn decode_tenant(fields: &mut Fields<'_>) -> Option<TenantId> {
    let len = fields.u8()?;
    let name = std::str::from_utf8(fields.bytes(usize::from(len))?).ok()?;
    TenantId::new(name).ok()
}
