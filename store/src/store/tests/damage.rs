//! Broken, missing and foreign files: each hurts only itself, and the ledger says how much was lost.

use std::path::PathBuf;

use super::{
    spans::{self, tenant},
    *,
};
use crate::disk::recorder::{Recorder, Unsynced};

/// Spans of each journal file, in batches of [`BATCH`].
const PER_FILE: u64 = 28;
const BATCH: u64 = 14;
/// Files 1 to 4 are one merged segment, 5 and 6 a segment each, 7 to 9 closed, 10 in use.
const FILES: u64 = 10;

/// A data folder as a crash leaves it, or after a shutdown.
async fn filled(clean: bool) -> tempfile::TempDir {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    for file in 1..=FILES {
        let first = (file - 1) * PER_FILE;
        for start in [first, first + BATCH] {
            store.append(&tenant("default"), start..start + BATCH).await;
        }
        if file < FILES {
            store.roll().await;
        }
        if file == 4 || file == 6 {
            while store.seal().await {}
            store.merge().await;
        }
    }
    assert_eq!(store.segments(), 3);
    if clean {
        store.close().await;
        return folder;
    }
    let crashed = temp_folder();
    copy(folder.path(), crashed.path());
    crashed
}

fn sent() -> Numbers {
    (0..FILES * PER_FILE).collect()
}

/// The spans of some journal files.
fn of_files(files: impl IntoIterator<Item = u64>) -> Numbers {
    files.into_iter().flat_map(|file| (file - 1) * PER_FILE..file * PER_FILE).collect()
}

fn journal_file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("journal/traces/{number:010}.journal"))
}

fn segment(folder: &Path, name: &str) -> PathBuf {
    folder.join("segments/traces/default").join(name)
}

fn flip(path: &Path, position: usize) {
    let mut bytes = std::fs::read(path).expect("read");
    bytes[position] ^= 0x20;
    std::fs::write(path, bytes).expect("written");
}

