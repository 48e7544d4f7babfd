//! Retention: by age and by size, oldest first, and never under a running query.

use super::{spans::tenant, *};

/// Seals each ten spans into a segment of their own.
async fn segments(store: &StillStore, count: u64) -> Numbers {
    let mut sent = Numbers::new();
    for segment in 0..count {
        sent.extend(store.append(&tenant("default"), segment * 10..segment * 10 + 10).await);
        store.roll().await;
        assert!(store.seal().await);
    }
    assert_eq!(store.segments() as u64, count);
    sent
}

fn folders(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("segments/traces/default")).expect("listed").count()
}

/// Everything is accounted for as kept; what is left is `left`.
fn shows(store: &StillStore, sent: &Numbers, left: &Numbers) {
    let snapshot = store.snapshot();
    assert_eq!(check::visible(&snapshot, &tenant("default"), sent), *left);
    check::searches(&snapshot, &tenant("default"), left);
    let tally = check::tally(&snapshot, &tenant("default"));
    assert_eq!((tally.accepted, tally.kept, tally.damaged), (sent.len() as u64, sent.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_goes_but_not_under_a_running_query() {
    let folder = temp_folder();
    let clock = Clock::fixed(spans::start_ns(60));
    let age = Duration::from_nanos(100 * spans::STEP_NS);
    let options = StoreOptions { retention_traces: Some(age), ..options(folder.path()) };
    let store = StillStore::open_with(options.clone(), Disk::default(), clock.clone()).await;
    let sent = segments(&store, 6).await;
    store.apply_retention().await;
    shows(&store, &sent, &sent);

    // The newest span of the second segment, 19, has just the age that is kept.
    clock.set(spans::start_ns(119));
    let running = store.snapshot();
    store.apply_retention().await;
    let left: Numbers = (10..60).collect();
    shows(&store, &sent, &left);
    assert_eq!(folders(folder.path()), 6, "deleted under a running query");
    assert_eq!(check::visible(&running, &tenant("default"), &sent), sent);
    check::answers(&running, &tenant("default"), &sent);
    drop(running);
    assert_eq!(folders(folder.path()), 5);

    clock.set(spans::start_ns(1000));
    store.apply_retention().await;
    shows(&store, &sent, &Numbers::new());
    assert_eq!(folders(folder.path()), 0);
    store.close().await;
    let again = StillStore::open_with(options, Disk::default(), clock).await;
    shows(&again, &sent, &Numbers::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_size_the_oldest_go() {
    let measured = temp_folder();
    let store = StillStore::open(measured.path()).await;
    segments(&store, 5).await;
    let sizes: Vec<u64> = store.shared.views.current().all_segments().map(|segment| segment.bytes()).collect();
    // Room for the three newest, to the byte; then for one byte less.
    let three: u64 = sizes[2..].iter().sum();
    for (size_bytes_max, first_left) in [(three, 20), (three - 1, 30), (0, 50)] {
        let folder = temp_folder();
        let options = StoreOptions { size_bytes_max: Some(size_bytes_max), ..options(folder.path()) };
        let store = StillStore::open_with(options, Disk::default(), clock()).await;
        let sent = segments(&store, 5).await;
        store.apply_retention().await;
        shows(&store, &sent, &(first_left..50).collect());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_does_not_bring_back_what_retention_took_meanwhile() {
    let folder = temp_folder();
    let clock = Clock::fixed(spans::start_ns(60));
    let options =
        StoreOptions { retention_traces: Some(Duration::from_nanos(100 * spans::STEP_NS)), ..options(folder.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let sent = segments(&store, 5).await;
    let planned = super::super::merger::next_merge(&store.shared).expect("enough for a merge");
    clock.set(spans::start_ns(115));
    store.apply_retention().await;
    let shared = store.shared.clone();
    let merged = tokio::task::spawn_blocking(move || super::super::merger::merge_segments(&shared, &planned));
    merged.await.expect("no panic");
    let left: Numbers = (10..50).collect();
    shows(&store, &sent, &left);
    assert!(store.merge().await, "what is left is merged");
    shows(&store, &sent, &left);
    assert_eq!(folders(folder.path()), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_no_clock_tells_neither_keeps_a_segment_nor_kills_it() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    const YEAR_2500_NS: u64 = 16_725_225_600_000_000_000;
    let folder = temp_folder();
    let now_ns = spans::start_ns(0);
    let clock = Clock::fixed(now_ns);
    let options = StoreOptions { retention_traces: Some(Duration::from_secs(3600)), ..options(folder.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    // Three segments of one span each, then one of them all, merged.
    for (n, start_ns) in [0, YEAR_2500_NS, u64::MAX, 0].into_iter().enumerate() {
        store.append_batch(spans::timed(&tenant("default"), n as u64, start_ns, now_ns)).await;
        store.roll().await;
        assert!(store.seal().await);
    }
    let left = |store: &StillStore| store.snapshot().rows(weir_proto::Signal::Traces, &tenant("default"));
    clock.set(now_ns + HOUR_NS);
    store.apply_retention().await;
    assert_eq!(left(&store), 4, "an hour is kept, whatever they say");
    assert!(store.merge().await, "no segment is too far from the others");
    store.apply_retention().await;
    assert_eq!(left(&store), 4);
    clock.set(now_ns + HOUR_NS + 1);
    store.apply_retention().await;
    assert_eq!(left(&store), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_holds_no_sealing_up() {
    let folder = temp_folder();
    let clock = Clock::fixed(spans::start_ns(1 << 20));
    let options =
        StoreOptions { seal_age_max: Duration::from_secs(60), seal_bytes_max: 1 << 20, ..options(folder.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let sent = store.append(&tenant("default"), 0..10).await;
    store.roll().await;
    assert!(!store.seal().await, "young and small");
    clock.set(clock.now_ns() - 3600 * 1_000_000_000);
    assert!(store.seal().await, "not an hour and a minute later");
    store.shows_all(&tenant("default"), &sent);
    store.close().await;
}
