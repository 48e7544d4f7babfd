//! Samples of one series and time: in one batch, in batches at once, one after the other.

use super::*;
use crate::lane::metrics::MetricsAppended;

/// The ledger's accepted, kept and rejected for a conflict; and the samples that are there.
fn counted(store: &Store, tenant: &TenantId) -> (u64, u64, u64, u64) {
    let snapshot = store.snapshot();
    let tally = snapshot.ledger().metrics.get(tenant).cloned().unwrap_or_default();
    let mut stored = 0;
    for series in snapshot.series(tenant, &[], ALWAYS.0, ALWAYS.1).expect("readable") {
        let mut samples = SeriesSamples::default();
        series.read(ALWAYS.0, ALWAYS.1, &mut samples).expect("readable");
        stored += (samples.times_ms.len() + samples.histograms.len()) as u64;
    }
    (tally.accepted, tally.kept, tally.rejected.get("conflict").copied().unwrap_or(0), stored)
}

async fn reopened(folder: &std::path::Path, store: Store) -> Store {
    store.shutdown().await;
    drop(store);
    open(options(folder)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_of_one_batch_are_told() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let sent = [("__name__=a", 9, 1.0), ("__name__=b", 9, 1.0), ("__name__=a", 9, 2.0), ("__name__=b", 9, 1.0)];
    let mut sent = batch(&store, &tenant, &sent);
    let series = store.series(&tenant, &labels("__name__=a")).expect("taken");
    for (time_ms, count) in [(9, 1.0), (10, 1.0), (10, 1.0), (10, 2.0)] {
        let histogram = histogram(count);
        sent.histograms.push(HistogramSample { series: series.clone(), time_ms, start_ms: 0, histogram });
    }
    let appended = store.append_metrics(sent).await.expect("appended");
    let (float, histogram) = (SampleIndex::Float, SampleIndex::Histogram);
    let expected = MetricsAppended {
        stored: 3,
        repeated: 2,
        conflicts: vec![float(2), histogram(0), histogram(3)],
        within: vec![(float(2), float(0)), (histogram(0), float(0)), (histogram(3), histogram(1))],
    };
    assert_eq!(appended, expected);
    assert_eq!(counted(&store, &tenant), (3, 3, 3, 3));
    // A batch of nothing but conflicts.
    let again = batch(&store, &tenant, &[("__name__=c", 9, 1.0), ("__name__=a", 9, 7.0)]);
    let appended = store.append_metrics(again).await.expect("appended");
    assert_eq!((appended.stored, appended.conflicts, appended.within), (1, vec![float(1)], vec![]));
    assert_eq!(counted(&store, &tenant), (4, 4, 4, 4));
    let store = reopened(folder.path(), store).await;
    assert_eq!(counted(&store, &tenant), (4, 4, 4, 4));
    store.shutdown().await;
}

/// Some series are looked for one by one, more are all entered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_of_many_series_are_told() {
    for series in [1, 8, 9, 30] {
        let folder = temp_folder();
        let store = open(options(folder.path())).await;
        let tenant = tenant("default");
        let names: Vec<String> = (0..series).map(|n| format!("__name__=s{n}")).collect();
        let mut sent: Vec<(&str, i64, f64)> = vec![("__name__=other", 5, 1.0)];
        // Later, earlier and equal ones, each again.
        for (time_ms, value) in [(10, 1.0), (20, 2.0), (5, 3.0), (10, 1.0), (20, 9.0), (5, 3.0), (7, 4.0), (7, 5.0)] {
            sent.extend(names.iter().map(|name| (name.as_str(), time_ms, value)));
        }
        sent.push(("__name__=other", 5, 2.0));
        let appended = store.append_metrics(batch(&store, &tenant, &sent)).await.expect("appended");
        let told = (appended.stored, appended.repeated, appended.conflicts.len(), appended.within.len());
        assert_eq!(told, (4 * series + 1, 2 * series, 2 * series as usize + 1, 2 * series as usize + 1));
        let stored = u64::from(4 * series + 1);
        assert_eq!(counted(&store, &tenant), (stored, stored, u64::from(2 * series + 1), stored));
        store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_batches_at_once_are_stored_once() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    for round in 0..20_i64 {
        let sent = [("__name__=a", 10 + round, 1.0), ("__name__=b", 1000 - round, 2.0)];
        let equal: Vec<_> = (0..8).map(|_| store.append_metrics(batch(&store, &tenant, &sent))).collect();
        let other = [("__name__=a", 10 + round, 3.0)];
        let other = store.append_metrics(batch(&store, &tenant, &other));
        let (equal, other) = tokio::join!(futures_util::future::join_all(equal), other);
        let (mut stored, mut repeated, mut conflicts) = (0, 0, 0);
        for appended in equal.into_iter().chain([other]).map(|appended| appended.expect("appended")) {
            stored += appended.stored;
            repeated += appended.repeated;
            conflicts += appended.conflicts.len();
        }
        assert_eq!(stored, 2);
        // Whoever came first with the sample at the same time, the others say something else.
        assert!((repeated, conflicts) == (14, 1) || (repeated, conflicts) == (7, 8), "{repeated} {conflicts}");
        let (accepted, kept, _, there) = counted(&store, &tenant);
        let expected = 2 * (round as u64 + 1);
        assert_eq!((accepted, kept, there), (expected, expected, expected));
    }
    let before = counted(&store, &tenant);
    let store = reopened(folder.path(), store).await;
    assert_eq!(counted(&store, &tenant), before);
    store.shutdown().await;
}
