//! The archive: what goes there, what answers from there, and what is left when everything here is gone.

mod days;
mod faults;
mod foreign;
mod lost;
mod merging;
mod pins;
mod starts;
mod weather;

use weir_proto::time::SECOND_NS;

use super::{
    spans::{self, tenant},
    *,
};
use crate::{
    catalog::Stage,
    options::ArchiveOptions,
    segment::SegmentId,
    upkeep::{archive_retention, archiver},
};

/// Segments go out as they are, and are committed at once.
pub(super) fn archived(folder: &Path, bucket: &Path) -> StoreOptions {
    let archive = ArchiveOptions {
        segment_bytes_min: 0,
        commit_interval: Duration::ZERO,
        ..ArchiveOptions::new(format!("file://{}", bucket.display()))
    };
    StoreOptions { archive: Some(archive), ..options(folder) }
}

async fn open_archived(folder: &Path, bucket: &Path) -> StillStore {
    StillStore::open_with(archived(folder, bucket), Disk::default(), clock()).await
}

impl StillStore {
    /// Archives as long as there is something to do, or until something fails.
    async fn archive(&self) -> Result<(), String> {
        self.step(|shared| {
            let archive = shared.archive.clone().expect("there is one");
            loop {
                match archiver::step(shared, &archive) {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(error) => return Err(error.to_string()),
                }
            }
        })
        .await
    }

    /// Lets go of the bucket, and stops.
    async fn leave(self) {
        self.step(|shared| shared.archive.as_ref().expect("there is one").release().expect("released")).await;
        self.close().await;
    }

    fn stop_at(&self, step: Option<&'static str>) {
        *self.shared.archive.as_ref().expect("there is one").stop_at.lock() = step;
    }

    fn stages(&self) -> Vec<(SegmentId, Stage)> {
        let known = self.shared.archive.as_ref().expect("there is one").all_known();
        known.into_iter().map(|known| (known.id, known.stage)).collect()
    }

    fn archived_segments(&self) -> usize {
        self.shared.views.current().all_segments().filter(|segment| segment.is_archived()).count()
    }

    /// Rows that the table's log tells of.
    async fn table_rows(&self) -> u64 {
        let archive = self.shared.archive.clone().expect("there is one");
        let table = archive.open_table(Signal::Traces, tenant("default")).await.expect("opens");
        table.files().values().map(|file| file.rows().expect("told")).sum()
    }
}

