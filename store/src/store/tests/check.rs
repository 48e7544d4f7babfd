//! Asks a snapshot everything, and compares with what was sent and what was acknowledged.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use weir_proto::{TenantId, TraceId};

use super::spans;
use crate::{
    ask::{filter::ScanFilter, request::ReadBounds, search::NewestTraces},
    ledger::Tally,
    segment::tests::searching::{assert_newest, offer, request},
    snapshot::asked::Snapshot,
};

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

/// The newest traces with a span that fulfils the filter, and whether something could not be read.
pub(super) fn search(
    snapshot: &Snapshot,
    tenant: &TenantId,
    filter: &ScanFilter,
    traces_max: usize,
) -> (Vec<TraceId>, bool) {
    let scan = snapshot.scan(tenant, request(filter));
    let mut newest = NewestTraces::new(traces_max);
    for part in scan.parts() {
        let bounds = ReadBounds { start_min_ns: newest.floor_ns(), ..ReadBounds::default() };
        let all = scan.read_within(part, &bounds);
        if !scan.is_partial() {
            let read = |few| Ok::<_, ()>(scan.read_within(part, &ReadBounds { newest: Some(few), ..bounds }));
            assert_newest(&all, read).expect("read once");
        }
        offer(&all, &mut newest);
    }
    (newest.into_traces(), scan.is_partial())
}

/// Checks every kind of search, and the operations.
pub(super) fn searches(snapshot: &Snapshot, tenant: &TenantId, found: &Numbers) {
    for (filter, fits) in spans::filters() {
        let (traces, partial) = search(snapshot, tenant, &filter, 1_000_000);
        assert!(!partial);
        let once: BTreeSet<_> = traces.iter().copied().collect();
        assert_eq!(once.len(), traces.len(), "a trace is there twice");
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
