//! Objects that are lost or damaged: what is left of them here goes there again, and an index hides no rows.

use std::path::PathBuf;

use super::*;

/// The objects below a folder of the bucket that end so, in order.
fn objects(bucket: &Path, below: &str, end: &str) -> Vec<PathBuf> {
    let below = bucket.join(below);
    let mut found = files_below(&below);
    found.retain(|path| path.extension().is_some_and(|extension| extension == end));
    found.sort();
    found.into_iter().map(|path| below.join(path)).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("there");
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).expect("written");
}

impl StillStore {
    async fn deep_check(&self) -> Vec<String> {
        let archive = self.shared.archive.clone().expect("there is one");
        archive.begin_check(true);
        until("checked", || !archive.check_status().running).await;
        let check = archive.check_status();
        assert_eq!(check.failed, None);
        check.findings.into_iter().map(|finding| finding.object).collect()
    }

    fn lacks_index(&self) -> usize {
        let view = self.shared.views.current();
        let all = view.segments(Signal::Traces).values().flatten();
        all.filter(|segment| segment.lacks_index()).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_lost_there_hides_no_rows_and_is_made_anew() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..30).await;
    store.archive().await.expect("archived");
    store.leave().await;
    let indexes = objects(bucket.path(), "_weir/segments", "idx");
    assert_eq!(indexes.len(), 3);
    let whole: Vec<Vec<u8>> = indexes.iter().map(|path| std::fs::read(path).expect("there")).collect();
    std::fs::remove_file(&indexes[0]).expect("removed");
    flip(&indexes[1], whole[1].len() - 6);
    let anew = temp_folder();
    let store = open_archived(anew.path(), bucket.path()).await;
    assert_eq!((store.lacks_index(), store.archived_segments()), (2, 3));
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.snapshot().missing().told(), Vec::<String>::new());
    store.archive().await.expect("made anew");
    assert_eq!(store.lacks_index(), 0);
    for (path, whole) in indexes.iter().zip(&whole) {
        assert!(std::fs::read(path).expect("there") == *whole, "{}", path.display());
    }
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.deep_check().await, Vec::<String>::new());
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_damaged_here_comes_again() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    let here = objects(folder.path(), "archive/spans", "idx");
    assert_eq!(here.len(), 2);
    let whole = std::fs::read(&here[0]).expect("there");
    flip(&here[0], whole.len() - 6);
    std::fs::remove_file(&here[1]).expect("removed");
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(store.snapshot().missing().told(), Vec::<String>::new());
    assert_eq!(store.lacks_index(), 2);
    store.archive().await.expect("mended");
    assert_eq!(store.lacks_index(), 0);
    assert!(std::fs::read(&here[0]).expect("there") == whole);
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_check_misses_stays_here_and_goes_there_again() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..40).await;
    store.archive().await.expect("archived");
    let rows = objects(bucket.path(), "default/spans", "parquet");
    let rows: Vec<PathBuf> = rows.into_iter().filter(|path| !path.to_string_lossy().contains("_delta_log")).collect();
    let indexes = objects(bucket.path(), "_weir/segments", "idx");
    let manifests = objects(bucket.path(), "_weir/segments", "json");
    assert_eq!((rows.len(), indexes.len(), manifests.len()), (4, 4, 4));
    let before: Vec<Vec<u8>> =
        rows.iter().chain(&indexes).chain(&manifests).map(|path| std::fs::read(path).expect("there")).collect();
    std::fs::remove_file(&rows[0]).expect("removed");
    flip(&rows[1], 50);
    std::fs::remove_file(&indexes[2]).expect("removed");
    flip(&indexes[1], before[5].len() - 6);
    std::fs::remove_file(&manifests[3]).expect("removed");
    let findings = store.deep_check().await;
    assert_eq!(findings.len(), 5, "{findings:?}");
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (4, 0), "what is here may be all that there is");
    store.archive().await.expect("put again");
    let after: Vec<Vec<u8>> =
        rows.iter().chain(&indexes).chain(&manifests).map(|path| std::fs::read(path).expect("there")).collect();
    assert!(after == before);
    assert_eq!(store.deep_check().await, Vec::<String>::new());
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (4, 4));
    store.shows_all(&tenant("default"), &sent);
    // What belongs here of what is there only goes there again as well; of rows there is no copy.
    std::fs::remove_file(&indexes[0]).expect("removed");
    std::fs::remove_file(&manifests[0]).expect("removed");
    std::fs::remove_file(&rows[3]).expect("removed");
    assert_eq!(store.deep_check().await.len(), 3);
    store.archive().await.expect("put again");
    assert_eq!(store.deep_check().await.len(), 1);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_in_the_place_of_the_owner_lets_nobody_in() {
    let (folder, bucket, other) = (temp_folder(), temp_folder(), temp_folder());
    // What is written there has the system's time.
    let store = StillStore::open_with(archived(folder.path(), bucket.path()), Disk::default(), Clock::system()).await;
    let owner = bucket.path().join("_weir/owner.json");
    for rubbish in [&b""[..], b"{", b"\x00\xff", b"{\"instance\":1}"] {
        std::fs::write(&owner, rubbish).expect("written");
        let opened =
            Store::open_on(Disk::default(), archived(other.path(), bucket.path()), None, Clock::system()).await;
        let refused = opened.expect_err("somebody may write there").to_string();
        assert!(refused.contains("owner.json cannot be read"), "{refused}");
    }
    // Who runs goes on, and says so again.
    store.archive().await.expect("nothing to do");
    let archive = store.shared.archive.clone().expect("there is one");
    archive.claim_and_note(&store.shared.catalog).await.expect("it has it");
    drop(archive);
    let opened = Store::open_on(Disk::default(), archived(other.path(), bucket.path()), None, Clock::system()).await;
    assert!(opened.expect_err("taken").to_string().contains("in use by process"));
    store.leave().await;
    // Long ago: nobody is there.
    std::fs::write(&owner, "rubbish").expect("written");
    let file = std::fs::File::options().write(true).open(&owner).expect("there");
    let then = std::time::UNIX_EPOCH + Duration::from_nanos(Clock::system().now_ns()) - Duration::from_secs(100);
    file.set_modified(then).expect("set");
    StillStore::open_with(archived(other.path(), bucket.path()), Disk::default(), Clock::system()).await.leave().await;
}
