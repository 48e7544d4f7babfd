//! Writers and readers at once, across many rolls, seals and merges: no snapshot misses a span, or shows one twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

use super::{check, spans::tenant, *};
use crate::snapshot::{asked::Snapshot, view::View};

const WRITERS: u64 = 3;
const READERS: u64 = 2;
/// Each writer's spans.
const SPANS: u64 = 800;
/// Snapshots that each reader keeps and asks again in the end, spread over its time.
const OLD_MAX: usize = 6;

/// What writers know.
#[derive(Default)]
struct Known {
    sent: Mutex<Numbers>,
    acknowledged: Mutex<Numbers>,
}

impl Known {
    fn copy(of: &Mutex<Numbers>) -> Numbers {
        of.lock().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_snapshot_shows_each_acknowledged_span_once() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    store.0.shared.views.witness.set(each_file_is_in_one_place).expect("set once");
    let known = Arc::new(Known::default());
    let done = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let mut readers = Vec::new();
    for reader in 0..READERS {
        let (store, known, done, rounds) = (store.clone(), known.clone(), done.clone(), rounds.clone());
        readers.push(tokio::task::spawn_blocking(move || read_on(&store, &known, &done, &rounds, reader)));
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        writers.push(tokio::spawn(write_on(store.clone(), known.clone(), writer)));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    done.store(true, Ordering::Release);
    let mut old = Vec::new();
    for reader in readers {
        old.extend(reader.await.expect("a reader"));
    }
    store.roll().await;
    until_settled(&store).await;

    let tenant = tenant("default");
    let sent = Known::copy(&known.sent);
    let view = store.0.shared.views.current();
    assert!(view.traces.files.is_empty(), "everything is sealed");
    assert!(view.all_segments().any(|segment| segment.id().generation > 0), "nothing was merged");
    assert_eq!(check::visible(&store.snapshot(), &tenant, &sent), sent);
    check::answers(&store.snapshot(), &tenant, &sent);
    // Their journal files and segments are gone, and they answer as before.
    assert!(rounds.load(Ordering::Relaxed) > READERS * 2 && !old.is_empty());
    assert!(store.0.shared.failure.borrow().is_none());
    assert!(old.iter().any(|(snapshot, _)| snapshot.0.all_segments().next().is_some()), "sealing came too late");
    for (snapshot, found) in old {
        assert_eq!(check::visible(&snapshot, &tenant, &sent), found);
        check::answers(&snapshot, &tenant, &found);
    }
    // Nothing is left of what was retired.
    drop(view);
    let folders = || std::fs::read_dir(folder.path().join("segments/traces/default")).expect("listed").count();
    let live = || store.0.shared.views.current().all_segments().count();
    until("retired segments are deleted", || folders() == live()).await;
    let mut journal_files = files_below(&folder.path().join("journal/traces"));
    journal_files.retain(|name| !name.to_string_lossy().ends_with(".spare"));
    assert!(journal_files.len() <= 2, "the one in use and the MARK: {journal_files:?}");
    store.shutdown().await;
}

/// Checked of every view that there ever is: a journal file is either in the head or in one segment, and none is missing.
fn each_file_is_in_one_place(view: &View) {
    let sealed = view.all_segments().flat_map(|segment| segment.id().first_file..=segment.id().last_file);
    let mut files: Vec<u32> = sealed.chain(view.traces.files.iter().map(|file| file.number())).collect();
    files.sort_unstable();
    assert_eq!(files, Vec::from_iter(1..=files.len() as u32));
}

/// Appends spans whose traces are spread over many batches.
async fn write_on(store: Store, known: Arc<Known>, writer: u64) {
    let tenant = tenant("default");
    let first = writer * 10_000;
    for block in (first..first + SPANS).step_by(100) {
        for n in block..block + 10 {
            let batch: Vec<u64> = (n..block + 100).step_by(10).collect();
            known.sent.lock().extend(&batch);
            append(&store, &tenant, &batch).await.expect("appended");
            known.acknowledged.lock().extend(&batch);
        }
        // No faster than sealing: there is to be some of everything at every moment.
        let shared = &store.0.shared;
        shared.ring();
        until("sealing keeps up", || shared.views.current().traces.files.len() <= 3).await;
    }
}

/// Takes snapshots without pause and compares them with what was acknowledged before. Answers some of them.
fn read_on(
    store: &Store,
    known: &Known,
    done: &AtomicBool,
    rounds: &AtomicU64,
    reader: u64,
) -> Vec<(Snapshot, Numbers)> {
    let tenant = tenant("default");
    let mut old: Vec<(Snapshot, Numbers)> = Vec::new();
    let mut round = reader;
    let mut is_last = false;
    while !is_last {
        is_last = done.load(Ordering::Acquire);
        round += 1;
        let acknowledged = Known::copy(&known.acknowledged);
        let snapshot = store.snapshot();
        let sent = Known::copy(&known.sent);
        let kept = check::tally(&snapshot, &tenant).kept;
        assert!((acknowledged.len() as u64..=sent.len() as u64).contains(&kept));
        if is_last || round.is_multiple_of(3) {
            let found = check::visible(&snapshot, &tenant, &sent);
            assert!(acknowledged.is_subset(&found));
            check::answers(&snapshot, &tenant, &found);
            old.push((snapshot, found));
            if old.len() > OLD_MAX {
                // Every other one: what stays is spread over all that was.
                let mut at = 0;
                old.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
            }
        } else {
            glance(&snapshot, &tenant, &acknowledged, &sent, round);
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    old
}

/// A few traces, and one kind of search.
fn glance(snapshot: &Snapshot, tenant: &TenantId, acknowledged: &Numbers, sent: &Numbers, round: u64) {
    let picked: Numbers = sent.iter().copied().filter(|n| (n / 5) % 17 == round % 17).collect();
    let found = check::visible(snapshot, tenant, &picked);
    assert!(acknowledged.iter().filter(|n| picked.contains(n)).all(|n| found.contains(n)));
    let filters = spans::filters();
    let (filter, fits) = &filters[(round as usize) % filters.len()];
    let (traces, _) = check::search(snapshot, tenant, filter, 1_000_000);
    let result: std::collections::BTreeSet<_> = traces.into_iter().collect();
    let traces = |numbers: &Numbers| spans::traces_of(numbers.iter().copied().filter(|&n| fits(n)));
    assert!(traces(acknowledged).is_subset(&result) && result.is_subset(&traces(sent)), "{filter:?}");
}
