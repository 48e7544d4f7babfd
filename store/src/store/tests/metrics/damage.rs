//! Flipped bits in journal and segments: what they hurt is small, counted and told.

use std::path::Path;

use super::{
    super::{files_below, options, temp_folder},
    still::StillMetrics,
    *,
};

/// Flips a bit in the middle of the bytes that `wanted` picks of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("there");
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).expect("written");
}

fn file_named(folder: &Path, end: &str) -> std::path::PathBuf {
    let mut found = files_below(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end));
    folder.join(found.next().expect("there is one"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_in_a_chunk_hurts_its_chunk() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    for time_ms in 0..10 {
        store.append(&tenant, &[("__name__=a", time_ms, 1.5), ("__name__=b", time_ms, 2.5)]).await;
    }
    store.roll().await;
    assert!(store.seal().await);
    flip(&file_named(folder.path(), "chunks.dat"), 3);
    assert!(!store.snapshot().is_metrics_damaged(&tenant));
    let left = store.shown(&tenant, &named("b"));
    assert_eq!(left.matches("=2.5").count(), 10);
    assert_eq!(store.shown(&tenant, &[]), format!("a\n{left}"));
    assert!(store.snapshot().is_metrics_damaged(&tenant));
    assert!(store.repair().await);
    assert_eq!(store.shown(&tenant, &[]), left);
    assert!(!store.snapshot().is_metrics_damaged(&tenant));
    let tally = store.tally(&tenant);
    assert_eq!((tally.accepted, tally.kept, tally.damaged), (20, 10, 10));
    store.close().await;
    let store = StillMetrics::open(options(folder.path())).await;
    assert_eq!((store.shown(&tenant, &[]), store.tally(&tenant)), (left, tally));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_in_a_block_of_the_index_hurts_its_series() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    // Blocks of 64.
    let names: Vec<String> = (0..130).map(|number| format!("__name__=a,i={number:03}")).collect();
    let samples: Vec<_> = names.iter().map(|name| (name.as_str(), 5, 1.5)).collect();
    store.append(&tenant, &samples).await;
    store.roll().await;
    assert!(store.seal().await);
    store.close().await;
    let length = std::fs::metadata(file_named(folder.path(), "series.idx")).expect("there").len() as usize;
    let mut parts = std::collections::BTreeSet::new();
    for at in (0..length).step_by(length / 30) {
        let copied = temp_folder();
        crate::store::tests::copy(folder.path(), copied.path());
        flip(&file_named(copied.path(), "series.idx"), at);
        let store = StillMetrics::open(options(copied.path())).await;
        let shown = store.shown(&tenant, &[]).matches("=1.5").count();
        assert!(shown == 130 || store.snapshot().is_metrics_damaged(&tenant) || store.tally(&tenant).damaged > 0);
        parts.insert(shown);
        store.close().await;
    }
    assert!(parts.contains(&66) && parts.contains(&130), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_bit_of_a_segment_is_found_and_survived() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    for time_ms in 0..3 {
        store.append(&tenant, &[("__name__=a,job=x", time_ms, 1.5), ("__name__=b,job=y", time_ms, 2.5)]).await;
    }
    store.roll().await;
    assert!(store.seal().await);
    store.append(&tenant, &[("__name__=c", 9, 9.0)]).await;
    let all = store.shown(&tenant, &[]);
    store.close().await;
    for name in ["chunks.dat", "series.idx", "manifest.json"] {
        let length = std::fs::metadata(file_named(folder.path(), name)).expect("there").len() as usize;
        for at in 0..length {
            let copied = temp_folder();
            crate::store::tests::copy(folder.path(), copied.path());
            flip(&file_named(copied.path(), name), at);
            let store = StillMetrics::open(options(copied.path())).await;
            let shown = store.shown(&tenant, &[]);
            let by_matcher = store.shown(&tenant, &[matcher("job", MatchOp::Matches, "x.*|y")]);
            let is_whole = shown == all && by_matcher.lines().count() == 2 && !by_matcher.contains("a{job=\"x\"}\n");
            let told = store.snapshot().is_metrics_damaged(&tenant) || store.tally(&tenant).damaged > 0;
            assert!(is_whole || told, "byte {at} of {name}: {shown}");
            assert!(shown.contains("c 9=9"), "byte {at} of {name}: {shown}");
            for line in shown.lines() {
                let known = all.lines().find(|known| known.starts_with(line.split(' ').next().expect("labels")));
                let known = known.expect("no series is made up");
                assert!(line.split(' ').all(|sample| known.contains(sample)), "byte {at} of {name}: {line}");
            }
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_in_the_journal_costs_its_frame_and_what_it_defined() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    store.append(&tenant, &[("__name__=a", 1, 1.0)]).await;
    store.append(&tenant, &[("__name__=a", 2, 2.0), ("__name__=b", 2, 2.0)]).await;
    store.append(&tenant, &[("__name__=a", 3, 3.0), ("__name__=b", 3, 3.0)]).await;
    let second = store.snapshot().0.metrics.files[0].clone();
    store.close().await;
    let frames: Vec<_> = second.journal().frames().map(|frame| frame.expect("sound")).collect();
    flip(second.journal().path(), frames[1].payload_position as usize + 5);
    for life in 0..2 {
        let store = StillMetrics::open(options(folder.path())).await;
        assert_eq!(store.shown(&tenant, &[]), "a 1=1 3=3\n", "life {life}");
        let tally = store.tally(&tenant);
        assert_eq!((tally.accepted, tally.kept, tally.damaged), (5, 2, 3), "life {life}");
        assert!(store.seal().await || life == 1);
        assert_eq!(store.shown(&tenant, &[]), "a 1=1 3=3\n", "life {life}");
        assert_eq!(store.tally(&tenant), tally, "life {life}");
        store.close().await;
    }
    assert!(files_below(folder.path()).iter().any(|path| path.starts_with("quarantine")));
}
