//! What others put into the prefix, or take out of the table.

use std::path::PathBuf;

use super::{
    merging::{merging, six},
    *,
};
use crate::archive::Work;

/// Somebody else takes files out of the table.
fn take_out(bucket: &Path, files: &[PathBuf]) {
    let log = bucket.join("default/spans/_delta_log");
    let mut commits = files_below(&log);
    commits.retain(|path| path.extension().is_some_and(|end| end == "json"));
    let mut text = r#"{"commitInfo":{"timestamp":1,"operation":"DELETE","engineInfo":"Apache-Spark/4.0"}}"#.to_owned();
    for file in files {
        let path = file.display();
        text += &format!("\n{{\"remove\":{{\"path\":\"{path}\",\"deletionTimestamp\":1,\"dataChange\":true}}}}");
    }
    std::fs::write(log.join(format!("{:020}.json", commits.len())), text + "\n").expect("written");
}

/// Our files in the table's folder, oldest first.
fn ours(bucket: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        path.to_string_lossy().starts_with("00000") && path.extension().is_some_and(|end| end == "parquet")
    };
    let mut files: Vec<PathBuf> = files_below(&bucket.join("default/spans")).into_iter().filter(is_ours).collect();
    files.sort();
    files
}

/// Somebody else puts files together, as `OPTIMIZE` does: the rows are the same.
fn put_together(bucket: &Path, files: &[PathBuf], into: &str) {
    let table = bucket.join("default/spans");
    let mut commits = files_below(&table.join("_delta_log"));
    commits.retain(|path| path.extension().is_some_and(|end| end == "json"));
    std::fs::write(table.join(into), "the same rows").expect("written");
    let mut text =
        r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"Apache-Spark/4.0"}}"#.to_owned();
    for file in files {
        let path = file.display();
        text += &format!("\n{{\"remove\":{{\"path\":\"{path}\",\"deletionTimestamp\":1,\"dataChange\":false}}}}");
    }
    let stats = format!(r#"{{\"numRecords\":{}}}"#, files.len() * 10);
    text += &format!(
        "\n{{\"add\":{{\"path\":\"{into}\",\"partitionValues\":{{}},\"size\":13,\"modificationTime\":1,\"dataChange\":false,\"stats\":\"{stats}\"}}}}"
    );
    std::fs::write(table.join("_delta_log").join(format!("{:020}.json", commits.len())), text + "\n").expect("written");
}

