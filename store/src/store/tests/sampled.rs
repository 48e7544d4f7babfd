//! Sampled spans on their way: pending, then kept or dropped, sealed or not; every answer is the same before and after a seal.

use std::collections::BTreeMap;

use weir_proto::{TraceId, otlp::messages::common::v1::any_value::Value};

use super::{
    by_hand::{Says, Verdicts},
    check, spans,
    spans::tenant,
    *,
};
use crate::{
    ask::{
        filter::ScanFilter,
        span::{Operation, SpanRecord, SpanState},
        tag::TagFilter,
    },
    ledger::Tally,
    snapshot::asked::Snapshot,
    verdict::kept::POLICY_ATTRIBUTE,
};

/// Spans 0 to 4 are a trace, 5 to 9 the next. Of three traces one is kept for certain, one as one of four, one dropped.
pub(super) fn rule(trace: u64) -> (&'static str, bool, f64) {
    match trace % 3 {
        0 => ("errors", true, 1.0),
        1 => ("some", true, 4.0),
        _ => ("some", false, 4.0),
    }
}

pub(super) fn rule_of(n: u64) -> (&'static str, bool, f64) {
    rule(n / 5)
}

/// What the rule says of the traces of these spans.
pub(super) fn by_rule(numbers: impl IntoIterator<Item = u64>) -> impl Fn(TraceId) -> Says {
    let traces: BTreeMap<TraceId, u64> = numbers.into_iter().map(|n| (spans::trace_of(n), n / 5)).collect();
    move |id| traces.get(&id).map(|&trace| rule(trace))
}

pub(super) fn kept(numbers: &Numbers) -> Numbers {
    numbers.iter().copied().filter(|&n| rule_of(n).1).collect()
}

/// Every record of the traces of `sent`, by number. Panics when one is there twice.
pub(super) fn records(snapshot: &Snapshot, tenant: &TenantId, sent: &Numbers) -> BTreeMap<u64, SpanRecord> {
    let mut found = BTreeMap::new();
    for trace in spans::traces_of(sent.iter().copied()) {
        for mut record in snapshot.trace(tenant, trace).expect("readable") {
            record.span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            record.span.status = None;
            let n = spans::number_of(&record);
            assert!(found.insert(n, record).is_none(), "span {n} is there twice");
        }
    }
    found
}

pub(super) fn policy(record: &SpanRecord) -> Option<String> {
    let attribute = record.span.attributes.iter().find(|attribute| attribute.key == POLICY_ATTRIBUTE)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(name) => Some(name.clone()),
        other => panic!("{other:?}"),
    }
}

/// Checks one record of span `n` against the rule.
pub(super) fn check_record(n: u64, record: &SpanRecord) {
    let (name, keeps, count) = rule_of(n);
    match record.state {
        SpanState::Pending => {
            assert_eq!((policy(record), record.adjusted_count, &*record.span.trace_state), (None, 1.0, ""));
        }
        SpanState::Kept => {
            assert!(keeps, "span {n} was dropped");
            let threshold = if count > 1.0 { "ot=th:c" } else { "" };
            let seen = (policy(record), record.adjusted_count, &*record.span.trace_state);
            assert_eq!(seen, (Some(name.to_owned()), count, threshold));
        }
    }
}

/// The traces that were kept by a policy, as a search finds them.
fn kept_by(snapshot: &Snapshot, tenant: &TenantId, policy: &str) -> std::collections::BTreeSet<TraceId> {
    let tags = vec![TagFilter::attribute(POLICY_ATTRIBUTE, policy)];
    let filter = ScanFilter { tags, ..Default::default() };
    check::search(snapshot, tenant, &filter, 1_000_000).0.into_iter().collect()
}

