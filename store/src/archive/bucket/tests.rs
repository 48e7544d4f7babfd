//! Tests of the bucket's promises under faults; nothing waits, since waiting moves the clock.

pub(crate) mod proxy;
pub(crate) mod s3;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectStoreExt, path::Path};
use weir_proto::time::Clock;

use super::{
    faulty::{Faulty, Plan},
    *,
};
use crate::disk::{
    Disk,
    recorder::{Recorder, Unsynced},
};

const SECOND_NS: u64 = 1_000_000_000;
const PART_BYTES: u64 = 64 << 10;

/// A bucket over a store that fails by a plan, with attempts enough for any storm.
struct Storm {
    bucket: Bucket,
    store: Arc<Faulty>,
    clock: Clock,
    folder: tempfile::TempDir,
}

fn storm(seed: u64, attempts_max: u32, failures_max: u32) -> Storm {
    let clock = Clock::fixed(1_000_000 * SECOND_NS);
    let store = Arc::new(Faulty::new(clock.clone(), seed));
    let mut options = BucketOptions::new("s3://test/a/b");
    options.part_bytes = PART_BYTES;
    options.retry.attempts_max = attempts_max;
    options.breaker.failures_max = failures_max;
    let surroundings = Surroundings::simulated(clock.clone());
    let bucket = Bucket::over(store.clone(), Path::from("a/b"), true, options, surroundings);
    Storm { bucket, store, clock, folder: tempfile::tempdir().expect("temp folder") }
}

fn content(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|at| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8) ^ seed).collect()
}

impl Storm {
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    async fn there(&self, key: &str) -> Option<Bytes> {
        let got = self.store.inner().get(&Path::from(format!("a/b/{key}"))).await.ok()?;
        Some(got.bytes().await.expect("in memory"))
    }
}

#[tokio::test]
async fn an_object_is_written_once() {
    let storm = storm(1, 3, 100);
    let bucket = &storm.bucket;
    assert_eq!(bucket.put_new("x/1", Bytes::from("one")).await.expect("new"), Put::Written);
    assert_eq!(bucket.put_new("x/1", Bytes::from("one")).await.expect("the same"), Put::AlreadyThere);
    let error = bucket.put_new("x/1", Bytes::from("two")).await.expect_err("another");
    assert_eq!(error.to_string(), "x/1: there is something else: as many bytes, but others");
    let error = bucket.put_new("x/1", Bytes::from("three")).await.expect_err("longer");
    assert_eq!(error.to_string(), "x/1: there is something else: 3 bytes, not 5");
    assert_eq!(bucket.get("x/1").await.expect("there"), "one");
    assert!(bucket.get("x/2").await.expect_err("not there").is_not_found());
    bucket.put("x/1", Bytes::from("over")).await.expect("written over");
    assert_eq!(bucket.head("x/1").await.expect("there").bytes, 4);
    bucket.delete("x/1").await.expect("gone");
    bucket.delete("x/1").await.expect("gone already");
    assert_eq!(bucket.put_new("x/0", Bytes::new()).await.expect("empty"), Put::Written);
    assert_eq!(bucket.put_new("x/0", Bytes::new()).await.expect("empty"), Put::AlreadyThere);
}

#[tokio::test]
async fn ranges_come_as_asked_for() {
    let storm = storm(1, 3, 100);
    let whole = content(300_000, 7);
    storm.bucket.put_new("x", whole.clone().into()).await.expect("new");
    let ranges = [200_000..200_010, 0..5, 3..9, 9..9, 199_999..300_000];
    let got = storm.bucket.get_ranges("x", &ranges).await.expect("read");
    for (range, bytes) in ranges.iter().zip(got) {
        assert_eq!(bytes, whole[range.start as usize..range.end as usize]);
    }
    let beyond = storm.bucket.get_ranges("x", &[0..1, 299_999..300_001]).await.expect_err("beyond the end");
    assert!(matches!(beyond, BucketError::Corrupt { .. }), "{beyond}");
}

