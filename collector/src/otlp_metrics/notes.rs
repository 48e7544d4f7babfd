//! Notes of what deltas counted, where the series alone does not tell: under which names they stand, and when nobody needs them any more.

use std::{collections::HashMap, hash::BuildHasher};

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use weir_proto::TenantId;
use weir_store::{Note, SeriesRef};

use super::stretches::Stretches;

/// What their names begin with; a hash of the series' labels follows.
const PREFIX: &str = "otlp.delta/";

/// How often those are looked for that nobody needs, ns.
const SWEPT_EVERY_NS: u64 = 600_000_000_000;

/// The notes of all tenants that sent deltas.
#[derive(Debug, Default)]
pub(super) struct DeltaNotes(Mutex<HashMap<TenantId, OfTenant>>);

#[derive(Debug, Default)]
struct OfTenant {
    standing: HashMap<u64, Noted, FixedState>,
    swept_ns: u64,
}

#[derive(Debug)]
struct Noted {
    /// The end of the newest stretch, Unix ns.
    newest_ns: u64,
    /// As an earlier run left them.
    left: Option<Stretches>,
}

fn key(series: &SeriesRef) -> u64 {
    FixedState::default().hash_one(series.labels().as_bytes())
}

fn named(key: u64, bytes: Vec<u8>) -> Note {
    Note { name: format!("{PREFIX}{key:016x}"), bytes: bytes.into() }
}

impl DeltaNotes {
    /// What an earlier run noted of a series. `stored` are the tenant's notes, asked for once.
    pub(super) fn left(
        &self,
        tenant: &TenantId,
        series: &SeriesRef,
        stored: impl FnOnce() -> Vec<Note>,
    ) -> Option<Stretches> {
        let mut tenants = self.0.lock();
        let of_tenant = tenants.entry(tenant.clone()).or_insert_with(|| OfTenant::of(&stored()));
        of_tenant.standing.get(&key(series)).and_then(|noted| noted.left.clone())
    }

    /// The note that says what a series' deltas counted; without bytes that it says so itself.
    pub(super) fn note(&self, tenant: &TenantId, series: &SeriesRef, bytes: Vec<u8>) -> Note {
        let key = key(series);
        let mut tenants = self.0.lock();
        // Whoever has a note was asked for what was left.
        let standing = &mut tenants.entry(tenant.clone()).or_default().standing;
        match Stretches::from_bytes(&bytes) {
            Some(stretches) => drop(standing.insert(key, Noted { newest_ns: stretches.newest_ns(), left: None })),
            None => drop(standing.remove(&key)),
        }
        named(key, bytes)
    }

    /// Notes that take away those that are older than what a sum is remembered for. Now and then there are some.
    pub(super) fn outdated(&self, tenant: &TenantId, now_ns: u64, remembered_ns: u64) -> Vec<Note> {
        let mut tenants = self.0.lock();
        let Some(of_tenant) = tenants.get_mut(tenant) else { return Vec::new() };
        if of_tenant.standing.is_empty() || now_ns.saturating_sub(of_tenant.swept_ns) < SWEPT_EVERY_NS {
            return Vec::new();
        }
        of_tenant.swept_ns = now_ns;
        let is_outdated = |noted: &mut Noted| now_ns.saturating_sub(noted.newest_ns) > remembered_ns + SWEPT_EVERY_NS;
        let outdated = of_tenant.standing.extract_if(|_, noted| is_outdated(noted));
        outdated.map(|(key, _)| named(key, Vec::new())).collect()
    }
}

impl OfTenant {
    fn of(notes: &[Note]) -> Self {
        let own = notes.iter().filter_map(|note| {
            let key = u64::from_str_radix(note.name.strip_prefix(PREFIX)?, 16).ok()?;
            let stretches = Stretches::from_bytes(&note.bytes)?;
            Some((key, Noted { newest_ns: stretches.newest_ns(), left: Some(stretches) }))
        });
        Self { standing: own.collect(), swept_ns: 0 }
    }
}