/// Checks every answer about spans that are decided by the rule (`decided`) or still pending.
fn shows(store: &StillStore, tenant: &TenantId, decided: &Numbers, pending: &Numbers) -> BTreeMap<u64, SpanRecord> {
    let snapshot = store.snapshot();
    let all: Numbers = decided.union(pending).copied().collect();
    let visible: Numbers = kept(decided).union(pending).copied().collect();
    let found = records(&snapshot, tenant, &all);
    assert_eq!(found.keys().copied().collect::<Numbers>(), visible);
    for (&n, record) in &found {
        assert_eq!(record.state == SpanState::Pending, pending.contains(&n), "span {n}");
        check_record(n, record);
    }
    check::searches(&snapshot, tenant, &visible);
    for name in ["errors", "some", "none"] {
        let wanted = kept(decided).into_iter().filter(|&n| rule_of(n).0 == name);
        assert_eq!(kept_by(&snapshot, tenant, name), spans::traces_of(wanted), "{name}");
    }
    let tally = check::tally(&snapshot, tenant);
    let dropped = (decided.len() - kept(decided).len()) as u64;
    let wanted = Tally {
        accepted: all.len() as u64,
        kept: kept(decided).len() as u64,
        pending: pending.len() as u64,
        dropped: (dropped > 0).then(|| ("some".to_owned(), dropped)).into_iter().collect(),
        ..Tally::default()
    };
    assert_eq!(Tally { rejected: BTreeMap::new(), ..tally }, wanted);
    found
}

#[tokio::test]
async fn sealed_segments_hold_kept_spans_only_and_answer_as_the_head_did() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let tenant = tenant("default");
    let mut verdicts = Verdicts::default();
    let mut sent = Numbers::new();
    for file in 0..3 {
        // Every trace's spans are spread over two batches.
        for half in 0..2 {
            let numbers = (file * 60..file * 60 + 60).filter(|n| n % 2 == half);
            sent.extend(store.append_sampled(&tenant, numbers).await);
        }
        store.roll().await;
    }
    let none = Numbers::new();
    // Nobody has taken them in yet, and they are pending all the same.
    shows(&store, &tenant, &none, &sent);
    verdicts.take_in(&store.shared);
    shows(&store, &tenant, &none, &sent);
    assert!(!store.seal().await, "without verdicts");
    let before = store.snapshot();

    verdicts.decide(&store.shared, by_rule(0..60));
    let (first, rest): (Numbers, Numbers) = sent.iter().copied().partition(|&n| n < 60);
    shows(&store, &tenant, &first, &rest);
    let sealed = store.seal_run().await.expect("the first file is decided");
    assert_eq!(sealed.files, 1);
    shows(&store, &tenant, &first, &rest);
    assert!(!store.seal().await, "the second file is not");

    verdicts.decide(&store.shared, by_rule(60..180));
    let in_head = shows(&store, &tenant, &sent, &none);
    assert!(store.seal().await && store.seal().await && !store.seal().await, "the two others");
    let in_segments = shows(&store, &tenant, &sent, &none);
    assert_eq!(in_head, in_segments);
    // Each span that arrived is accounted for by those that stayed: the dropped third by the kept one of its policy, twice.
    let estimate: f64 = in_segments.values().map(|record| record.adjusted_count).sum();
    assert_eq!(estimate, 60.0 + 4.0 * 60.0);
    let rows: u64 = store.shared.views.current().all_segments().map(|segment| segment.rows()).sum();
    assert_eq!(rows, kept(&sent).len() as u64);
    assert!(store.shared.views.current().sampled.by_tenant.is_empty(), "everything was taken out");

    // What was seen before the verdicts is still seen so.
    let found = records(&before, &tenant, &sent);
    assert_eq!(found.len(), sent.len());
    assert!(found.values().all(|record| record.state == SpanState::Pending));
    assert_eq!(check::tally(&before, &tenant).pending, sent.len() as u64);
    store.close().await;
    let again = StillStore::open(folder.path()).await;
    assert_eq!(shows(&again, &tenant, &sent, &none), in_segments);
}

#[tokio::test]
async fn of_what_is_dropped_whole_nothing_is_read_or_written() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let tenant = tenant("default");
    let mut verdicts = Verdicts::default();
    let mut sent = Numbers::new();
    // Each batch is one trace: 0 and 3 kept for certain, 1 perhaps, 2 and 5 dropped.
    for trace in [0, 2, 1, 5, 3] {
        sent.extend(store.append_sampled(&tenant, trace * 5..trace * 5 + 5).await);
    }
    store.roll().await;
    let dropped = store.append_sampled(&tenant, 40..45).await;
    sent.extend(&dropped);
    store.roll().await;
    verdicts.take_in(&store.shared);
    verdicts.decide(&store.shared, by_rule(0..40));
    let sealed = store.seal_run().await.expect("the first file");
    assert_eq!((sealed.files, sealed.frames_read, sealed.frames_passed_over), (1, 3, 2));
    assert_eq!(store.segments(), 1);

    verdicts.decide(&store.shared, by_rule(40..45));
    let sealed = store.seal_run().await.expect("the second");
    assert_eq!((sealed.files, sealed.frames_read, sealed.frames_passed_over), (1, 0, 1));
    assert_eq!(store.segments(), 1, "nothing was kept, nothing is written");
    assert!(store.shared.views.current().traces.files.iter().all(|file| !file.journal().is_closed()));
    shows(&store, &tenant, &sent, &Numbers::new());
    store.close().await;
    let journal_files = files_below(&folder.path().join("journal/traces"));
    assert!(journal_files.len() <= 2, "{journal_files:?}");
    for _ in 0..2 {
        let store = StillStore::open(folder.path()).await;
        shows(&store, &tenant, &sent, &Numbers::new());
        store.close().await;
    }
}