#[tokio::test]
async fn a_storm_loses_and_changes_nothing() {
    for seed in 0..6 {
        let storm = storm(seed, 60, u32::MAX);
        storm.store.plan(Plan { unavailable: 300, conflict: 100, lost_reply: 100, truncated: 50, ..Plan::default() });
        for number in 0..20 {
            let small = Bytes::from(content(100 + number, seed as u8));
            storm.bucket.put_new(&format!("small/{number}"), small.clone()).await.expect("written");
            assert_eq!(storm.there(&format!("small/{number}")).await, Some(small));
        }
        let large = content(PART_BYTES as usize * 5 + 17, seed as u8);
        let file = storm.file("large", &large);
        let uploaded = storm.bucket.put_file("large", &file, Some(crc32c::crc32c(&large))).await.expect("uploaded");
        assert_eq!((uploaded.bytes, uploaded.crc32c), (large.len() as u64, crc32c::crc32c(&large)));
        assert_eq!(storm.there("large").await.expect("there"), large);
        let sum = storm.bucket.sum("large").await.expect("read");
        assert_eq!(sum, (large.len() as u64, crc32c::crc32c(&large)));
        let again = storm.bucket.put_file("large", &file, None).await.expect("there already");
        assert_eq!(again.put, Put::AlreadyThere);
        let keys: Vec<String> =
            storm.bucket.list("small", None).map_ok(|head| head.key).try_collect().await.expect("listed");
        assert_eq!(keys.len(), 20);
        storm.bucket.delete_many(&keys).await.expect("deleted");
        let left: Vec<Head> = storm.bucket.list("", None).try_collect().await.expect("listed");
        assert_eq!(left.iter().map(|head| head.key.as_str()).collect::<Vec<_>>(), ["large"]);
    }
}

