//! Small neighbours in the archive become one: by which no row is lost or doubled, whatever step it stops at.

use super::*;

const STEPS: [&str; 8] = [
    "merged from the archive",
    "written",
    "rows uploaded",
    "index uploaded",
    "uploaded",
    "merged file noted",
    "merged file committed",
    "merged file in its place",
];

pub(super) fn merging(folder: &Path, bucket: &Path) -> StoreOptions {
    let mut options = archived(folder, bucket);
    options.size_bytes_max = Some(0);
    let of_archive = options.archive.as_mut().expect("there is one");
    // All are small, and go out as soon as they are there.
    of_archive.segment_bytes_min = u64::MAX / 8;
    of_archive.segment_age_max = Duration::ZERO;
    of_archive.grace = Duration::from_secs(1);
    options
}

/// Six segments that are nowhere but in the archive; merging there did not come to its end. One by one: what waits together is merged
/// before it goes.
pub(super) async fn six(folder: &Path, bucket: &Path, stop_at: &'static str) -> (StillStore, Numbers) {
    let clock = Clock::fixed(spans::start_ns(1000));
    let store = StillStore::open_with(merging(folder, bucket), Disk::default(), clock).await;
    let mut sent = Numbers::new();
    for first in (0..60).step_by(10) {
        // Not before there are six.
        store.stop_at(Some("merged from the archive"));
        sent.extend(segments(&store, first..first + 10).await);
        let _ = store.archive().await;
        store.apply_retention().await;
    }
    assert_eq!((store.segments(), store.archived_segments()), (6, 6));
    store.stop_at(Some(stop_at));
    store.archive().await.expect_err(stop_at);
    (store, sent)
}

