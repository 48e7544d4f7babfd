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
