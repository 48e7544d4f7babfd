//! Spans that come after their trace's verdict: they follow it, or begin a new epoch once the cache has forgotten it.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_spans_follow_the_verdict_at_once() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append([2, 5]).await;
    store.pass(1010);
    store.sample();
    let before = store.shared.views.current();
    store.append([0, 6, 1, 7]).await;
    store.turn();
    assert_eq!(store.standings(), [kept([0, 1, 2]), dropped([5, 6, 7])].concat_all());
    let first = [kept([2]), dropped([5])].concat_all();
    assert_eq!(store::standings(&store.shared, &before, "default"), first, "a view does not change");
    let status = store.status();
    assert_eq!((status.late_kept_spans, status.late_dropped_spans), (2, 2));
    assert_eq!((status.kept["wanted"].traces, status.kept["wanted"].spans), (1, 3));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_that_comes_while_the_verdict_is_written_waits_for_it() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append([2, 5]).await;
    store.pass(1010);
    store.turn();
    assert!(store.shared.sampled.undecided_from() < crate::Offset(u64::MAX));
    store.append([3, 6]).await;
    store.sample();
    assert_eq!(store.standings(), [kept([2, 3]), dropped([5, 6])].concat_all());
    assert_eq!(store.shared.sampled.undecided_from(), crate::Offset(u64::MAX));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cache_has_forgotten_begins_anew() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::caching(1)).await;
    // Traces 1, 2 and 4 are dropped, in this order; 0 and 3 are kept.
    for (trace, n) in [(1, 5), (2, 10), (4, 20), (0, 2), (3, 17)] {
        store.append([n]).await;
        store.sample();
        assert_eq!(n / 5, trace);
        store.pass(10);
    }
    store.pass(1010);
    store.sample();
    let status = store.status();
    assert_eq!((status.cached_dropped_traces, status.cached_kept_traces), (1, 1));
    // The newest of each kind are known.
    store.append([21, 16]).await;
    store.sample();
    assert_eq!(
        (store.standings()[&21].clone(), store.standings()[&16].clone()),
        (dropped([21])[&21].clone(), kept([16])[&16].clone())
    );
    // Another epoch: without the span that it was kept for, the trace is dropped now.
    store.append([0, 6]).await;
    store.sample();
    assert_eq!(store.status().pending_traces, 2);
    store.pass(1010);
    store.sample();
    let standings = store.standings();
    assert_eq!([&standings[&0], &standings[&6]], [&store::Standing::Dropped("rest".into()); 2]);
    assert_eq!(standings[&2], store::Standing::Kept("wanted".into()), "the verdict of its epoch stands");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_kept_spans_are_sealed_and_late_ones_follow_them() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    let mut sent = store.append(0..40).await;
    store.roll().await;
    assert_eq!(store.seal().await, 0, "nothing is decided");
    store.sample();
    assert_eq!(store.seal().await, 0, "nothing is decided");
    store.pass(1010);
    store.turn();
    assert_eq!(store.seal().await, 0, "nothing is durable for certain");
    store.sample();
    assert_eq!(store.seal().await, 1);
    let kept: Numbers = (0..40).filter(|n| (n / 5) % 3 == 0).collect();
    assert_eq!(store.visible(&sent), kept);
    let tally = store.ledger();
    assert_eq!((tally.accepted, tally.kept, tally.dropped["rest"]), (40, 15, 25));
    // A trace that was kept, one that was dropped, one that is new.
    sent.extend(store.append([40, 41]).await);
    store.roll().await;
    store.sample();
    assert_eq!(store.seal().await, 0);
    store.pass(1010);
    store.sample();
    assert_eq!(store.seal().await, 1);
    assert_eq!(store.visible(&sent), kept);
    assert_eq!(store.tally(), crate::Tally::default(), "all of it went with the runs");
    store.close().await;
}
