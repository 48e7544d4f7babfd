//! What goes wrong around the archive, and what must not go wrong because of it.

use std::sync::Arc;

use super::*;
use crate::archive::{ArchiveError, Work};

impl StillStore {
    fn the_archive(&self) -> Arc<crate::archive::Archive> {
        self.shared.archive.clone().expect("there is one")
    }
}

fn parquet_files(table: &Path) -> usize {
    let files = files_below(table);
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "parquet") && path.components().count() == 1)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_changed_keeps_no_other_back() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    // A table of somebody else's, with features that are not ours.
    let log = bucket.path().join("spoilt/spans/_delta_log");
    std::fs::create_dir_all(&log).expect("made");
    let protocol =
        r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"writerFeatures":[]}}"#;
    let metadata = r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#;
    std::fs::write(log.join("00000000000000000000.json"), format!("{protocol}\n{metadata}\n")).expect("written");
    let store = open_archived(folder.path(), bucket.path()).await;
    for name in ["default", "spoilt", "third"] {
        store.append(&tenant(name), 0..10).await;
    }
    store.roll().await;
    assert!(store.seal().await);
    store.archive().await.expect("the others go on");
    let stages: Vec<(String, Stage)> =
        store.stages().into_iter().map(|(id, stage)| (id.tenant.as_str().to_owned(), stage)).collect();
    let expected = [("default", Stage::Committed), ("spoilt", Stage::Uploaded), ("third", Stage::Committed)];
    assert_eq!(stages, expected.map(|(name, stage)| (name.to_owned(), stage)));
    assert!(store.the_archive().is_resting(&Work::Table(Signal::Traces, tenant("spoilt"))));
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_here_of_an_archived_segment_comes_from_the_bucket() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..10).await;
    store.stop_at(Some("noted"));
    store.archive().await.expect_err("stopped");
    store.stop_at(None);
    let here = folder.path().join("archive/spans");
    std::fs::remove_dir_all(&here).expect("removed");
    store.archive().await.expect("committed all the same");
    assert_eq!(store.table_rows().await, 10);
    std::fs::remove_dir_all(&here).expect("removed");
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (1, 1));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_whose_copy_cannot_be_opened_stays() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    let id = store.stages()[0].0.clone();
    let manifests = bucket.path().join("_weir/segments/traces/default");
    for file in files_below(&manifests).iter().filter(|file| file.to_string_lossy().starts_with(&id.to_string())) {
        std::fs::remove_file(manifests.join(file)).expect("removed");
    }
    std::fs::remove_dir_all(folder.path().join(format!("archive/spans/default/{id}"))).expect("removed");
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (2, 1), "the other one goes");
    store.shows_all(&tenant("default"), &sent);
    // And while it cannot go, there is no room for more.
    store.step(|shared| crate::upkeep::housekeeping::inspect(shared)).await;
    assert!(matches!(store.shared.traces.refusal(), Some(AppendError::DiskFull)));
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_uploaded_without_the_prefix() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    segments(&store, 0..10).await;
    // The claim of the start failed, and somebody else took the prefix meanwhile.
    let archive = store.the_archive();
    archive.forget_claim();
    let owner = bucket.path().join("_weir/owner.json");
    let mut other: serde_json::Value = serde_json::from_slice(&std::fs::read(&owner).expect("there")).expect("JSON");
    other["instance"] = "another".into();
    other["machine"] = "elsewhere".into();
    std::fs::write(&owner, other.to_string()).expect("written");
    let refused = store.archive().await.expect_err("it is somebody else's");
    assert!(refused.contains("in use by process"), "{refused}");
    assert!(store.stages().is_empty());
    assert!(archive.taken().is_some());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_archive_than_the_one_that_has_the_segments_is_refused() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (other_folder, other_bucket) = (temp_folder(), temp_folder());
    for (folder, bucket) in [(&folder, &bucket), (&other_folder, &other_bucket)] {
        let store = open_archived(folder.path(), bucket.path()).await;
        segments(&store, 0..10).await;
        store.archive().await.expect("archived");
        store.leave().await;
    }
    let opened = Store::open_on(Disk::default(), archived(folder.path(), other_bucket.path()), None, clock()).await;
    let refused = opened.expect_err("it is another").to_string();
    assert!(refused.contains("leads to another archive"), "{refused}");
    // One from before archives had numbers is known by what is in it.
    std::fs::remove_file(bucket.path().join("_weir/prefix.json")).expect("there");
    open_archived(folder.path(), bucket.path()).await.leave().await;
    assert!(bucket.path().join("_weir/prefix.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_not_mounted_any_more_is_no_archive() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let root = bucket.path().join("mounted");
    std::fs::create_dir(&root).expect("made");
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), &root) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let mut sent = segments(&store, 0..10).await;
    store.archive().await.expect("archived");
    sent.extend(segments(&store, 10..20).await);
    // From one moment to the next there is an empty folder.
    let away = bucket.path().join("away");
    std::fs::rename(&root, &away).expect("unmounted");
    std::fs::create_dir(&root).expect("made");
    let archive = store.the_archive();
    archive.forget_claim();
    let refused = store.archive().await.expect_err("it is not there");
    assert!(refused.contains("leads to another archive"), "{refused}");
    assert!(archive.taken().is_some());
    let written = files_below(&root);
    assert!(written.is_empty(), "{written:?}");
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (2, 1), "what is not there stays here");
    drop(archive);
    store.close().await;
    std::fs::remove_dir_all(&root).expect("removed");
    std::fs::rename(&away, &root).expect("mounted again");
    let store = StillStore::open_with(archived(folder.path(), &root), Disk::default(), clock()).await;
    store.archive().await.expect("archived");
    assert_eq!(store.table_rows().await, 20);
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_under_way_is_no_finding() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    segments(&store, 0..20).await;
    // The log names it; the catalog does not know yet.
    store.stop_at(Some("committed"));
    store.archive().await.expect_err("stopped");
    let archive = store.the_archive();
    archive.begin_check(true);
    until("checked", || !archive.check_status().running).await;
    let check = archive.check_status();
    assert_eq!((check.findings, check.failed), (Vec::new(), None));
    drop(archive);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_off_upload_left_behind_goes_once_its_rows_are_elsewhere() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..40).await;
    store.stop_at(Some("uploaded"));
    store.archive().await.expect_err("stopped");
    store.leave().await;
    let table = bucket.path().join("default/spans");
    assert_eq!(parquet_files(&table), 1);
    // The next life merges it with its neighbours before it gets there.
    let store = open_archived(folder.path(), bucket.path()).await;
    while store.merge().await {}
    assert_eq!(store.segments(), 1);
    store.archive().await.expect("archived");
    assert_eq!((parquet_files(&table), store.table_rows().await), (1, 40));
    let beside = files_below(&bucket.path().join("_weir/segments/traces/default"));
    assert_eq!(beside.len(), 2, "{beside:?}");
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_alone_give_everything_back() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..60).await;
    store.archive().await.expect("archived");
    let before = check::tally(&store.snapshot(), &tenant("default"));
    store.leave().await;
    for and_indexes in [false, true] {
        let beside = bucket.path().join("_weir/segments");
        for file in files_below(&beside) {
            if and_indexes || file.extension().is_some_and(|end| end == "json") {
                std::fs::remove_file(beside.join(file)).expect("removed");
            }
        }
        let anew = temp_folder();
        let store = open_archived(anew.path(), bucket.path()).await;
        assert_eq!(store.archived_segments(), 6);
        assert!(store.stages().iter().all(|(_, stage)| *stage == Stage::Committed));
        store.shows_all(&tenant("default"), &sent);
        assert_eq!(check::tally(&store.snapshot(), &tenant("default")), before);
        store.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_keeps_what_left_the_table_too() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(40));
    let mut options = archived(folder.path(), bucket.path());
    options.size_bytes_max = Some(0);
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_nanos(1000 * spans::STEP_NS));
    of_archive.grace = Duration::from_nanos(10 * spans::STEP_NS);
    let store = StillStore::open_with(options.clone(), Disk::default(), clock.clone()).await;
    segments(&store, 0..10).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    clock.set(spans::start_ns(1050));
    segments(&store, 1030..1040).await;
    store.archive().await.expect("one is too old");
    assert_eq!(store.stages().iter().filter(|(_, stage)| *stage == Stage::Removed).count(), 1);
    store.leave().await;
    clock.set(spans::start_ns(2000));
    options.archive.as_mut().expect("there is one").hold = vec!["default".to_owned()];
    let store = StillStore::open_with(options, Disk::default(), clock).await;
    store.archive().await.expect("nothing to do");
    assert_eq!(parquet_files(&bucket.path().join("default/spans")), 2);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_says_which_part_is_missing_and_only_while_it_is() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    let (table, away) = (bucket.path().join("default/spans"), bucket.path().join("default/elsewhere"));
    std::fs::rename(&table, &away).expect("moved");
    let snapshot = store.snapshot();
    assert!(snapshot.trace_up_to(&tenant("default"), spans::trace_of(3), 100).expect("readable").is_damaged);
    let told = snapshot.missing().told();
    assert!(told.iter().any(|told| told.contains("default/spans/") && told.contains("10 items")), "{told:?}");
    std::fs::rename(&away, &table).expect("moved back");
    store.shows_all(&tenant("default"), &sent);
    assert!(store.snapshot().missing().told().is_empty());
    store.leave().await;
}

#[test]
fn what_fails_by_itself_is_not_everybodys() {
    assert!(ArchiveError::Stopped.is_of_all() && ArchiveError::InUse(String::new()).is_of_all());
    assert!(!ArchiveError::Foreign(String::new()).is_of_all());
}
