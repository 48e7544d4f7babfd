//! Writers, sampler, sealer, merger and readers at once: every view balances, nothing is lost, verdicts do not change.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{super::super::Store, *};
use crate::{disk::Disk, options::StoreOptions, snapshot::asked::Snapshot};

const WRITERS: u64 = 3;
/// Traces of each writer.
const TRACES: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_view_balances_under_load() {
    let folder = temp_folder();
    let mut script = Script::caching(50);
    script.options.decision_wait = Duration::from_millis(30);
    script.options.pending_traces_max = 100;
    let sampling = script.shared().expect("a script");
    let options = StoreOptions { journal_file_bytes_max: 8 << 10, ..super::super::options(folder.path()) };
    let clock = weir_proto::time::Clock::system();
    let store = Store::open_on(Disk::default(), options, Some(sampling.clone()), clock.clone()).await.expect("opens");
    store.0.shared.views.witness.set(store::balances).expect("set once");
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::task::spawn_blocking({
        let (store, done) = (store.clone(), done.clone());
        move || read_on(&store, &done)
    });
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (store, sampling, clock) = (store.clone(), sampling.clone(), clock.clone());
        writers.push(tokio::spawn(async move {
            let first = writer * 100_000;
            // The spans of a trace in five batches, each between those of others.
            for n in 0..TRACES + 20 {
                let batch: Vec<u64> = (0..5u64)
                    .filter(|span| n.checked_sub(span * 4).is_some_and(|trace| trace < TRACES))
                    .map(|span| first + (n - span * 4) * 5 + span)
                    .collect();
                let mut batch = spans::batch(&spans::tenant("default"), &batch, clock.now_ns());
                script::mark(&mut batch, &*sampling);
                super::super::until("taken", || store.readiness(weir_proto::Signal::Traces).is_ok()).await;
                store.append_traces(batch).await.expect("appended");
            }
        }));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    let ledger = || super::super::check::tally(&store.snapshot(), &spans::tenant("default"));
    super::super::until("all decided", || ledger().pending == 0).await;
    store.roll().await;
    super::super::until_settled(&store).await;
    done.store(true, Ordering::Release);
    reader.await.expect("a reader");
    assert!(store.0.shared.failure.borrow().is_none());
    let tally = ledger();
    assert_eq!(tally.accepted, WRITERS * TRACES * 5);
    assert_eq!(tally.damaged, 0);
    let status = store.sampling_status();
    assert_eq!(status.kept["wanted"].spans, tally.kept);
    // Every trace came whole, within the wait or behind its verdict: those that are wanted are there whole.
    let sent: Numbers = (0..WRITERS).flat_map(|writer| writer * 100_000..writer * 100_000 + TRACES * 5).collect();
    let mut found = 0;
    for trace in spans::traces_of(sent.iter().copied()) {
        found += store.snapshot().trace(&spans::tenant("default"), trace).expect("readable").len() as u64;
    }
    assert_eq!(found, tally.kept);
    store.shutdown().await;
    assert!(store.0.shared.failure.borrow().is_none());
}

/// Counts balance in every snapshot, and an old snapshot does not change its mind.
fn read_on(store: &Store, done: &AtomicBool) {
    let mut old: Option<(Snapshot, crate::Ledger, Standings)> = None;
    while !done.load(Ordering::Acquire) {
        let snapshot = store.snapshot();
        let ledger = snapshot.ledger();
        assert!(ledger.traces.values().all(crate::Tally::balances), "{ledger:?}");
        let standings = store::standings(&store.0.shared, &snapshot.0, "default");
        if let Some((snapshot, ledger, standings)) = old.replace((snapshot, ledger, standings)) {
            assert_eq!(snapshot.ledger(), ledger);
            assert_eq!(store::standings(&store.0.shared, &snapshot.0, "default"), standings);
        }
    }
}
