//! What somebody wants on local disk comes back there when it had left, and goes again when nobody does.

use super::*;

impl StillStore {
    async fn pin(&self, range: std::ops::Range<u64>, is_wanted: bool) {
        let (from, to) = (spans::start_ns(range.start), spans::start_ns(range.end - 1));
        let catalog = &self.shared.catalog;
        match is_wanted {
            true => catalog.pin(Signal::Traces, from, to).await.expect("noted"),
            false => assert!(catalog.unpin(Signal::Traces, from, to).await.expect("noted")),
        }
        let pins = catalog.pins().await.expect("read");
        self.shared.archive.as_ref().expect("there is one").set_pins(pins);
    }

    fn is_whole(&self, n: u64) -> bool {
        let read = self.snapshot().trace_up_to(&tenant("default"), spans::trace_of(n), 100).expect("readable");
        !read.is_damaged && read.rows.len() == 5
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_segment_comes_back_and_goes_again() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = || StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options(), Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    assert_eq!(store.archived_segments(), 2);
    let kept = || files_below(&folder.path().join("archive/kept"));
    store.pin(12..14, true).await;
    store.archive().await.expect("brought back");
    let whole = kept();
    assert_eq!(whole.len(), 1, "{whole:?}");
    // Whatever becomes of the bucket, also after a start.
    let (table, away) = (bucket.path().join("default/spans"), bucket.path().join("default/away"));
    std::fs::rename(&table, &away).expect("moved");
    assert!(store.is_whole(17) && !store.is_whole(3));
    store.leave().await;
    // What did not come to its end is begun anew.
    std::fs::write(folder.path().join("archive/kept/default/spans/x.part"), "half").expect("written");
    let store = StillStore::open_with(options(), Disk::default(), clock()).await;
    assert!(store.is_whole(17) && !store.is_whole(3));
    assert_eq!(kept(), whole);
    std::fs::rename(&away, &table).expect("moved back");
    store.shows_all(&tenant("default"), &sent);
    store.pin(12..14, false).await;
    store.archive().await.expect("let go");
    assert!(kept().is_empty());
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_bytes_are_others_does_not_count() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    segments(&store, 0..10).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    let table = bucket.path().join("default/spans");
    let object = files_below(&table).into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet"));
    let object = table.join(object.expect("there"));
    let mut bytes = std::fs::read(&object).expect("there");
    bytes[100] ^= 1;
    std::fs::write(&object, bytes).expect("written");
    store.pin(0..10, true).await;
    let refused = store.archive().await.expect_err("it is damaged");
    assert!(refused.contains("CRC32C"), "{refused}");
    assert!(files_below(&folder.path().join("archive/kept")).is_empty());
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_lets_go_of_nothing_that_is_pinned() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(40));
    let mut options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_nanos(1000 * spans::STEP_NS));
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    // Too old already, and pinned before anything was done about it.
    clock.set(spans::start_ns(1050));
    store.pin(12..14, true).await;
    segments(&store, 1030..1040).await;
    store.archive().await.expect("archived");
    let kept = || files_below(&folder.path().join("archive/kept"));
    assert_eq!((store.table_rows().await, kept().len()), (20, 1));
    assert!(store.is_whole(17) && !store.is_whole(3));
    // A copy that turned out to be damaged comes again, after a rest.
    let archive = store.shared.archive.clone().expect("there is one");
    archive.kept.forget(kept()[0].to_str().expect("a key"));
    store.archive().await.expect("nothing to do");
    assert_eq!((store.table_rows().await, kept().len()), (20, 0));
    clock.set(clock.now_ns() + 2 * SECOND_NS);
    store.archive().await.expect("brought back");
    assert_eq!((store.table_rows().await, kept().len()), (20, 1));
    store.pin(12..14, false).await;
    store.archive().await.expect("let go");
    assert_eq!((store.table_rows().await, kept().len()), (10, 0));
    drop(archive);
    store.leave().await;
}