#[tokio::test]
async fn what_nobody_samples_is_kept_beside_what_is_sampled() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let (red, blue) = (tenant("red"), tenant("blue"));
    let mut verdicts = Verdicts::default();
    let mut sampled = Numbers::new();
    let plain = store.append(&blue, 0..20).await;
    sampled.extend(store.append_sampled(&red, 0..30).await);
    // The same trace ids, another tenant.
    let of_both = store.append_sampled(&blue, 100..115).await;
    store.roll().await;
    verdicts.take_in(&store.shared);
    verdicts.decide(&store.shared, by_rule(0..200));
    let of_blue = |store: &StillStore| {
        let found = records(&store.snapshot(), &blue, &plain.union(&of_both).copied().collect());
        let wanted: Numbers = plain.union(&kept(&of_both)).copied().collect();
        assert_eq!(found.keys().copied().collect::<Numbers>(), wanted);
        assert!(plain.iter().all(|n| policy(&found[n]).is_none() && found[n].adjusted_count == 1.0));
        kept(&of_both).iter().for_each(|n| check_record(*n, &found[n]));
        let tally = check::tally(&store.snapshot(), &blue);
        assert_eq!((tally.accepted, tally.kept, tally.dropped["some"]), (35, 30, 5));
    };
    for sealed in [false, true] {
        shows(&store, &red, &sampled, &Numbers::new());
        of_blue(&store);
        assert_eq!(store.seal().await, !sealed);
    }
    assert_eq!(store.segments(), 2);
}

#[tokio::test]
async fn operations_of_dropped_spans_only_are_not_shown() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let tenant = tenant("default");
    let mut verdicts = Verdicts::default();
    let sent = store.append_sampled(&tenant, (0..105).filter(|n| n % 5 == 0)).await;
    let shown = |of: &dyn Fn(u64) -> bool| {
        let operations: std::collections::BTreeSet<Operation> =
            sent.iter().copied().filter(|&n| of(n)).map(spans::operation).collect();
        assert_eq!(store.snapshot().operations(&tenant, check::far()).list, operations);
    };
    shown(&|_| true);
    verdicts.take_in(&store.shared);
    shown(&|_| true);
    verdicts.decide(&store.shared, by_rule(0..50));
    shown(&|n| n >= 50 || rule_of(n).1);
    verdicts.decide(&store.shared, |_| Some(("some", false, 4.0)));
    shown(&|n| n < 50 && rule_of(n).1);
}

#[tokio::test]
async fn a_run_ends_where_enough_is_kept_or_the_journal_holds_too_much() {
    let runs = |seal_bytes_max: u64, seal_journal_bytes_max: u64| async move {
        let folder = temp_folder();
        let options = StoreOptions {
            seal_bytes_max,
            seal_journal_bytes_max,
            seal_age_max: Duration::from_secs(3600),
            ..options(folder.path())
        };
        let store = StillStore::open_with(options, Disk::default(), clock()).await;
        let mut verdicts = Verdicts::default();
        for file in 0..6 {
            store.append_sampled(&tenant("default"), file * 15..file * 15 + 15).await;
            store.roll().await;
        }
        verdicts.take_in(&store.shared);
        verdicts.decide(&store.shared, by_rule(0..1000));
        let mut runs = Vec::new();
        while let Some(sealed) = store.seal_run().await {
            runs.push(sealed.files);
        }
        runs
    };
    // A file has some 2.9 kB of payload, of which two thirds are kept.
    assert_eq!(runs(1 << 30, 1 << 30).await, [0; 0]);
    assert_eq!(runs(5000, 1 << 30).await, [2, 2]);
    assert_eq!(runs(1 << 30, 8000).await, [3, 3]);
}
