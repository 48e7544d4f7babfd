//! Back-pressure: each limit refuses with its own reason, and lets go by itself.

use std::task::Poll;

use super::{super::TracesBatch, spans::tenant, *};
use crate::{snapshot::view::View, upkeep::housekeeping};

/// Waits until appends are refused, and answers with what.
async fn until_refused(store: &Store) -> AppendError {
    until("refused", || store.readiness(Signal::Traces).is_err()).await;
    let refused = append(store, &tenant("default"), &[1 << 30]).await;
    refused.expect_err("not ready")
}

async fn until_taken(store: &Store, numbers: std::ops::Range<u64>) -> Numbers {
    until("taken again", || store.readiness(Signal::Traces).is_ok()).await;
    append_all(store, &tenant("default"), numbers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealing_that_falls_behind_refuses_until_it_has_caught_up() {
    let limit = |options| StoreOptions { unsealed_bytes_max: 40 << 10, ..options };
    refuses_until_sealed(limit, "sealing has fallen behind", |view| view.traces.unsealed_bytes() >= 40 << 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_head_refuses_until_it_is_sealed() {
    let limit = |options| StoreOptions { head_spans_max: 250, ..options };
    let full = |view: &View| view.traces.files.iter().map(|file| file.rows()).sum::<u64>() >= 250;
    refuses_until_sealed(limit, "the head is full: sealing has fallen behind", full).await;
}

async fn refuses_until_sealed(
    limit: impl FnOnce(StoreOptions) -> StoreOptions,
    reason: &str,
    is_reached: impl FnOnce(&View) -> bool,
) {
    let folder = temp_folder();
    // Nothing is sealed before the clock moves.
    let clock = clock();
    let options =
        StoreOptions { seal_bytes_max: u64::MAX, seal_age_max: Duration::from_secs(60), ..options(folder.path()) };
    let options = limit(options);
    let store = Store::open_on(Disk::default(), options, None, clock.clone()).await.expect("opens");
    let mut sent = Numbers::new();
    let mut next = 0;
    while store.readiness(Signal::Traces).is_ok() {
        sent.extend(append_all(&store, &tenant("default"), next..next + 100).await);
        next += 100;
        housekeeping::inspect(&store.0.shared);
        assert!(next < 10_000, "never refused");
    }
    let refused = until_refused(&store).await;
    assert!(matches!(refused, AppendError::Busy(what) if what == reason), "{refused:?}");
    assert!(is_reached(&store.0.shared.views.current()));
    clock.set(clock.now_ns() + 61_000_000_000);
    sent.extend(until_taken(&store, next..next + 10).await);
    assert_eq!(check::visible(&store.snapshot(), &tenant("default"), &sent), sent);
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_that_falls_behind_refuses_until_it_has_caught_up() {
    let folder = temp_folder();
    let still = StillStore::open(folder.path()).await;
    let mut sent = Numbers::new();
    for file in 0..6 {
        sent.extend(still.append(&tenant("default"), file * 20..file * 20 + 20).await);
        still.roll().await;
        assert!(still.seal().await);
    }
    // Six segments wait. The disk has no room for a merged one.
    still.close().await;
    let disk = Disk::default();
    let options = StoreOptions { merge_debt_bytes_max: 1000, ..options(folder.path()) };
    disk.faults().set_space_bytes(0);
    let store = Store::open_on(disk.clone(), options, None, clock()).await.expect("opens");
    let refused = until_refused(&store).await;
    assert!(matches!(refused, AppendError::Busy("merging has fallen behind")), "{refused:?}");
    disk.faults().set_space_bytes(u64::MAX);
    store.0.shared.ring();
    sent.extend(until_taken(&store, 1000..1010).await);
    assert_eq!(store.0.shared.views.current().all_segments().count(), 1);
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_below_its_limit_refuses_until_there_is_space_again() {
    let folder = temp_folder();
    let disk = Disk::default();
    let options = StoreOptions { free_bytes_min: 1 << 20, ..options(folder.path()) };
    let store = Store::open_on(disk.clone(), options, None, clock()).await.expect("opens");
    let mut sent = append_all(&store, &tenant("default"), 0..200).await;
    disk.faults().set_space_bytes((1 << 20) - 1);
    assert!(matches!(until_refused(&store).await, AppendError::DiskFull));
    // Only receivers are refused: what lies under the limit is for sealing and merging.
    store.roll().await;
    until_settled(&store).await;
    assert!(matches!(store.readiness(Signal::Traces), Err(AppendError::DiskFull)));
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    disk.faults().set_space_bytes(u64::MAX);
    sent.extend(until_taken(&store, 200..300).await);
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_refuses_and_sealing_goes_on_when_there_is_space() {
    let folder = temp_folder();
    let disk = Disk::default();
    let store = Store::open_on(disk.clone(), options(folder.path()), None, clock()).await.expect("opens");
    let mut sent = Numbers::new();
    for round in 0..3 {
        // From nothing to a part of what a batch needs.
        disk.faults().set_space_bytes(round * 700);
        let batch: Vec<u64> = (5000 + round * 100..5000 + round * 100 + 10).collect();
        match append(&store, &tenant("default"), &batch).await {
            Ok(()) => sent.extend(batch),
            Err(error) => assert!(matches!(error, AppendError::DiskFull), "{error:?}"),
        }
        disk.faults().set_space_bytes(u64::MAX);
        sent.extend(until_taken(&store, round * 200..round * 200 + 200).await);
        check::answers(&store.snapshot(), &tenant("default"), &sent);
    }
    store.roll().await;
    until_settled(&store).await;
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_and_a_batch_that_is_too_large_are_refused() {
    let folder = temp_folder();
    // Nothing is committed before the shutdown.
    let options = StoreOptions {
        commit_delay_max: Duration::from_secs(3600),
        commit_bytes_max: 1 << 20,
        append_queue_bytes_max: 4 << 10,
        ..options(folder.path())
    };
    let store = Store::open_on(Disk::default(), options, None, clock()).await.expect("opens");
    let large = TracesBatch { payload: vec![0; (64 << 20) + 1].into(), ..spans::batch(&tenant("default"), &[1], 1) };
    let refused = store.append_traces(large).await.expect_err("too large");
    assert!(matches!(refused, AppendError::TooLarge { bytes_max } if bytes_max == 64 << 20), "{refused:?}");

    let mut waiting = Vec::new();
    let mut refused = None;
    for n in 0..100 {
        let mut append = Box::pin({
            let store = store.clone();
            async move { append(&store, &tenant("default"), &[n]).await }
        });
        match std::future::poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await {
            Poll::Pending => waiting.push(append),
            Poll::Ready(done) => {
                refused = Some(done.expect_err("nothing is committed yet"));
                break;
            }
        }
    }
    assert!(matches!(refused, Some(AppendError::Busy("the journal's queue is full"))), "{refused:?}");
    assert_eq!(check::tally(&store.snapshot(), &tenant("default")).accepted, 0, "not yet acknowledged");
    store.shutdown().await;
    let taken = waiting.len() as u64;
    for append in waiting {
        append.await.expect("committed by the shutdown");
    }
    assert!(taken > 1);
    assert_eq!(check::tally(&store.snapshot(), &tenant("default")).accepted, taken);
}
