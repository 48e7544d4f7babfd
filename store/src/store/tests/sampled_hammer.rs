//! Writers, readers, verdicts and seals at once: no snapshot misses a kept or pending span, shows one twice, or shows a dropped one
//! as kept.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

use weir_proto::otlp::traces::ScannedSpan;

use super::{
    check,
    sampled::{check_record, kept, records, rule, rule_of},
    spans::{self, tenant},
    *,
};
use crate::{
    ask::span::SpanState,
    sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, TraceAccount},
    snapshot::asked::Snapshot,
    verdict::mark::{SpanMark, SpanMarker},
};

const WRITERS: u64 = 2;
const SPANS: u64 = 900;

/// Keeps and drops by the rule of these tests.
#[derive(Debug)]
struct ByRule;

impl Sampling for ByRule {
    fn generation(&self) -> u32 {
        1
    }

    fn options(&self) -> SamplingOptions {
        SamplingOptions { decision_wait: Duration::from_millis(60), ..sampling::script::Script::new().options }
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(Self)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(Self)
    }
}

impl SpanMarker for ByRule {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        marks.push(SpanMark { bytes: span.span.bytes.len() as u32, ..SpanMark::default() });
    }
}

impl Judge for ByRule {
    fn policies(&self) -> Vec<String> {
        ["errors", "some"].map(str::to_owned).to_vec()
    }

    fn observe(&mut self, _span: &ArrivedSpan<'_>, _account: &mut TraceAccount) {}

    fn decide(&mut self, account: &TraceAccount, _cause: Cause, _now_ns: u64) -> Decision {
        let trace = u64::from_be_bytes(account.trace_id.0[8..].try_into().expect("eight bytes"));
        let (policy, keep, adjusted_count) = rule(trace);
        Decision { keep, policy: usize::from(policy == "some"), adjusted_count, is_probabilistic: policy == "some" }
    }

    fn recall(&mut self, _spans: u32, _kept: bool, _policy: usize, _journal_time_ns: u64) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _checkpoint: &[u8]) {}

    fn report(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// Numbers of spans that writers sent, and those of them that were acknowledged.
#[derive(Default)]
struct Known {
    sent: Mutex<Numbers>,
    acknowledged: Mutex<Numbers>,
    /// Snapshots that were looked at.
    rounds: AtomicU64,
}

fn copy_of(numbers: &Mutex<Numbers>) -> Numbers {
    numbers.lock().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_snapshot_shows_what_is_pending_or_kept_once() {
    let folder = temp_folder();
    let sampling: Arc<dyn Sampling> = Arc::new(ByRule);
    let store = Store::open_on(Disk::default(), options(folder.path()), Some(sampling), Clock::system()).await;
    let store = store.expect("opens");
    let known = Arc::new(Known::default());
    let decided = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, known, decided) = (store.clone(), known.clone(), decided.clone());
        tokio::task::spawn_blocking(move || read_on(&store, &known, &decided))
    };
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        writers.push(tokio::spawn(write_on(store.clone(), known.clone(), writer * 10_000)));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    store.roll().await;
    until_settled(&store).await;
    decided.store(true, Ordering::Release);
    let old = reader.await.expect("a reader");

    let tenant = tenant("default");
    let sent = copy_of(&known.sent);
    let found = records(&store.snapshot(), &tenant, &sent);
    assert_eq!(found.keys().copied().collect::<Numbers>(), kept(&sent));
    found.iter().for_each(|(&n, record)| check_record(n, record));
    let estimate: f64 = found.values().map(|record| record.adjusted_count).sum();
    let certain = kept(&sent).into_iter().filter(|&n| rule_of(n).0 == "errors").count();
    assert_eq!(estimate, certain as f64 + 4.0 * (kept(&sent).len() - certain) as f64);
    check::searches(&store.snapshot(), &tenant, &kept(&sent));
    let tally = check::tally(&store.snapshot(), &tenant);
    assert_eq!((tally.accepted, tally.kept, tally.pending), (sent.len() as u64, kept(&sent).len() as u64, 0));
    let view = store.0.shared.views.current();
    assert!(view.traces.files.is_empty() && view.sampled.by_tenant.is_empty(), "everything is sealed");
    // Old snapshots answer as they did.
    assert!(!old.is_empty());
    for (snapshot, before) in old {
        let again: Vec<_> =
            records(&snapshot, &tenant, &sent).into_iter().map(|(n, record)| (n, record.state)).collect();
        assert_eq!(again, before);
    }
    store.shutdown().await;
}

async fn write_on(store: Store, known: Arc<Known>, first: u64) {
    let tenant = tenant("default");
    for block in (first..first + SPANS).step_by(50) {
        for n in block..block + 5 {
            // The spans of a trace come in five batches.
            let numbers: Vec<u64> = (n..block + 50).step_by(5).collect();
            known.sent.lock().extend(&numbers);
            let mut batch = spans::batch(&tenant, &numbers, Clock::system().now_ns());
            sampling::script::mark(&mut batch, &ByRule);
            store.append_traces(batch).await.expect("appended");
            known.acknowledged.lock().extend(&numbers);
        }
        // No faster than verdicts and seals: there is to be some of everything at every moment.
        let shared = &store.0.shared;
        shared.ring();
        let rounds = known.rounds.load(Ordering::Relaxed);
        until("sealing and reading keep up", || {
            shared.views.current().traces.files.len() <= 8 && known.rounds.load(Ordering::Relaxed) > rounds
        })
        .await;
    }
}

/// Takes snapshots without pause; answers some of them with what they showed.
fn read_on(store: &Store, known: &Known, decided: &AtomicBool) -> Vec<(Snapshot, Vec<(u64, SpanState)>)> {
    let tenant = tenant("default");
    let mut old = Vec::new();
    let (mut with_pending, mut with_kept) = (0, 0);
    let mut is_last = false;
    while !is_last {
        is_last = decided.load(Ordering::Acquire);
        let acknowledged = copy_of(&known.acknowledged);
        let snapshot = store.snapshot();
        let sent = copy_of(&known.sent);
        let tally = check::tally(&snapshot, &tenant);
        assert!((acknowledged.len()..=sent.len()).contains(&(tally.accepted as usize)));
        assert_eq!(tally.damaged, 0);
        let found = records(&snapshot, &tenant, &sent);
        found.iter().for_each(|(&n, record)| check_record(n, record));
        assert!(kept(&acknowledged).iter().all(|n| found.contains_key(n)), "a span is missed");
        let pending = found.values().filter(|record| record.state == SpanState::Pending).count();
        assert_eq!((tally.kept, tally.pending), ((found.len() - pending) as u64, pending as u64));
        with_pending += usize::from(pending > 0);
        with_kept += usize::from(found.len() > pending);
        if !snapshot.0.traces.files.is_empty() && old.len() < 12 {
            old.push((snapshot, found.into_iter().map(|(n, record)| (n, record.state)).collect()));
        }
        known.rounds.fetch_add(1, Ordering::Relaxed);
    }
    assert!(with_pending > 10 && with_kept > 10, "{with_pending} and {with_kept}");
    old
}