/// The paths that the table's log names.
async fn named(store: &StillStore) -> Vec<String> {
    let archive = store.shared.archive.clone().expect("there is one");
    let table = archive.open_table(Signal::Traces, tenant("default")).await.expect("opens");
    table.files().keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_put_together_is_taken_back() {
    for is_wiped in [false, true] {
        let (folder, bucket, anew) = (temp_folder(), temp_folder(), temp_folder());
        let clock = Clock::fixed(spans::start_ns(1000));
        let with = |here: &Path, size_bytes_max| {
            let mut options = StoreOptions { size_bytes_max, ..archived(here, bucket.path()) };
            options.archive.as_mut().expect("there is one").grace = Duration::from_secs(60);
            options
        };
        let store = StillStore::open_with(with(folder.path(), Some(0)), Disk::default(), clock.clone()).await;
        let mut sent = segments(&store, 0..40).await;
        store.archive().await.expect("archived");
        store.apply_retention().await;
        let before = named(&store).await;
        store.leave().await;
        // Twice, so that theirs are in theirs.
        put_together(bucket.path(), &ours(bucket.path())[..2], "part-00000-a.parquet");
        let again = [PathBuf::from("part-00000-a.parquet"), ours(bucket.path())[2].clone()];
        put_together(bucket.path(), &again, "part-00000-b.parquet");

        let here = if is_wiped { anew.path() } else { folder.path() };
        let store = StillStore::open_with(with(here, None), Disk::default(), clock.clone()).await;
        assert!(store.stages().iter().all(|(_, stage)| *stage == Stage::Committed), "{:?}", store.stages());
        store.shows_all(&tenant("default"), &sent);
        store.archive().await.expect("taken back");
        assert_eq!((named(&store).await, store.table_rows().await), (before, 40), "{is_wiped}");
        // Beside a commit of ours as well as by itself, and our objects outlive the grace.
        let files = ours(bucket.path());
        put_together(bucket.path(), &files, "part-00000-c.parquet");
        clock.set(clock.now_ns() + 3600 * SECOND_NS);
        sent.extend(segments(&store, 40..50).await);
        while store.seal().await {}
        store.archive().await.expect("archived");
        assert_eq!((named(&store).await.len(), store.table_rows().await), (5, 50), "{is_wiped}");
        put_together(bucket.path(), &ours(bucket.path()), "part-00000-d.parquet");
        clock.set(clock.now_ns() + 3600 * SECOND_NS);
        store.archive().await.expect("looked at");
        assert_eq!((named(&store).await.len(), store.table_rows().await), (5, 50), "{is_wiped}");
        store.shows_all(&tenant("default"), &sent);
        let archive = store.shared.archive.clone().expect("there is one");
        archive.begin_check(true);
        until("checked", || !archive.check_status().running).await;
        assert_eq!((archive.check_status().findings, archive.check_status().failed), (Vec::new(), None));
        drop(archive);
        store.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_put_together_and_deleted_is_told_and_never_counts_as_deleted() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..30).await;
    store.archive().await.expect("archived");
    store.leave().await;
    let files = ours(bucket.path());
    put_together(bucket.path(), &files, "part-00000-a.parquet");
    std::fs::remove_file(bucket.path().join("default/spans").join(&files[1])).expect("vacuumed");
    let anew = temp_folder();
    for _ in 0..2 {
        let clock = Clock::fixed(spans::start_ns(1000));
        let store = StillStore::open_with(archived(anew.path(), bucket.path()), Disk::default(), clock.clone()).await;
        assert!(store.stages().iter().all(|(_, stage)| *stage == Stage::Committed), "{:?}", store.stages());
        for at in 0..2 {
            let snapshot = store.snapshot();
            let seen = check::visible(&snapshot, &tenant("default"), &sent);
            assert_eq!(seen.len(), 20, "{at}");
            assert!(seen.iter().all(|n| !(10..20).contains(n)));
            let trace = snapshot.trace_up_to(&tenant("default"), spans::trace_of(15), 100).expect("readable");
            assert!(trace.is_damaged && !snapshot.missing().told().is_empty(), "{at}");
            let _ = store.archive().await;
            clock.set(clock.now_ns() + 8 * 24 * 3600 * SECOND_NS);
        }
        assert_eq!(named(&store).await, ["part-00000-a.parquet"], "for its readers nothing is missing");
        store.leave().await;
    }
    assert_eq!(ours(bucket.path()).len(), 2, "what is left stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_changed_is_told_by_a_start_from_the_bucket_alone() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..40).await;
    store.archive().await.expect("archived");
    store.leave().await;
    // One is rewritten, as a `DELETE` of some rows does; of another all rows are deleted.
    let files = ours(bucket.path());
    put_together(bucket.path(), &files[1..2], "part-00000-a.parquet");
    let log = bucket.path().join("default/spans/_delta_log");
    let newest = files_below(&log).into_iter().filter(|path| path.extension().is_some_and(|end| end == "json")).max();
    let newest = log.join(newest.expect("there is one"));
    let text = std::fs::read_to_string(&newest).expect("there");
    std::fs::write(&newest, text.replace("\"dataChange\":false", "\"dataChange\":true")).expect("written");
    take_out(bucket.path(), &files[2..3]);
    let anew = temp_folder();
    for start in 0..2 {
        let clock = Clock::fixed(spans::start_ns(1000));
        let store = StillStore::open_with(archived(anew.path(), bucket.path()), Disk::default(), clock.clone()).await;
        let seen = check::visible(&store.snapshot(), &tenant("default"), &sent);
        assert!(seen.iter().copied().eq((0..10).chain(30..40)), "{seen:?}");
        let snapshot = store.snapshot();
        snapshot.trace_up_to(&tenant("default"), spans::trace_of(15), 100).expect("readable");
        let told = snapshot.missing().told();
        assert!(told.len() == 1 && told[0].contains("others changed segment"), "{start}: {told:?}");
        store.archive().await.expect("nothing to do");
        assert_eq!(store.table_rows().await, 30);
        clock.set(clock.now_ns() + 8 * 24 * 3600 * SECOND_NS);
        store.archive().await.expect("nothing of it goes");
        store.leave().await;
    }
    assert!(ours(bucket.path()).contains(&files[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_lets_go_of_what_others_made_of_what_is_too_old() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(40));
    let mut options = archived(folder.path(), bucket.path());
    options.size_bytes_max = Some(0);
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_nanos(1000 * spans::STEP_NS));
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    let files = ours(bucket.path());
    put_together(bucket.path(), &files, "part-00000-a.parquet");
    std::fs::remove_file(bucket.path().join("default/spans").join(&files[1])).expect("vacuumed");
    clock.set(spans::start_ns(1050));
    segments(&store, 1030..1040).await;
    let _ = store.archive().await;
    store.apply_retention().await;
    let _ = store.archive().await;
    assert_eq!(store.table_rows().await, 10, "{:?}", named(&store).await);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_others_are_neither_taken_nor_deleted() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(1000));
    let store = StillStore::open_with(archived(folder.path(), bucket.path()), Disk::default(), clock.clone()).await;
    let sent = segments(&store, 0..30).await;
    store.archive().await.expect("archived");
    let foreign = [
        "notes.txt",
        "default/spans/part-00000.parquet",
        "default/spans/sub/folder/x.parquet",
        "default/spans/_delta_log/notes.txt",
        "default/other/_delta_log/00000000000000000000.json",
        "_weir/segments/traces/default/0000000001-0000000009-0-zzzzzzzz.json",
        "_weir/segments/traces/default/0000000099-0000000099-0-00000000.idx",
        "_weir/segments/nothing/x.json",
        "no tenant!/spans/_delta_log/00000000000000000000.json",
    ];
    for name in foreign {
        let path = bucket.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, "not ours").expect("written");
    }
    let archive = store.shared.archive.clone().expect("there is one");
    archive.begin_check(true);
    until("checked", || !archive.check_status().running).await;
    let check = archive.check_status();
    assert_eq!((check.findings, check.failed, check.rows), (Vec::new(), None, 30));
    drop(archive);
    // A day later it is looked for what was left behind.
    clock.set(clock.now_ns() + 25 * 3600 * SECOND_NS);
    store.archive().await.expect("nothing to do");
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.table_rows().await, 30);
    store.leave().await;
    let anew = temp_folder();
    let store = StillStore::open_with(archived(anew.path(), bucket.path()), Disk::default(), clock).await;
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.archived_segments(), 3);
    store.leave().await;
    for name in foreign {
        assert!(bucket.path().join(name).exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_others_that_takes_our_rows_is_told_and_costs_none() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    assert_eq!(store.archived_segments(), 2);
    // Somebody deletes from the table.
    let table = bucket.path().join("default/spans");
    let path = files_below(&table).into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet"));
    take_out(bucket.path(), &[path.expect("a file")]);
    // Weir goes on: its rows are what it was sent, its objects stay, and a check says what the table lacks.
    let mut all = sent.clone();
    all.extend(segments(&store, 20..30).await);
    store.archive().await.expect("archived");
    store.shows_all(&tenant("default"), &all);
    assert_eq!(store.table_rows().await, 20);
    let archive = store.shared.archive.clone().expect("there is one");
    archive.begin_check(true);
    until("checked", || !archive.check_status().running).await;
    let findings = archive.check_status().findings;
    assert!(findings.iter().any(|finding| finding.what.contains("does not name")), "{findings:?}");
    assert!(!archive.is_resting(&Work::Table(Signal::Traces, tenant("default"))));
    drop(archive);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_brings_back_nothing_that_others_took_out() {
    for stop_at in ["merged from the archive", "merged file noted"] {
        let (folder, bucket) = (temp_folder(), temp_folder());
        let (store, sent) = six(folder.path(), bucket.path(), stop_at).await;
        let clock = store.shared.clock.clone();
        let ids: Vec<SegmentId> =
            store.stages().into_iter().filter(|(id, _)| id.first_file == id.last_file).map(|(id, _)| id).collect();
        let taken = |path: &PathBuf| {
            let name = path.to_string_lossy();
            name.ends_with(".parquet") && ids[..2].iter().any(|id| name.starts_with(&id.to_string()))
        };
        let files: Vec<PathBuf> = files_below(&bucket.path().join("default/spans")).into_iter().filter(taken).collect();
        assert_eq!((ids.len(), files.len()), (6, 2), "{stop_at}");
        take_out(bucket.path(), &files);
        store.leave().await;
        let options = merging(folder.path(), bucket.path());
        let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
        for _ in 0..3 {
            // What was refused rests.
            let _ = store.archive().await;
            clock.set(clock.now_ns() + 61 * SECOND_NS);
        }
        store.archive().await.expect("nothing to do");
        assert_eq!(store.table_rows().await, 40, "{stop_at}");
        // The four behind are one now.
        assert_eq!(store.archived_segments(), 3, "{stop_at}");
        store.shows_all(&tenant("default"), &sent);
        store.leave().await;
    }
}