/// The actions of the table's newest commits: files that came and went, and whether rows did.
fn optimized(bucket: &Path) -> Vec<(usize, usize, bool)> {
    let log = bucket.join("default/spans/_delta_log");
    let mut commits = files_below(&log);
    commits.retain(|path| path.extension().is_some_and(|end| end == "json"));
    commits.sort();
    let mut found = Vec::new();
    for commit in commits {
        let text = std::fs::read_to_string(log.join(commit)).expect("a commit");
        let actions: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        if actions[0]["commitInfo"]["operation"] != "OPTIMIZE" {
            continue;
        }
        let of = |kind: &str| actions.iter().filter(|action| !action[kind].is_null()).count();
        let is_change =
            |action: &serde_json::Value| action["add"]["dataChange"] == true || action["remove"]["dataChange"] == true;
        found.push((of("add"), of("remove"), actions.iter().any(is_change)));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_changes_no_row_and_stops_anywhere() {
    let ours = tenant("default");
    for step in STEPS {
        for is_wiped in [false, true] {
            let (folder, bucket, anew) = (temp_folder(), temp_folder(), temp_folder());
            let (store, sent) = six(folder.path(), bucket.path(), step).await;
            store.shows_all(&ours, &sent);
            let before = check::tally(&store.snapshot(), &ours);
            let clock = store.shared.clock.clone();
            store.leave().await;
            let here = if is_wiped { anew.path() } else { folder.path() };
            let options = merging(here, bucket.path());
            let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
            store.shows_all(&ours, &sent);
            store.archive().await.expect("goes on");
            assert_eq!((store.segments(), store.archived_segments()), (1, 1), "{step}, {is_wiped}");
            assert_eq!(store.table_rows().await, 60, "{step}");
            store.shows_all(&ours, &sent);
            assert_eq!(check::tally(&store.snapshot(), &ours), before);
            assert_eq!(optimized(bucket.path()), [(1, 6, false)], "{step}");
            // After the grace only the one file is left.
            clock.set(clock.now_ns() + 2 * SECOND_NS);
            segments(&store, 2000..2010).await;
            store.archive().await.expect("goes on");
            let archive = store.shared.archive.clone().expect("there is one");
            archive.begin_check(true);
            until("checked", || !archive.check_status().running).await;
            let check = archive.check_status();
            assert_eq!((check.findings, check.failed), (Vec::new(), None), "{step}");
            if !is_wiped {
                let old = files_below(bucket.path());
                let old: Vec<_> =
                    old.iter().filter(|path| path.to_string_lossy().contains("0000000001-0000000001")).collect();
                assert!(old.is_empty(), "{step}: {old:?}");
            }
            drop(archive);
            store.leave().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_merged_waits_for_its_commit() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (store, sent) = six(folder.path(), bucket.path(), "merged from the archive").await;
    let clock = store.shared.clock.clone();
    store.leave().await;
    let mut options = merging(folder.path(), bucket.path());
    options.archive.as_mut().expect("there is one").commit_interval = Duration::from_secs(300);
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    store.archive().await.expect("merged once, and nothing more to do");
    assert_eq!((store.stages().len(), store.archived_segments(), store.table_rows().await), (7, 6, 60));
    store.shows_all(&tenant("default"), &sent);
    clock.set(clock.now_ns() + 301 * SECOND_NS);
    store.archive().await.expect("committed");
    assert_eq!((store.archived_segments(), store.table_rows().await), (1, 60));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_opened_is_not_merged_over() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (store, sent) = six(folder.path(), bucket.path(), "merged from the archive").await;
    let clock = store.shared.clock.clone();
    let id = store.stages()[2].0.clone();
    store.leave().await;
    std::fs::remove_dir_all(folder.path().join(format!("archive/spans/default/{id}"))).expect("removed");
    let manifests = bucket.path().join("_weir/segments/traces/default");
    let moved = |from: &str, to: &str| {
        for file in files_below(&manifests).iter().filter(|file| file.to_string_lossy().starts_with(&id.to_string())) {
            let name = file.to_string_lossy().into_owned();
            let target = manifests.join(name.replace(from, to));
            std::fs::rename(manifests.join(file), target).expect("moved");
        }
    };
    moved(".json", ".away");
    let store = StillStore::open_with(merging(folder.path(), bucket.path()), Disk::default(), clock.clone()).await;
    assert_eq!(store.archived_segments(), 5);
    let _ = store.archive().await;
    assert_eq!((store.archived_segments(), store.table_rows().await), (5, 60), "it is between them");
    store.leave().await;
    moved(".away", ".json");
    let store = StillStore::open_with(merging(folder.path(), bucket.path()), Disk::default(), clock).await;
    store.shows_all(&tenant("default"), &sent);
    store.archive().await.expect("goes on");
    assert_eq!((store.archived_segments(), store.table_rows().await), (1, 60));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_cannot_read_the_log_counts_each_row_once() {
    let (folder, bucket, anew) = (temp_folder(), temp_folder(), temp_folder());
    let (store, sent) = six(folder.path(), bucket.path(), "merged file noted").await;
    let clock = store.shared.clock.clone();
    store.leave().await;
    let log = bucket.path().join("default/spans/_delta_log");
    let commits: Vec<_> = files_below(&log).into_iter().map(|path| log.join(path)).collect();
    let texts: Vec<Vec<u8>> = commits.iter().map(|path| std::fs::read(path).expect("a file of the log")).collect();
    commits.iter().for_each(|path| std::fs::write(path, "{").expect("written"));
    let options = || merging(anew.path(), bucket.path());
    let store = StillStore::open_with(options(), Disk::default(), clock.clone()).await;
    store.shows_all(&tenant("default"), &sent);
    let _ = store.archive().await;
    commits.iter().zip(texts).for_each(|(path, text)| std::fs::write(path, text).expect("written"));
    clock.set(clock.now_ns() + 61 * SECOND_NS);
    store.archive().await.expect("goes on");
    // The log names those that it was made of: the one takes their place.
    assert_eq!((store.table_rows().await, store.archived_segments()), (60, 1));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merged_file_that_never_comes_into_its_table_keeps_nothing_for_ever() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (store, _) = six(folder.path(), bucket.path(), "merged file noted").await;
    let clock = store.shared.clock.clone();
    let merged = store.stages().into_iter().find(|(_, stage)| *stage == Stage::Uploaded).expect("it waits").0;
    store.leave().await;
    std::fs::remove_dir_all(folder.path().join(format!("archive/spans/default/{merged}"))).expect("removed");
    let manifests = bucket.path().join("_weir/segments/traces/default");
    for file in files_below(&manifests).iter().filter(|file| file.to_string_lossy().starts_with(&merged.to_string())) {
        std::fs::remove_file(manifests.join(file)).expect("removed");
    }
    let mut options = merging(folder.path(), bucket.path());
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_secs(3600));
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let later = 7200 * SECOND_NS / spans::STEP_NS;
    clock.set(spans::start_ns(later + 10));
    // A start begins with an empty file of the journal, which is sealed first.
    while store.seal().await {}
    let newer = segments(&store, later..later + 10).await;
    for _ in 0..10 {
        let _ = store.archive().await;
        store.apply_retention().await;
        clock.set(clock.now_ns() + 61 * SECOND_NS);
    }
    assert_eq!((store.table_rows().await, store.archived_segments()), (10, 1));
    assert_eq!(check::visible(&store.snapshot(), &tenant("default"), &newer), newer);
    store.leave().await;
}
