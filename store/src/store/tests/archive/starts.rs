//! Starts from the bucket alone, where something of it cannot be read for now, or lies there that a start before forgot.

use std::path::PathBuf;

use super::{
    merging::{merging, six},
    *,
};

/// The manifest of the segment that begins with a journal file.
fn manifest_of(bucket: &Path, first_file: u32) -> PathBuf {
    let below = bucket.join("_weir/segments");
    let name = format!("{first_file:010}-");
    let is_it = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(&name) && file.ends_with(".json")
    };
    below.join(files_below(&below).into_iter().find(is_it).expect("a manifest"))
}

/// Every trace, and nothing missing. The ledger of a start that could not read the newest segment lacks it.
fn has_all(store: &StillStore, sent: &Numbers) {
    let snapshot = store.snapshot();
    for &n in sent {
        let trace = snapshot.trace_up_to(&tenant("default"), spans::trace_of(n), 100).expect("readable");
        assert!(!trace.rows.is_empty() && !trace.is_damaged, "{n}");
    }
    assert_eq!(snapshot.missing().told(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_start_cannot_read_is_told_keeps_its_place_and_comes_back() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let mut sent = segments(&store, 0..60).await;
    store.archive().await.expect("archived");
    store.leave().await;
    // The newest: its number must not be given to another.
    let (manifest, aside) = (manifest_of(bucket.path(), 6), bucket.path().join("aside"));
    let whole = std::fs::read(&manifest).expect("there");
    std::fs::write(&manifest, &whole[..whole.len() / 2]).expect("written");

    let anew = temp_folder();
    let store = open_archived(anew.path(), bucket.path()).await;
    let default = tenant("default");
    for n in [5, 55] {
        let snapshot = store.snapshot();
        let trace = snapshot.trace_up_to(&default, spans::trace_of(n), 100).expect("readable");
        assert_eq!((trace.rows.is_empty(), trace.is_damaged), (n == 55, true), "{n}");
        assert_eq!(snapshot.missing().told().len(), 1, "{n}");
    }
    let tally = check::tally(&store.snapshot(), &default);
    assert_eq!((tally.accepted, tally.kept), (60, 60), "the table's log tells of its rows");
    let snapshot = store.snapshot();
    snapshot.trace_up_to(&tenant("another"), spans::trace_of(5), 100).expect("readable");
    assert_eq!(snapshot.missing().told(), Vec::<String>::new(), "of others nothing is told");
    sent.extend(segments(&store, 60..80).await);
    let _ = store.archive().await;
    assert_eq!(store.table_rows().await, 80, "nothing took its place");
    std::fs::write(&manifest, &whole).expect("written");
    store.leave().await;

    // A start finds it; as does one that had not tried since.
    let store = open_archived(anew.path(), bucket.path()).await;
    has_all(&store, &sent);
    store.leave().await;
    std::fs::rename(&manifest, &aside).expect("moved");
    std::fs::remove_dir_all(anew.path().join("archive")).expect("removed");
    let store = open_archived(anew.path(), bucket.path()).await;
    assert_eq!(store.archived_segments(), 5, "two are here");
    std::fs::rename(&aside, &manifest).expect("moved");
    store.archive().await.expect("archived");
    assert_eq!(store.archived_segments(), 6);
    has_all(&store, &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_merges_of_the_same_segments_the_one_in_the_table_counts() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (store, mut sent) = six(folder.path(), bucket.path(), "merged file noted").await;
    store.leave().await;

    // It forgets the merge, and makes one of a segment more.
    let clock = || Clock::fixed(spans::start_ns(1000));
    let second = temp_folder();
    let store = StillStore::open_with(merging(second.path(), bucket.path()), Disk::default(), clock()).await;
    store.stop_at(Some("merged from the archive"));
    sent.extend(segments(&store, 60..70).await);
    let _ = store.archive().await;
    store.apply_retention().await;
    store.stop_at(None);
    store.archive().await.expect("archived");
    assert!(
        store.stages().iter().any(|(id, stage)| id.generation == 1 && id.last_file == 7 && *stage == Stage::Committed)
    );
    store.leave().await;

    let third = temp_folder();
    let store = StillStore::open_with(merging(third.path(), bucket.path()), Disk::default(), clock()).await;
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.table_rows().await, sent.len() as u64);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_merged_over_what_a_start_could_not_read() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let (store, sent) = six(folder.path(), bucket.path(), "merged from the archive").await;
    store.leave().await;
    let manifest = manifest_of(bucket.path(), 3);
    let whole = std::fs::read(&manifest).expect("there");
    std::fs::write(&manifest, &whole[..whole.len() / 2]).expect("written");

    let clock = || Clock::fixed(spans::start_ns(1000));
    let anew = temp_folder();
    let open = || StillStore::open_with(merging(anew.path(), bucket.path()), Disk::default(), clock());
    let store = open().await;
    let _ = store.archive().await;
    let known = store.stages();
    assert!(known.iter().all(|(id, _)| id.first_file > 3 || id.last_file <= 3), "{known:?}");
    std::fs::write(&manifest, &whole).expect("written");
    store.leave().await;
    let store = open().await;
    store.archive().await.expect("archived");
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.table_rows().await, sent.len() as u64);
    store.leave().await;
}