#[tokio::test]
async fn what_is_damaged_on_its_way_is_sent_again_or_said() {
    let storm = storm(3, 8, 100);
    let large = content(PART_BYTES as usize * 3 + 1, 1);
    let file = storm.file("large", &large);
    // Each part is changed now and then: what arrived is found out and sent again.
    storm.store.plan(Plan { flipped_up: 200, ..Plan::default() });
    let mut found_out = 0;
    for number in 0..20 {
        match storm.bucket.put_file(&format!("x{number}"), &file, None).await {
            Ok(_) => assert_eq!(storm.there(&format!("x{number}")).await.expect("there"), large),
            Err(error @ BucketError::Corrupt { .. }) => {
                found_out += 1;
                assert_eq!(storm.there(&format!("x{number}")).await, None, "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(found_out < 20);
    // Answers that are changed are no reason to say that an upload is damaged (twice in a row it may be).
    storm.store.plan(Plan { flipped_down: 30, ..Plan::default() });
    storm.bucket.put_file("down", &file, None).await.expect("uploaded");
    storm.store.plan(Plan::default());
    let wrong = storm.bucket.put_file("wrong", &file, Some(1)).await.expect_err("not the file that was meant");
    assert!(matches!(wrong, BucketError::Corrupt { .. }), "{wrong}");
    assert_eq!(storm.there("wrong").await, None);
    let small = storm.file("small", b"small");
    storm.bucket.put_file("wrong", &small, Some(1)).await.expect_err("not the file that was meant");
    assert_eq!(storm.there("wrong").await, None);
    storm.bucket.put_new("taken", Bytes::from(content(large.len(), 9))).await.expect("new");
    let taken = storm.bucket.put_file("taken", &file, None).await.expect_err("another is there");
    assert!(matches!(taken, BucketError::Conflict { .. }), "{taken}");
    // Uploads that came to nothing are given up by tasks of their own.
    while storm.store.uploads() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pieces_are_compared_where_that_is_asked_for() {
    let mut storm = storm(3, 8, 100);
    let options = BucketOptions { read_back: ReadBack::Pieces, ..storm.bucket.shared.options.clone() };
    let surroundings = Surroundings::simulated(storm.clock.clone());
    storm.bucket = Bucket::over(storm.store.clone(), Path::from("a/b"), true, options, surroundings);
    for bytes in [0, 1, 65_536, 65_537, 1_000_000] {
        let file = storm.file("f", &content(bytes, 1));
        let uploaded = storm.bucket.put_file(&format!("k{bytes}"), &file, None).await.expect("uploaded");
        assert_eq!(uploaded.bytes, bytes as u64);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_not_asked_all_the_time() {
    let storm = storm(1, 4, 4);
    let start_ns = storm.clock.now_ns();
    storm.store.plan(Plan { away_until_ns: start_ns + 300 * SECOND_NS, ..Plan::default() });
    let error = storm.bucket.get("x").await.expect_err("away");
    assert_eq!(error.to_string(), "the store is away: Generic Faulty error: connection refused");
    assert!(storm.bucket.is_away());
    assert_eq!(storm.store.requests(), 4);
    let waited = (storm.clock.now_ns() - start_ns) / SECOND_NS;
    assert!((5..=9).contains(&waited), "1 + 2 + 4 seconds, more or less: {waited}");
    for _ in 0..100 {
        assert!(storm.bucket.get("x").await.expect_err("not asked").is_away());
    }
    assert_eq!(storm.store.requests(), 4);
    storm.clock.set(start_ns + 301 * SECOND_NS);
    assert!(storm.bucket.get("x").await.expect_err("asked again").is_not_found());
    assert!(!storm.bucket.is_away());
    storm.bucket.put_new("x", Bytes::from("x")).await.expect("back");
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let storm = storm(1, 10, 3);
    storm.store.plan(Plan { denied: true, ..Plan::default() });
    for asked in 1..=5 {
        let error = storm.bucket.put_new("x", Bytes::from("x")).await.expect_err("no");
        assert!(matches!(error, BucketError::Denied { .. }) && error.to_string().contains("AccessDenied"), "{error}");
        assert_eq!(storm.store.requests(), asked, "once each, and the store is not away");
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_given_up() {
    let mut storm = storm(1, 3, 100);
    let file = storm.file("large", &content(PART_BYTES as usize * 4, 1));
    // A bandwidth that no part gets through, and waiting that does not end.
    let options = BucketOptions { bandwidth_bytes_per_s: Some(1), ..storm.bucket.shared.options.clone() };
    let wait: Wait = Arc::new(|_| Box::pin(std::future::pending()));
    let surroundings = Surroundings { wait, ..Surroundings::simulated(storm.clock.clone()) };
    storm.bucket = Bucket::over(storm.store.clone(), Path::from("a/b"), true, options, surroundings);
    {
        let upload = storm.bucket.put_file("large", &file, None);
        tokio::pin!(upload);
        while storm.store.uploads() == 0 {
            let step = tokio::time::timeout(Duration::from_micros(100), &mut upload).await;
            assert!(step.is_err(), "not done before it is seen");
        }
    }
    while storm.store.uploads() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(storm.there("large").await, None);
}

#[tokio::test]
async fn uploads_keep_to_the_bandwidth() {
    let mut storm = storm(1, 3, 100);
    let options = BucketOptions { bandwidth_bytes_per_s: Some(100_000), ..storm.bucket.shared.options.clone() };
    let surroundings = Surroundings::simulated(storm.clock.clone());
    storm.bucket = Bucket::over(storm.store.clone(), Path::from("a/b"), true, options, surroundings);
    let start_ns = storm.clock.now_ns();
    let file = storm.file("f", &content(1_000_000, 1));
    storm.bucket.put_file("f", &file, None).await.expect("uploaded");
    let seconds = (storm.clock.now_ns() - start_ns) / SECOND_NS;
    // Parts under way at once wait side by side, which a simulated clock adds up.
    assert!((9..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_listing_is_in_pages_and_goes_on_after_a_key() {
    let storm = storm(1, 3, 100);
    for number in 0..2500 {
        storm.bucket.put_new(&format!("p/{number:05}"), Bytes::from("x")).await.expect("new");
    }
    storm.bucket.put_new("pq/1", Bytes::from("x")).await.expect("new");
    let before = storm.store.requests();
    let keys: Vec<String> = storm.bucket.list("p", None).map_ok(|head| head.key).try_collect().await.expect("listed");
    assert!(keys.len() == 2500 && keys.is_sorted());
    assert_eq!(storm.store.requests() - before, 3);
    let rest = storm.bucket.list("p", Some("p/02497")).map_ok(|head| head.key).try_collect::<Vec<_>>();
    assert_eq!(rest.await.expect("listed"), ["p/02498", "p/02499"]);
}

fn folder_bucket(root: &std::path::Path, disk: Disk) -> Bucket {
    let mut options = BucketOptions::new(&format!("file://{}", root.display()));
    options.part_bytes = PART_BYTES;
    let surroundings = Surroundings { disk, ..Surroundings::simulated(Clock::fixed(SECOND_NS)) };
    Bucket::open(options, surroundings).expect("opened")
}

#[tokio::test]
async fn a_folder_is_a_bucket() {
    let root = tempfile::tempdir().expect("temp folder");
    let bucket = folder_bucket(root.path(), Disk::default());
    assert_eq!(bucket.put_new("t/x/1", Bytes::from("one")).await.expect("new"), Put::Written);
    assert_eq!(bucket.put_new("t/x/1", Bytes::from("one")).await.expect("same"), Put::AlreadyThere);
    bucket.put_new("t/x/1", Bytes::from("two")).await.expect_err("another");
    let large = content(PART_BYTES as usize * 3 + 5, 3);
    let file = root.path().join(".staging").join("source");
    std::fs::write(&file, &large).expect("written");
    assert_eq!(bucket.put_file("t/large", &file, None).await.expect("uploaded").put, Put::Written);
    assert_eq!(bucket.put_file("t/large", &file, None).await.expect("uploaded").put, Put::AlreadyThere);
    assert_eq!(bucket.get("t/large").await.expect("there"), large);
    std::fs::remove_file(&file).expect("removed");
    let left = std::fs::read_dir(root.path().join(".staging")).expect("listed").count();
    assert_eq!(left, 0, "nothing is left in the staging folder");
    let keys: Vec<String> = bucket.list("", None).map_ok(|head| head.key).try_collect().await.expect("listed");
    assert_eq!(keys, ["t/large", "t/x/1"]);
    bucket.put("t/x/1", Bytes::from("two")).await.expect("over");
    assert_eq!(bucket.get("t/x/1").await.expect("there"), "two");
    bucket.delete_many(&["t/x/1".to_owned(), "t/none".to_owned(), "t/large".to_owned()]).await.expect("deleted");
    assert!(bucket.get("t/x/1").await.expect_err("gone").is_not_found());
}

/// Writes two objects, cuts the power at every moment, and says what is wrong after some cut, with the syncs that were asked
/// for. The nth sync after the folder was opened is left out.
async fn power_cuts(skipped: Option<u64>) -> (Result<(), String>, u64) {
    let root = tempfile::tempdir().expect("temp folder");
    let recorder = Recorder::new(root.path()).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    let bucket = folder_bucket(root.path(), disk.clone());
    let opened = disk.faults().syncs();
    if let Some(nth) = skipped {
        disk.faults().skip_sync(opened + nth);
    }
    let large = content(PART_BYTES as usize * 2 + 5, 3);
    let outside = tempfile::tempdir().expect("temp folder");
    let file = outside.path().join("f");
    std::fs::write(&file, &large).expect("written");
    bucket.put_new("t/log/0", Bytes::from("zero")).await.expect("new");
    let first = recorder.moment();
    bucket.put_file("t/large", &file, None).await.expect("uploaded");
    let second = recorder.moment();
    let syncs = disk.faults().syncs() - opened;
    for moment in recorder.cuts() {
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(moment as u64)] {
            let after = tempfile::tempdir().expect("temp folder");
            recorder.materialise(moment, unsynced, after.path()).expect("materialised");
            let bucket = folder_bucket(after.path(), Disk::default());
            // Whole or not there, and there once it was acknowledged.
            for (key, whole, acknowledged) in [("t/log/0", &b"zero"[..], first), ("t/large", &large, second)] {
                match bucket.get(key).await {
                    Ok(found) if found == whole => {}
                    Err(error) if error.is_not_found() && moment < acknowledged => {}
                    other => return (Err(format!("{key} at {moment}: {:?}", other.map(|found| found.len()))), syncs),
                }
            }
        }
    }
    (Ok(()), syncs)
}

#[tokio::test]
async fn what_a_folder_acknowledged_outlives_a_power_cut() {
    let (found, syncs) = power_cuts(None).await;
    assert_eq!(found, Ok(()));
    for nth in 1..=syncs {
        let (found, _) = power_cuts(Some(nth)).await;
        assert!(found.is_err(), "nobody misses the sync {nth} of {syncs}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_synced_is_away_and_nothing_is_seen() {
    let root = tempfile::tempdir().expect("temp folder");
    let disk = Disk::default();
    let bucket = folder_bucket(root.path(), disk.clone());
    let syncs = disk.faults().syncs();
    disk.faults().fail_sync(syncs + 2);
    assert_eq!(bucket.put_new("t/x", Bytes::from("one")).await.expect("at the second attempt"), Put::Written);
    assert_eq!(bucket.get("t/x").await.expect("there"), "one");
}
