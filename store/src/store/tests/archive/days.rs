//! Thirty days by a clock that is set: every row that was sent is at each moment here, in the archive, or past its retention; and a
//! process that dies at any step loses and doubles none.

use super::*;
use crate::ask::{filter::ScanFilter, request::ScanRequest};

/// Numbers of spans: a day has so many steps of time.
const DAY: u64 = 24 * 3600 * SECOND_NS / spans::STEP_NS;
const DAYS: u64 = 30;
const KEPT_HERE: u64 = 3;
const KEPT_THERE: u64 = 12;
const GRACE: u64 = 2;

/// Where a day's process dies, in turn.
const STEPS: [&str; 9] = [
    "written",
    "rows uploaded",
    "index uploaded",
    "uploaded",
    "noted",
    "committed",
    "removed from the table",
    "removal noted",
    "object deleted",
];

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 3600)
}

fn options_of(folder: &Path, bucket: &Path) -> StoreOptions {
    let mut options = archived(folder, bucket);
    options.retention_traces = Some(days(KEPT_HERE));
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(days(KEPT_THERE));
    of_archive.grace = days(GRACE);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_days_account_for_every_row() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(0));
    let ours = tenant("default");
    let mut sent = Numbers::new();
    let table = bucket.path().join("default/spans");
    for day in 0..DAYS {
        clock.set(spans::start_ns(day * DAY));
        let store =
            StillStore::open_with(options_of(folder.path(), bucket.path()), Disk::default(), clock.clone()).await;
        for hour in 0..2 {
            let first = day * DAY + hour * DAY / 24;
            clock.set(spans::start_ns(first + 10));
            sent.extend(segments(&store, first..first + 10).await);
        }
        // A start begins with an empty file of the journal, which is sealed first.
        while store.seal().await {}
        clock.set(spans::start_ns(day * DAY + DAY - 1));
        // It dies in the middle of the day's work, and goes on.
        store.stop_at(Some(STEPS[day as usize % STEPS.len()]));
        let _ = store.archive().await;
        store.leave().await;
        let store =
            StillStore::open_with(options_of(folder.path(), bucket.path()), Disk::default(), clock.clone()).await;
        store.archive().await.expect("goes on");
        store.apply_retention().await;
        store.archive().await.expect("goes on");
        account(&store, (&ours, &sent), day).await;
        let objects = files_below(&table);
        let rows = objects.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet"));
        let rows = rows.filter(|path| path.components().count() == 1).count() as u64;
        assert!(rows <= 2 * (KEPT_THERE + GRACE + 3), "day {day}: {rows} objects are left");
        store.leave().await;
    }
    // And the bucket alone says the same.
    let anew = temp_folder();
    let store = StillStore::open_with(options_of(anew.path(), bucket.path()), Disk::default(), clock).await;
    account(&store, (&ours, &sent), DAYS - 1).await;
    // An hour of all of it opens the objects of that hour.
    let first = (DAYS - 5) * DAY;
    let start_ns = spans::start_ns(first)..=spans::start_ns(first + DAY / 24 - 1);
    let request = ScanRequest { columns: Vec::new(), filter: ScanFilter { start_ns, ..ScanFilter::default() } };
    let scan = store.snapshot().scan(&ours, request);
    assert_eq!((scan.pruned().segments_left(), scan.objects().len()), (1, 1));
    assert!(scan.pruned().segments >= 20);
    store.leave().await;
}

/// Every row is visible, unless the archive's retention has let go of it; the table has what is visible; the ledger has all.
async fn account(store: &StillStore, (ours, sent): (&TenantId, &Numbers), day: u64) {
    let snapshot = store.snapshot();
    let visible = check::visible(&snapshot, ours, sent);
    let now = day * DAY + DAY - 1;
    for &n in sent.difference(&visible) {
        assert!(n + KEPT_THERE * DAY < now + DAY / 24, "day {day}: span {n} is gone before its time");
    }
    let oldest = visible.first().copied().unwrap_or(0);
    assert!(oldest + (KEPT_THERE + 1) * DAY > now, "day {day}: span {oldest} is still there");
    let failing = store.shared.archive.as_ref().expect("there is one").resting.told(ours);
    assert!(failing.is_empty(), "day {day}: {failing:?}");
    assert_eq!(store.table_rows().await, visible.len() as u64, "day {day}");
    let tally = check::tally(&snapshot, ours);
    let accepted = (tally.accepted, tally.kept, tally.damaged);
    assert_eq!(accepted, (sent.len() as u64, sent.len() as u64, 0), "day {day}");
}
