//! Asks a snapshot everything, and compares with what was sent and what was acknowledged.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use weir_proto::TenantId;

use super::spans;
use crate::{ask::span::SearchLimits, ledger::Tally, snapshot::asked::Snapshot};

/// Numbers of spans.
pub(super) type Numbers = BTreeSet<u64>;

/// The spans of a tenant that a snapshot shows, among those sent. Panics when one is there twice or was never sent.
pub(super) fn visible(snapshot: &Snapshot, tenant: &TenantId, sent: &Numbers) -> Numbers {
    let mut found = Numbers::new();
    for trace in spans::traces_of(sent.iter().copied()) {
        for record in snapshot.trace(tenant, trace).expect("readable") {
            let n = spans::number_of(&record);
            assert_eq!(spans::trace_of(n), trace);
            assert!(sent.contains(&n), "span {n} was never sent by {tenant:?}");
            assert!(found.insert(n), "span {n} is there twice");
        }
    }
    found
}

/// Checks that every answer of the snapshot is about exactly the spans `found`, and that nothing was damaged.
pub(super) fn answers(snapshot: &Snapshot, tenant: &TenantId, found: &Numbers) {
    searches(snapshot, tenant, found);
    let tally = tally(snapshot, tenant);
    assert_eq!((tally.accepted, tally.kept, tally.damaged), (found.len() as u64, found.len() as u64, 0));
}

/// Checks every kind of search, and the operations.
pub(super) fn searches(snapshot: &Snapshot, tenant: &TenantId, found: &Numbers) {
    for (filter, fits) in spans::filters() {
        let limits = SearchLimits { traces_max: 1_000_000, deadline: far() };
        let result = snapshot.search(tenant, &filter, limits).expect("readable");
        assert!(!result.partial);
        let once: BTreeSet<_> = result.traces.iter().copied().collect();
        assert_eq!(once.len(), result.traces.len(), "a trace is there twice");
        let wanted = spans::traces_of(found.iter().copied().filter(|&n| fits(n)));
        assert_eq!(once, wanted, "{filter:?}");
    }
    let wanted: BTreeSet<_> = found.iter().map(|&n| spans::operation(n)).collect();
    let operations = snapshot.operations(tenant, far());
    assert!(!operations.is_partial());
    assert_eq!(operations.list, wanted);
}

/// The tenant's tally, which balances.
pub(super) fn tally(snapshot: &Snapshot, tenant: &TenantId) -> Tally {
    let tally = snapshot.ledger().traces.remove(tenant).unwrap_or_default();
    assert!(tally.balances(), "{tally:?}");
    tally
}

/// Far enough for any search of these tests.
pub(super) fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}
