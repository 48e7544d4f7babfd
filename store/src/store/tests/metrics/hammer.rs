//! Appending, sealing, merging and reading at the same time: every snapshot has whole frames, each sample once, none missing.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::{
    super::{options, temp_folder, until},
    *,
};

const SERIES: usize = 40;
const FRAMES: i64 = 400;

/// Every series has the samples 0 to n, for one n; at least as many as were acknowledged before the snapshot.
fn check(snapshot: &Snapshot, tenant: &TenantId, acknowledged: i64) -> i64 {
    let found = snapshot.series(tenant, &named("m"), i64::MIN, i64::MAX).expect("readable");
    let mut length = None;
    for series in &found {
        let mut samples = SeriesSamples::default();
        series.read(i64::MIN, i64::MAX, &mut samples).expect("readable");
        let expected: Vec<i64> = (0..samples.times_ms.len() as i64).collect();
        assert_eq!(samples.times_ms, expected, "{}", series.labels());
        assert!(samples.values.iter().zip(&expected).all(|(value, time)| *value == *time as f64 * 0.5));
        assert_eq!(*length.get_or_insert(expected.len()), expected.len(), "a frame is there in part");
    }
    let length = length.unwrap_or(0) as i64;
    assert!(length >= acknowledged, "{length} samples, {acknowledged} were acknowledged");
    assert!(found.len() == SERIES || length == 0);
    length
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_snapshot_is_whole_whatever_happens_meanwhile() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let acknowledged = std::sync::Arc::new(AtomicI64::new(0));
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (store, tenant, acknowledged, done) = (store.clone(), tenant.clone(), acknowledged.clone(), done.clone());
        readers.push(tokio::task::spawn_blocking(move || {
            let mut held: Option<(Snapshot, i64)> = None;
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) {
                let before = acknowledged.load(Ordering::Acquire);
                let snapshot = store.snapshot();
                let length = check(&snapshot, &tenant, before);
                // An old one answers as it did.
                if let Some((old, length)) = &held {
                    assert_eq!(check(old, &tenant, 0), *length);
                }
                if rounds % 5 == 0 {
                    held = Some((snapshot, length));
                }
                rounds += 1;
            }
            rounds
        }));
    }
    let names: Vec<String> = (0..SERIES).map(|n| format!("__name__=m,n={n:03}")).collect();
    for frame in 0..FRAMES {
        let samples: Vec<_> = names.iter().map(|name| (&**name, frame, frame as f64 * 0.5)).collect();
        store.append_metrics(batch(&store, &tenant, &samples)).await.expect("appended");
        acknowledged.store(frame + 1, Ordering::Release);
        if frame % 13 == 12 {
            store.0.shared.metrics.journal.roll().await;
        }
    }
    store.0.shared.metrics.journal.roll().await;
    until("sealed", || store.0.shared.views.current().metrics.files.is_empty()).await;
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.await.expect("no panic") > 0);
    }
    check(&store.snapshot(), &tenant, FRAMES);
    let merged = store.0.shared.views.current().metrics.segments_of(&tenant).iter().any(|one| one.id().generation > 0);
    assert!(merged, "nothing was merged");
    assert_eq!(store.snapshot().ledger().metrics[&tenant].kept, FRAMES as u64 * SERIES as u64);
    store.shutdown().await;
}
