//! When traces are decided, by what, and when that takes effect.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_takes_effect_after_its_fsync() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append(0..10).await;
    assert_eq!(store.standings(), pending(0..10), "at once");
    store.sample();
    assert_eq!((store.standings(), store.tally().pending), (pending(0..10), 10));
    store.pass(999);
    store.sample();
    assert_eq!(store.standings(), pending(0..10));
    store.pass(10);
    let before = store.shared.views.current();
    let waiting = store.status().pending_traces;
    store.turn_between();
    assert_eq!(store.status().pending_traces, waiting, "between two rounds nothing is decided");
    store.turn();
    assert_eq!(store.status().pending_traces, 0, "decided");
    assert_eq!((store.standings(), store.tally().pending), (pending(0..10), 10), "but not durable for certain");
    store.sample();
    let after = [kept(0..5), dropped(5..10)].concat_all();
    assert_eq!(store.standings(), after);
    assert_eq!(store::standings(&store.shared, &before, "default"), pending(0..10), "a view does not change");
    let tally = store.tally();
    assert_eq!((tally.kept, tally.pending, tally.dropped["rest"]), (5, 0, 5));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_holds_no_verdict_up() {
    let (folder, copied) = (temp_folder(), temp_folder());
    let store = Sampled::open(folder.path(), Script::new()).await;
    store.append(0..5).await;
    store.sample();
    store.clock.set(store.clock.now_ns() - 60_000_000_000);
    store.append(5..10).await;
    store.sample();
    store.pass(1010);
    store.sample();
    let decided = [kept(0..5), dropped(5..10)].concat_all();
    assert_eq!(store.standings(), decided);
    let store = store.kill(copied.path()).await;
    assert_eq!(store.standings(), decided);
    store.append(10..15).await;
    store.sample();
    store.pass(1010);
    store.sample();
    assert_eq!(store.standings(), [decided, dropped(10..15)].concat_all());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_have_traces_of_their_own() {
    let folder = temp_folder();
    let store = Sampled::open(folder.path(), Script::new()).await;
    // The span that makes the trace worth keeping comes to one of them only.
    store.append_for("default", [0, 1]).await;
    store.append_for("other", [0, 2]).await;
    store.pass(1010);
    store.sample();
    let other = store::standings(&store.shared, &store.shared.views.current(), "other");
    assert_eq!((store.standings(), other), (dropped([0, 1]), kept([0, 2])));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_shortens_the_wait_whenever_it_comes() {
    let folder = temp_folder();
    let mut script = Script::new();
    script.options.decision_wait_after_root = Some(Duration::from_millis(100));
    let store = Sampled::open(folder.path(), script).await;
    // Without a root; spans before the root; a second root.
    store.append([1]).await;
    store.append([6, 7]).await;
    store.sample();
    store.pass(500);
    store.append([5, 10]).await;
    store.sample();
    store.pass(90);
    store.append([12]).await;
    store.sample();
    assert_eq!(store.status().pending_traces, 3);
    store.pass(20);
    store.sample();
    assert_eq!(store.standings(), [pending([1]), dropped([5, 6, 7, 10, 12])].concat_all());
    store.pass(400);
    store.sample();
    assert_eq!(store.standings(), dropped([1, 5, 6, 7, 10, 12]));
    // A root that comes late does not lengthen the wait.
    store.append([16]).await;
    store.pass(950);
    store.append([15]).await;
    store.sample();
    store.pass(60);
    store.sample();
    assert_eq!(store.standings(), [dropped([1, 5, 6, 7, 10, 12]), dropped([15, 16])].concat_all());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_count_as_spans_that_come_one_by_one() {
    // A root between other spans, a wanted one at the end, traces that take turns, one that grows too large among neighbours, and,
    // after the verdicts, late ones.
    let early: &[u64] = &[6, 5, 7, 1, 0, 8, 20, 21, 22, 23, 24, 11, 12, 2, 13];
    let late: &[u64] = &[3, 4, 9, 14, 10];
    let mut script = Script::new();
    script.options.decision_wait_after_root = Some(Duration::from_millis(100));
    script.options.trace_bytes_max = 500;
    let mut seen = Vec::new();
    for is_together in [true, false] {
        let folder = temp_folder();
        let store = Sampled::open(folder.path(), script.clone()).await;
        let mut states = Vec::new();
        for (rows, wait_ms) in [(early, 0), (&[], 110), (&[], 1000), (late, 0)] {
            for rows in rows.chunks(if is_together { 100 } else { 1 }) {
                store.append_rows("default", rows).await;
            }
            store.pass(wait_ms);
            store.sample();
            let mut status = store.status();
            (status.memory_bytes, status.verdict_files) = (0, 0);
            states.push((store.standings(), store.tally(), status));
        }
        seen.push(states);
        store.close().await;
    }
    let [together, alone] = [0, 1].map(|at| &seen[at]);
    assert_eq!(together, alone);
    let [first, after_root, ..] = &together[..] else { panic!("four states") };
    let is_early = first.2.too_large_traces == 1
        && after_root.0[&5] != pending([5])[&5]
        && after_root.0[&11] == pending([11])[&11];
    assert!(is_early, "{first:?} {after_root:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_a_bound_the_oldest_traces_are_decided_early() {
    let folder = temp_folder();
    let mut script = Script::new();
    script.options.pending_traces_max = 3;
    let store = Sampled::open(folder.path(), script.clone()).await;
    for trace in 0..5 {
        store.append(trace * 5..trace * 5 + 5).await;
        store.sample();
    }
    let crowd = (5..10).map(|n| (n, store::Standing::Dropped("crowd".into()))).collect();
    assert_eq!(store.standings(), [kept(0..5), crowd, pending(10..25)].concat_all());
    let status = store.status();
    assert_eq!((status.early_traces, status.too_large_traces, status.pending_traces), (2, 0, 3));
    store.close().await;

    let folder = temp_folder();
    script.options.pending_traces_max = 100;
    script.options.pending_bytes_max = 1300;
    let store = Sampled::open(folder.path(), script).await;
    let mut early = 0;
    for trace in 0..20 {
        store.append(trace * 5..trace * 5 + 5).await;
        store.sample();
        let status = store.status();
        assert!(status.pending_bytes <= 1300 && status.early_traces >= early);
        early = status.early_traces;
    }
    assert!((15..20).contains(&early), "{early}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_id_for_everything_is_bounded() {
    for cached in [0, 10] {
        let folder = temp_folder();
        let mut script = Script::caching(cached);
        script.options.trace_bytes_max = 1000;
        let store = Sampled::open(folder.path(), script).await;
        // All of trace 1, again and again, as new rows.
        for _ in 0..30 {
            store.append([5, 6, 7, 8, 9]).await;
            store.sample();
            assert!(store.status().pending_bytes <= 1000 + 700);
        }
        let status = store.status();
        let all_decided = status.dropped["crowd"];
        if cached == 0 {
            assert!(status.too_large_traces > 10 && status.late_dropped_spans == 0, "{status:?}");
        } else {
            assert_eq!(status.too_large_traces, 1);
            assert_eq!(status.late_dropped_spans + status.pending_spans + 10, 150, "{status:?}");
            assert_eq!(all_decided.spans, 150);
        }
        let tally = store.tally();
        assert_eq!((tally.accepted, tally.dropped["crowd"] + tally.pending), (150, 150));
        store.close().await;
    }
}
