//! A broken file hurts only itself: searches, merges and a lost catalog go on beside it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tracing::{Event, Level, Metadata, Subscriber, span};

use super::{check, spans, still::StillStore, temp_folder};
use crate::{ask::filter::ScanFilter, segment::Segment};

/// Damages all pages of the rows; footer, index and manifest stay as they are.
fn damage_rows(segment: &Segment) {
    let path = segment.directory().join("spans.parquet");
    let mut bytes = std::fs::read(&path).expect("there");
    let end = bytes.len() * 2 / 5;
    bytes[4..end].fill(0xa5);
    std::fs::write(&path, bytes).expect("written");
}

async fn sealed(store: &StillStore, runs: std::ops::Range<u64>) {
    for run in runs {
        store.append(&spans::tenant("a"), run * 10..run * 10 + 10).await;
        store.roll().await;
        assert!(store.seal().await);
    }
}

fn segments(store: &StillStore) -> Vec<std::sync::Arc<Segment>> {
    store.shared.views.current().all_segments().map(|stored| stored.segment().clone()).collect()
}

#[tokio::test]
async fn a_search_goes_on_behind_a_damaged_segment() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    sealed(&store, 0..3).await;
    damage_rows(segments(&store).last().expect("three"));
    let (traces, partial) = check::search(&store.snapshot(), &spans::tenant("a"), &ScanFilter::default(), 100);
    assert!(partial);
    let older: Vec<_> = [15, 10, 5, 0].into_iter().map(spans::trace_of).collect();
    assert_eq!(traces, older);
}

/// Counts the errors that this thread logs.
struct Errors(Arc<AtomicUsize>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn each_damaged_segment_is_logged_once_a_minute_at_most() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    sealed(&store, 0..3).await;
    segments(&store)[1..].iter().for_each(|segment| damage_rows(segment));
    let snapshot = store.snapshot();
    let errors = Arc::new(AtomicUsize::new(0));
    tracing::subscriber::with_default(Errors(errors.clone()), || {
        for _ in 0..20 {
            assert!(check::search(&snapshot, &spans::tenant("a"), &ScanFilter::default(), 100).1);
        }
    });
    assert_eq!(errors.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_damaged_segment_does_not_keep_the_others_small() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    sealed(&store, 0..4).await;
    damage_rows(&segments(&store)[1]);
    assert!(store.merge().await, "tried");
    assert_eq!(store.segments(), 4);
    assert!(store.repair().await && !store.repair().await, "nothing is left of that one");
    assert_eq!(store.segments(), 3);
    sealed(&store, 4..8).await;
    assert!(store.merge().await);
    assert_eq!(store.segments(), 1, "the others are one");
    assert!(!store.merge().await, "nothing is left to try");
}

#[tokio::test]
async fn a_lost_catalog_loses_no_tenant_of_a_run() {
    let (folder, after) = (temp_folder(), temp_folder());
    let (a, b) = (spans::tenant("a"), spans::tenant("b"));
    let store = StillStore::open(folder.path()).await;
    sealed(&store, 0..3).await;
    let of_b = store.append(&b, 500..510).await;
    store.append(&a, 30..40).await;
    store.roll().await;
    let journal = Path::new("journal/traces");
    let last = store.shared.traces.journal.files().first().expect("one").path().to_owned();
    let kept = std::fs::read(&last).expect("there");
    assert!(store.seal().await);
    assert!(store.merge().await);
    store.close().await;
    super::copy(folder.path(), after.path());
    std::fs::remove_file(after.path().join("catalog.sqlite")).expect("there");
    // The stop came before this file was removed, and after its segment of tenant a was merged with older ones.
    std::fs::write(after.path().join(journal).join(last.file_name().expect("named")), kept).expect("written");
    let store = StillStore::open(after.path()).await;
    store.shows_all(&b, &of_b);
    store.shows_all(&a, &(0..40).collect());
    store.close().await;
}

#[tokio::test]
async fn an_old_copy_of_the_catalog_deletes_nothing() {
    for (runs_before, runs_after, merges) in [(2, 4, false), (4, 4, true), (4, 8, true)] {
        let folder = temp_folder();
        let catalog = folder.path().join("catalog.sqlite");
        let store = StillStore::open(folder.path()).await;
        sealed(&store, 0..runs_before).await;
        store.close().await;
        let old = std::fs::read(&catalog).expect("there");
        let store = StillStore::open(folder.path()).await;
        sealed(&store, runs_before..runs_after).await;
        assert_eq!(store.merge().await, merges);
        store.close().await;
        std::fs::write(&catalog, old).expect("put back");
        std::fs::write(folder.path().join("segments/traces/stray"), "somebody's").expect("written");
        let store = StillStore::open(folder.path()).await;
        store.shows_all(&spans::tenant("a"), &(0..runs_after * 10).collect());
        store.close().await;
    }
}