/// Opens what is left, twice, then seals and merges it, then opens it again: always the same answers.
async fn loses_only(lost: &Numbers, folder: &Path) {
    for life in 0..4 {
        let store = StillStore::open(folder).await;
        store.shows_all_but(lost, &tenant("default"), &sent());
        if life == 2 {
            store.roll().await;
            store.settle().await;
            store.shows_all_but(lost, &tenant("default"), &sent());
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_segment_is_counted() {
    for (name, files) in [("0000000001-0000000004-1", 1..=4), ("0000000006-0000000006-0", 6..=6)] {
        let folder = filled(true).await;
        std::fs::remove_dir_all(segment(folder.path(), name)).expect("removed");
        loses_only(&of_files(files), folder.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_segment_is_set_aside() {
    for (file, at) in [("manifest.json", 40), ("manifest.json", 300), ("spans.parquet", usize::MAX), ("traces.idx", 3)]
    {
        let folder = filled(false).await;
        let path = segment(folder.path(), "0000000005-0000000005-0").join(file);
        let bytes = std::fs::metadata(&path).expect("there").len() as usize;
        flip(&path, at.min(bytes - 6));
        loses_only(&of_files([5]), folder.path()).await;
        assert!(folder.path().join("quarantine/default-0000000005-0000000005-0").join(file).exists());
        assert!(!path.exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_journal_files_are_counted() {
    for clean in [true, false] {
        let base = filled(clean).await;
        for files in [vec![7], vec![8], vec![10], vec![7, 8], vec![7, 8, 9, 10], vec![9, 10]] {
            for catalog_too in [false, true] {
                let folder = temp_folder();
                copy(base.path(), folder.path());
                for &file in &files {
                    std::fs::remove_file(journal_file(folder.path(), file)).expect("removed");
                }
                if catalog_too {
                    std::fs::remove_file(folder.path().join("catalog.sqlite")).expect("removed");
                }
                eprintln!("clean {clean}, without journal files {files:?}, catalog gone too: {catalog_too}");
                loses_only(&of_files(files.iter().copied()), folder.path()).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_frame_is_counted() {
    for clean in [true, false] {
        let folder = filled(clean).await;
        let path = journal_file(folder.path(), 8);
        // In the second half of the first frame.
        let bytes = std::fs::read(&path).expect("read");
        let used = bytes.iter().rposition(|&byte| byte != 0).expect("not empty");
        flip(&path, used / 3);
        let damaged = std::fs::read(&path).expect("read");
        loses_only(&(7 * PER_FILE..7 * PER_FILE + BATCH).collect(), folder.path()).await;
        assert!(!path.exists());
        let set_aside = std::fs::read(folder.path().join("quarantine/traces-0000000008.journal")).expect("there");
        assert_eq!(set_aside, damaged, "as it was found");
        assert_eq!(std::fs::read_dir(folder.path().join("quarantine")).expect("there").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_of_the_catalog_is_found_when_it_opens() {
    let folder = filled(true).await;
    let path = folder.path().join("catalog.sqlite");
    let bytes = std::fs::metadata(&path).expect("there").len() as usize;
    for page in (0..bytes).step_by(4096) {
        let copied = temp_folder();
        copy(folder.path(), copied.path());
        let mut content = std::fs::read(&path).expect("read");
        content[page..page + 4096].fill(0xa5);
        std::fs::write(copied.path().join("catalog.sqlite"), content).expect("written");
        loses_only(&Numbers::new(), copied.path()).await;
        assert!(copied.path().join("quarantine/catalog.sqlite").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_aside_outlives_a_power_cut() {
    let folder = filled(false).await;
    flip(&segment(folder.path(), "0000000005-0000000005-0").join("manifest.json"), 40);
    let recorder = Recorder::new(folder.path()).expect("recorder");
    recorder.follow(&["catalog.sqlite-wal", "catalog.sqlite"]);
    let disk = Disk::recording(recorder.clone());
    let store = StillStore::open_with(options(folder.path()), disk, clock()).await;
    let moment = recorder.moment();
    drop(store);
    let after = temp_folder();
    recorder.materialise(moment, Unsynced::Lost, after.path()).expect("materialise");
    loses_only(&of_files([5]), after.path()).await;
    assert!(after.path().join("quarantine/default-0000000005-0000000005-0/manifest.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_journal_the_segments_remain() {
    for catalog_too in [false, true] {
        let folder = filled(true).await;
        std::fs::remove_dir_all(folder.path().join("journal")).expect("removed");
        if catalog_too {
            std::fs::remove_file(folder.path().join("catalog.sqlite")).expect("removed");
        }
        let mut sent = of_files(1..=6);
        // Nobody knows any more what else there was; what comes now is kept.
        for life in 0..3 {
            let store = StillStore::open(folder.path()).await;
            store.shows_all(&tenant("default"), &sent);
            sent.extend(store.append(&tenant("default"), 1000 + life * 10..1010 + life * 10).await);
            store.roll().await;
            store.seal().await;
            store.shows_all(&tenant("default"), &sent);
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_listed_is_removed() {
    let folder = filled(true).await;
    let leftover = segment(folder.path(), "0000000007-0000000007-0");
    copy_folder(&segment(folder.path(), "0000000006-0000000006-0"), &leftover);
    let unfinished = segment(folder.path(), "0000000007-0000000008-0.tmp");
    std::fs::create_dir(&unfinished).expect("made");
    std::fs::write(unfinished.join("spans.parquet"), "PAR1").expect("written");
    // Not ours, and in nobody's way.
    std::fs::write(folder.path().join("segments/traces/notes"), "to do").expect("written");
    loses_only(&Numbers::new(), folder.path()).await;
    assert!(!unfinished.exists());
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for file in files_below(from) {
        std::fs::copy(from.join(&file), to.join(&file)).expect("copied");
    }
}

/// A byte of the first row group's trace ids.
const IN_FIRST_PAGE: usize = 100;

/// A store with one segment of three row groups, and another one.
async fn with_row_groups(folder: &Path, file_spans: u64) -> (StillStore, Numbers) {
    let options = StoreOptions { journal_file_bytes_max: 8 << 20, ..options(folder) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    let mut sent = Numbers::new();
    for file in [0..file_spans, file_spans..file_spans + 200] {
        for start in file.clone().step_by(100) {
            sent.extend(store.append(&tenant("default"), start..(start + 100).min(file.end)).await);
        }
        store.roll().await;
        assert!(store.seal().await);
    }
    (store, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_costs_its_row_group_and_the_ledger_says_so() {
    let folder = temp_folder();
    let (store, sent) = with_row_groups(folder.path(), 2500).await;
    let path = segment(folder.path(), "0000000001-0000000001-0");
    flip(&path.join("spans.parquet"), IN_FIRST_PAGE);
    assert!(!store.repair().await, "nobody has noticed");
    let running = store.snapshot();
    let kept = check::tally(&running, &tenant("default")).kept;
    // Some question meets it.
    for trace in spans::traces_of(sent.iter().copied()) {
        running.trace(&tenant("default"), trace).expect("partial at worst");
    }
    assert!(store.repair().await, "found by a read");
    assert!(!store.repair().await, "saved once");
    let lost = check::tally(&store.snapshot(), &tenant("default")).damaged;
    assert_eq!((lost, kept), (1000, sent.len() as u64));
    let left = check::visible(&store.snapshot(), &tenant("default"), &sent);
    let lost: Numbers = sent.difference(&left).copied().collect();
    store.shows_all_but(&lost, &tenant("default"), &sent);
    assert!(path.exists(), "a running query names it");
    drop(running);
    assert!(!path.exists());
    assert!(folder.path().join("quarantine/default-0000000001-0000000001-0/spans.parquet").exists());
    assert!(segment(folder.path(), "0000000001-0000000001-1").exists());
    store.close().await;
    loses_only_in(&lost, &sent, folder.path()).await;
}

/// Opens what is left twice, the second time after sealing and merging.
async fn loses_only_in(lost: &Numbers, sent: &Numbers, folder: &Path) {
    for _ in 0..2 {
        let store = StillStore::open(folder).await;
        store.shows_all_but(lost, &tenant("default"), sent);
        store.settle().await;
        store.shows_all_but(lost, &tenant("default"), sent);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_of_which_nothing_is_left_is_set_aside_whole() {
    let folder = temp_folder();
    let (store, sent) = with_row_groups(folder.path(), 300).await;
    let path = segment(folder.path(), "0000000001-0000000001-0");
    flip(&path.join("spans.parquet"), IN_FIRST_PAGE);
    for trace in spans::traces_of(0..300) {
        store.snapshot().trace(&tenant("default"), trace).expect("partial at worst");
    }
    assert!(store.repair().await);
    store.shows_all_but(&(0..300).collect(), &tenant("default"), &sent);
    assert_eq!(store.segments(), 1);
    assert!(folder.path().join("quarantine/default-0000000001-0000000001-0/manifest.json").exists());
    store.close().await;
    loses_only_in(&(0..300).collect(), &sent, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_index_costs_no_row() {
    let folder = temp_folder();
    let (store, sent) = with_row_groups(folder.path(), 300).await;
    let index = segment(folder.path(), "0000000001-0000000001-0").join("traces.idx");
    let bytes = std::fs::metadata(&index).expect("there").len() as usize;
    flip(&index, bytes - 2);
    for trace in spans::traces_of(0..300) {
        store.snapshot().trace(&tenant("default"), trace).expect("partial at worst");
    }
    assert!(store.repair().await);
    store.shows_all(&tenant("default"), &sent);
    store.close().await;
    let store = StillStore::open(folder.path()).await;
    store.shows_all(&tenant("default"), &sent);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_meets_damage_has_it_repaired_and_goes_on() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let mut sent = Numbers::new();
    for file in 0..6 {
        sent.extend(store.append(&tenant("default"), file * 50..file * 50 + 50).await);
        store.roll().await;
        assert!(store.seal().await);
    }
    let path = segment(folder.path(), "0000000003-0000000003-0").join("spans.parquet");
    flip(&path, IN_FIRST_PAGE);
    assert!(store.merge().await, "tried");
    assert_eq!(store.segments(), 6, "and not done");
    assert!(store.repair().await);
    store.settle().await;
    assert_eq!(store.segments(), 1);
    store.shows_all_but(&(100..150).collect(), &tenant("default"), &sent);
    store.close().await;
}