/// Seals each ten spans into a segment of their own.
async fn segments(store: &StillStore, numbers: std::ops::Range<u64>) -> Numbers {
    let mut sent = Numbers::new();
    for first in numbers.step_by(10) {
        sent.extend(store.append(&tenant("default"), first..first + 10).await);
        store.roll().await;
        assert!(store.seal().await);
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_folder_answers_from_the_archive() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let mut sent = segments(&store, 0..60).await;
    store.archive().await.expect("archived");
    assert_eq!(store.stages().len(), 6);
    assert!(store.stages().iter().all(|(_, stage)| *stage == Stage::Committed));
    assert_eq!((store.table_rows().await, store.archived_segments()), (60, 0));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;

    let anew = temp_folder();
    let store = open_archived(anew.path(), bucket.path()).await;
    assert_eq!(store.archived_segments(), 6);
    store.shows_all(&tenant("default"), &sent);
    // What comes now is called otherwise than what is there.
    sent.extend(segments(&store, 60..80).await);
    store.archive().await.expect("archived");
    store.shows_all(&tenant("default"), &sent);
    assert_eq!((store.stages().len(), store.table_rows().await), (8, 80));
    store.leave().await;
    // And so it is after a start with a catalog.
    let store = open_archived(anew.path(), bucket.path()).await;
    assert_eq!((store.archived_segments(), store.segments()), (6, 8));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_step_neither_loses_nor_doubles_a_row() {
    let steps = ["written", "rows uploaded", "index uploaded", "uploaded", "noted", "committed"];
    for step in steps {
        for is_wiped in [false, true] {
            let (folder, bucket) = (temp_folder(), temp_folder());
            let store = open_archived(folder.path(), bucket.path()).await;
            let sent = segments(&store, 0..30).await;
            store.stop_at(Some(step));
            store.archive().await.expect_err(step);
            store.leave().await;
            if is_wiped && ["uploaded", "noted", "committed"].contains(&step) {
                // What the bucket has whole is there; of segments that were never uploaded nothing can be.
                let anew = temp_folder();
                let store = open_archived(anew.path(), bucket.path()).await;
                let found = check::visible(&store.snapshot(), &tenant("default"), &sent);
                assert!(found.len() >= 10, "{step}");
                store.archive().await.expect("goes on");
                assert_eq!(store.table_rows().await, found.len() as u64, "{step}");
                store.leave().await;
                continue;
            }
            let store = open_archived(folder.path(), bucket.path()).await;
            store.shows_all(&tenant("default"), &sent);
            store.archive().await.expect("goes on");
            assert_eq!(store.table_rows().await, 30, "{step}");
            store.shows_all(&tenant("default"), &sent);
            store.leave().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_table_has_leaves_the_disk_and_goes_on_answering() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..30).await;
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (3, 0), "nothing is in the archive yet");
    store.stop_at(Some("uploaded"));
    store.archive().await.expect_err("stopped");
    store.apply_retention().await;
    assert_eq!(store.archived_segments(), 0, "it is not in the table");
    store.stop_at(None);
    store.archive().await.expect("archived");
    let running = store.snapshot();
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (3, 3));
    store.shows_all(&tenant("default"), &sent);
    assert_eq!(check::visible(&running, &tenant("default"), &sent), sent);
    drop(running);
    let here = files_below(&folder.path().join("segments/traces"));
    assert!(here.is_empty(), "{here:?}");
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archive_forgets_by_age_first_the_table_then_the_objects() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(40));
    let mut options = archived(folder.path(), bucket.path());
    options.size_bytes_max = Some(0);
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_nanos(1000 * spans::STEP_NS));
    of_archive.grace = Duration::from_nanos(500 * spans::STEP_NS);
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let mut sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    assert_eq!(store.archived_segments(), 2);
    // Newer ones come; those are too old then.
    clock.set(spans::start_ns(1050));
    let newer = segments(&store, 1030..1040).await;
    sent.extend(&newer);
    store.archive().await.expect("archived");
    store.apply_retention().await;
    store.archive().await.expect("archived");
    assert_eq!(store.table_rows().await, 10);
    assert_eq!(check::visible(&store.snapshot(), &tenant("default"), &sent), newer);
    let objects = || {
        files_below(&bucket.path().join("default/spans"))
            .iter()
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "parquet") && path.components().count() == 1
            })
            .count()
    };
    assert_eq!(objects(), 3, "readers that began before still find them");
    clock.set(spans::start_ns(1600));
    store.archive().await.expect("deleted");
    assert_eq!((objects(), store.stages().len()), (1, 1));
    let tally = check::tally(&store.snapshot(), &tenant("default"));
    assert_eq!((tally.accepted, tally.kept), (30, 30));
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_deletes_nothing() {
    const YEAR_NS: u64 = 365 * 24 * 3600 * SECOND_NS;
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(40));
    let mut options = archived(folder.path(), bucket.path());
    options.retention_traces = Some(Duration::from_secs(7 * 24 * 3600));
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_secs(400 * 24 * 3600));
    of_archive.grace = Duration::ZERO;
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    clock.set(spans::start_ns(40) + 5 * YEAR_NS);
    store.apply_retention().await;
    store.archive().await.expect("nothing to do");
    assert_eq!((store.archived_segments(), store.table_rows().await), (0, 20));
    store.shows_all(&tenant("default"), &sent);
    let archive = store.shared.archive.clone().expect("there is one");
    let believed = archive_retention::believed_now_ns(&store.shared.views.current(), &archive, Signal::Traces);
    assert!(believed < spans::start_ns(40) + YEAR_NS);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_a_prefix_refuses() {
    let (folder, other, bucket) = (temp_folder(), temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let opened = Store::open_on(Disk::default(), archived(other.path(), bucket.path()), None, clock()).await;
    let refused = opened.expect_err("it is taken").to_string();
    assert!(refused.contains("in use by process"), "{refused}");
    store.leave().await;
    let store = open_archived(other.path(), bucket.path()).await;
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_without_what_was_archived_refuses() {
    let (folder, bucket, empty) = (temp_folder(), temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    segments(&store, 0..40).await;
    store.archive().await.expect("archived");
    store.leave().await;
    let opened = Store::open_on(Disk::default(), archived(folder.path(), empty.path()), None, clock()).await;
    let refused = opened.expect_err("nothing is there").to_string();
    assert!(refused.contains("leads to where nothing is"), "{refused}");
    open_archived(folder.path(), bucket.path()).await.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_gone_makes_answers_partial() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    store.apply_retention().await;
    let table = bucket.path().join("default/spans");
    let gone = files_below(&table).into_iter().find(|path| path.to_string_lossy().starts_with("0000000001"));
    std::fs::remove_file(table.join(gone.expect("the first segment"))).expect("removed");
    let snapshot = store.snapshot();
    let last = spans::trace_of(19);
    assert!(!snapshot.trace_up_to(&tenant("default"), last, 100).expect("readable").rows.is_empty());
    let some = sent.iter().map(|&n| spans::trace_of(n));
    let damaged =
        some.filter(|&trace| snapshot.trace_up_to(&tenant("default"), trace, 100).expect("readable").is_damaged);
    assert!(damaged.count() > 0, "no answer says that something is missing");
    assert_eq!(store.segments(), 2, "it is not taken for damaged, and not counted as lost");
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn background_threads_archive_and_commit_by_themselves() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let mut options = archived(folder.path(), bucket.path());
    // Only the stop commits.
    options.archive.as_mut().expect("there is one").commit_interval = Duration::from_secs(3600);
    let store = open(options).await;
    let sent = append_all(&store, &tenant("default"), 0..40).await;
    store.roll().await;
    until_settled(&store).await;
    let shared = store.0.shared.clone();
    let archive = shared.archive.clone().expect("there is one");
    until("uploaded", || {
        let view = shared.views.current();
        let rows: u64 = archive.all_known().iter().map(|known| known.rows).sum();
        rows == 40 && view.all_segments().all(|segment| archive.known(segment.id()).is_some())
    })
    .await;
    store.shutdown().await;
    let anew = temp_folder();
    let store = open_archived(anew.path(), bucket.path()).await;
    assert!(store.stages().iter().all(|(_, stage)| *stage == Stage::Committed));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_here_is_whole_there() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    let sent = segments(&store, 0..30).await;
    store.archive().await.expect("archived");
    let here = folder.path().join("segments/traces/default");
    let of_segment = |number: usize| {
        let mut names = files_below(&here);
        names.retain(|name| name.ends_with("spans.parquet"));
        here.join(&names[number])
    };
    // One is damaged while it runs, one is gone at the next start.
    let damaged = of_segment(0);
    let mut bytes = std::fs::read(&damaged).expect("there");
    bytes[..400].fill(0x55);
    std::fs::write(&damaged, bytes).expect("written");
    let traces = sent.iter().map(|&n| store.snapshot().trace_up_to(&tenant("default"), spans::trace_of(n), 100));
    assert!(traces.filter(|trace| trace.as_ref().is_ok_and(|trace| trace.is_damaged)).count() > 0);
    assert!(store.repair().await, "nobody saw it");
    assert_eq!(store.archived_segments(), 1);
    store.shows_all(&tenant("default"), &sent);
    let gone = of_segment(1);
    store.leave().await;
    std::fs::remove_dir_all(gone.parent().expect("a folder")).expect("removed");
    let store = open_archived(folder.path(), bucket.path()).await;
    assert_eq!((store.segments(), store.archived_segments()), (3, 2));
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_what_is_missing_and_what_was_changed() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let store = open_archived(folder.path(), bucket.path()).await;
    segments(&store, 0..30).await;
    store.archive().await.expect("archived");
    let archive = store.shared.archive.clone().expect("there is one");
    let look = |deep| {
        let archive = archive.clone();
        async move {
            archive.begin_check(deep);
            until("checked", || !archive.check_status().running).await;
            archive.check_status()
        }
    };
    let whole = look(true).await;
    assert_eq!((whole.checked, whole.rows, whole.findings, whole.failed), (3, 30, Vec::new(), None));
    let table = bucket.path().join("default/spans");
    let mut files = files_below(&table);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    std::fs::remove_file(table.join(&files[0])).expect("removed");
    let mut bytes = std::fs::read(table.join(&files[1])).expect("there");
    bytes[100] ^= 1;
    std::fs::write(table.join(&files[1]), bytes).expect("written");
    let shallow = look(false).await;
    assert_eq!(shallow.findings.len(), 1, "{shallow:?}");
    assert!(shallow.findings[0].object.contains("0000000001-"), "{shallow:?}");
    let deep = look(true).await;
    assert_eq!(deep.findings.len(), 2, "{deep:?}");
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_away_nothing_goes_and_at_the_size_receivers_are_refused() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let options = StoreOptions { size_bytes_max: Some(1), ..archived(folder.path(), bucket.path()) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.stop_at(Some("written"));
    store.archive().await.expect_err("away");
    store.apply_retention().await;
    store.step(|shared| crate::upkeep::housekeeping::inspect(shared)).await;
    assert!(matches!(store.shared.traces.refusal(), Some(AppendError::DiskFull)));
    store.shows_all(&tenant("default"), &sent);
    store.stop_at(None);
    store.archive().await.expect("back");
    store.apply_retention().await;
    store.step(|shared| crate::upkeep::housekeeping::inspect(shared)).await;
    assert!(store.shared.traces.refusal().is_none());
    store.shows_all(&tenant("default"), &sent);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_neighbours_that_are_old_become_one_first() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let clock = Clock::fixed(spans::start_ns(30));
    let mut options = archived(folder.path(), bucket.path());
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.segment_bytes_min = u64::MAX;
    of_archive.segment_age_max = Duration::from_nanos(1000 * spans::STEP_NS);
    let store = StillStore::open_with(options, Disk::default(), clock.clone()).await;
    let mut sent = segments(&store, 0..20).await;
    store.archive().await.expect("nothing is due");
    assert!(!store.merge().await && store.stages().is_empty());
    clock.set(spans::start_ns(1040));
    sent.extend(segments(&store, 1030..1040).await);
    store.archive().await.expect("they wait for their merge");
    assert!(store.stages().is_empty());
    assert!(store.merge().await && !store.merge().await);
    store.archive().await.expect("archived");
    assert_eq!((store.stages().len(), store.segments(), store.table_rows().await), (1, 2, 20));
    store.shows_all(&tenant("default"), &sent);
    // What goes there later is not merged with what is there.
    clock.set(spans::start_ns(3000));
    assert!(!store.merge().await);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pinned_or_held_stays() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let mut options = archived(folder.path(), bucket.path());
    options.size_bytes_max = Some(0);
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.retention_traces = Some(Duration::from_nanos(1));
    of_archive.hold = vec!["default".to_owned()];
    let store = StillStore::open_with(options.clone(), Disk::default(), clock()).await;
    let sent = segments(&store, 0..20).await;
    store.archive().await.expect("archived");
    let archive = store.shared.archive.clone().expect("there is one");
    let range = (spans::start_ns(12), spans::start_ns(13));
    store.shared.catalog.pin(Signal::Traces, range.0, range.1).await.expect("noted");
    archive.set_pins(store.shared.catalog.pins().await.expect("read"));
    store.apply_retention().await;
    assert_eq!((store.segments(), store.archived_segments()), (2, 1));
    store.archive().await.expect("nothing goes");
    assert_eq!(store.table_rows().await, 20);
    store.shows_all(&tenant("default"), &sent);
    drop(archive);
    store.leave().await;
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    store.apply_retention().await;
    assert_eq!(store.archived_segments(), 1, "a pin outlives a start");
    assert!(store.shared.catalog.unpin(Signal::Traces, range.0, range.1).await.expect("noted"));
    store.leave().await;
}
