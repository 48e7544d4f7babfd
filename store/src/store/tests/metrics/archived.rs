//! Samples in the archive: the same answers with everything here gone, and a table that has each of them.

use std::path::Path;

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use weir_proto::Signal;

use super::{
    super::{archive::archived, files_below, temp_folder},
    still::{StillMetrics, Told},
    *,
};
use crate::{catalog::Stage, lane::metrics, options::StoreOptions, upkeep::archiver};

impl StillMetrics {
    async fn archive(&self) {
        let shared = self.shared().clone();
        let step = move || {
            let archive = shared.archive.clone().expect("there is one");
            while archiver::step(&shared, &archive).expect("archived") {}
        };
        tokio::task::spawn_blocking(step).await.expect("no panic");
    }

    async fn leave(self) {
        let shared = self.shared().clone();
        let release = move || shared.archive.as_ref().expect("there is one").release().expect("released");
        tokio::task::spawn_blocking(release).await.expect("no panic");
        self.close().await;
    }

    fn elsewhere(&self, tenant: &TenantId) -> usize {
        let view = self.shared().views.current();
        view.metrics.segments_of(tenant).iter().filter(|segment| segment.is_archived()).count()
    }
}

/// Two files, each a segment: a series of more samples than a row group has, one of few, histograms.
async fn fill(store: &StillMetrics, tenant: &TenantId) {
    for file in 0..2 {
        let many: Vec<Told<'_>> =
            (0..150).map(|step| ("__name__=a,job=x", file * 1_000_000 + step * 1000, step as f64 / 4.0)).collect();
        store.append(tenant, &many).await;
        let ended = ("__name__=b,job=y,zone=z", file * 1_000_000 + 8, STALE_NAN);
        let mut batch = store.batch(tenant, &[("__name__=b,job=y,zone=z", file * 1_000_000 + 7, -1.5), ended]);
        batch.histograms.push(HistogramSample {
            series: store.shared().registry.series(tenant, &labels("__name__=h")).expect("taken"),
            time_ms: file * 1_000_000 + 9,
            start_ms: 0,
            histogram: histogram(12.0),
        });
        metrics::append(store.shared(), batch).await.expect("appended");
        store.roll().await;
        assert!(store.seal().await);
    }
}

/// The rows of the files below a folder, as text.
fn rows(table: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files_below(table).iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")) {
        if path.components().count() > 1 {
            continue;
        }
        let file = std::fs::File::open(table.join(path)).expect("there");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("readable");
            let told = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
            let told: Vec<String> = told.map(|(name, field)| format!("{name}={field}")).collect();
            rows.push(told.join(" "));
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_answer_from_the_archive_when_everything_here_is_gone() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let tenant = tenant("default");
    let store = StillMetrics::open(archived(folder.path(), bucket.path())).await;
    fill(&store, &tenant).await;
    let (all, tally) = (store.shown(&tenant, &[]), store.tally(&tenant));
    assert_eq!(tally.accepted, 306);
    store.archive().await;
    let known = store.shared().archive.as_ref().expect("there is one").all_known();
    assert_eq!(known.len(), 2);
    assert!(known.iter().all(|segment| segment.stage == Stage::Committed && segment.rows == 153));
    assert_eq!((store.shown(&tenant, &[]), store.elsewhere(&tenant)), (all.clone(), 0));

    let rows = rows(&bucket.path().join("default/samples"));
    assert_eq!(rows.len(), 304);
    let first = rows.iter().find(|row| row.contains("metric=\"b\"")).expect("a row");
    let expected =
        "metric=\"b\" labels={\"job\" -> \"y\", \"zone\" -> \"z\"} time=1970-01-01 00:00:00.007 +00:00 value=-1.5E0";
    assert_eq!(first.replace("000 +00:00", " +00:00").replace("  ", " "), expected);
    let histograms = rows.iter().filter(|row| row.contains("metric=\"h\"") && row.contains("histogram_count=12.0"));
    assert_eq!(histograms.count(), 2);
    let archive = store.shared().archive.clone().expect("there is one");
    let table = archive.open_table(Signal::Metrics, tenant.clone()).await.expect("opens");
    let told: u64 = table.files().values().map(|file| file.rows().expect("told")).sum();
    assert_eq!((table.files().len(), told), (2, 304));
    let stats = table.files().values().next().and_then(|file| file.stats.clone()).expect("told");
    assert!(stats.contains(r#""minValues":{"metric":"a","time":"1970-01-01T00:00:00.000Z"}"#), "{stats}");
    drop((table, archive));
    store.leave().await;

    let anew = temp_folder();
    let store = StillMetrics::open(archived(anew.path(), bucket.path())).await;
    assert_eq!((store.elsewhere(&tenant), store.segments(&tenant)), (2, 2));
    assert_eq!((store.shown(&tenant, &[]), store.tally(&tenant)), (all.clone(), tally.clone()));
    // What comes now goes on top of it, and goes there, too.
    store.append(&tenant, &[("__name__=a,job=x", 5_000_000, 3.0)]).await;
    store.roll().await;
    assert!(store.seal().await);
    store.archive().await;
    let more = store.shown(&tenant, &[]);
    assert!(more.contains("5000000=3") && more.lines().count() == 3, "{more}");
    store.leave().await;
    let store = StillMetrics::open(archived(anew.path(), bucket.path())).await;
    assert_eq!(store.shown(&tenant, &[]), more);
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_leave_the_disk_only_when_the_table_has_them() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let tenant = tenant("default");
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillMetrics::open(options).await;
    fill(&store, &tenant).await;
    let all = store.shown(&tenant, &[]);
    store.store.apply_retention().await;
    assert_eq!((store.segments(&tenant), store.elsewhere(&tenant)), (2, 0), "nothing is in the archive yet");
    store.archive().await;
    let running = store.snapshot();
    store.store.apply_retention().await;
    assert_eq!((store.segments(&tenant), store.elsewhere(&tenant)), (2, 2));
    assert_eq!(store.shown(&tenant, &[]), all);
    assert_eq!(shown(&running, &tenant, &[], ALWAYS), all);
    drop(running);
    assert!(files_below(&folder.path().join("segments/metrics")).is_empty());
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_cannot_be_read_are_missing_only_while_they_cannot() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let tenant = tenant("default");
    let options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let store = StillMetrics::open(options).await;
    fill(&store, &tenant).await;
    let all = store.shown(&tenant, &[]);
    store.archive().await;
    store.store.apply_retention().await;
    let (beside, away) = (bucket.path().join("_weir/segments/metrics"), bucket.path().join("_weir/away"));
    std::fs::rename(&beside, &away).expect("moved");
    let snapshot = store.snapshot();
    assert_ne!(shown(&snapshot, &tenant, &[], ALWAYS), all);
    assert!(snapshot.is_metrics_damaged(&tenant));
    assert!(snapshot.missing().told().iter().any(|told| told.contains(".chunks")), "{:?}", snapshot.missing().told());
    std::fs::rename(&away, &beside).expect("moved back");
    let snapshot = store.snapshot();
    assert_eq!(shown(&snapshot, &tenant, &[], ALWAYS), all);
    assert!(!snapshot.is_metrics_damaged(&tenant), "it is there again");
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_come_back_without_their_manifests() {
    let (folder, bucket) = (temp_folder(), temp_folder());
    let tenant = tenant("default");
    let store = StillMetrics::open(archived(folder.path(), bucket.path())).await;
    fill(&store, &tenant).await;
    let (all, tally) = (store.shown(&tenant, &[]), store.tally(&tenant));
    store.archive().await;
    store.leave().await;
    let beside = bucket.path().join("_weir/segments/metrics/default");
    for file in files_below(&beside).iter().filter(|file| file.extension().is_some_and(|end| end == "json")) {
        std::fs::remove_file(beside.join(file)).expect("removed");
    }
    let anew = temp_folder();
    let store = StillMetrics::open(archived(anew.path(), bucket.path())).await;
    assert_eq!((store.shown(&tenant, &[]), store.tally(&tenant)), (all, tally));
    store.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_neighbours_of_samples_become_one_in_the_archive() {
    let (folder, bucket, beside) = (temp_folder(), temp_folder(), temp_folder());
    let tenant = tenant("default");
    let mut options = StoreOptions { size_bytes_max: Some(0), ..archived(folder.path(), bucket.path()) };
    let of_archive = options.archive.as_mut().expect("there is one");
    of_archive.segment_bytes_min = u64::MAX / 8;
    of_archive.segment_age_max = std::time::Duration::ZERO;
    let store = StillMetrics::open(options).await;
    let never = StillMetrics::open(super::super::options(beside.path())).await;
    for file in 0..5 {
        let samples: Vec<Told<'_>> =
            (0..20).map(|step| ("__name__=a,job=x", file * 100_000 + step * 1000, 0.5)).collect();
        for each in [&store, &never] {
            each.append(&tenant, &samples).await;
            each.append(&tenant, &[("__name__=b", file * 100_000, 1.0)]).await;
            each.roll().await;
            assert!(each.seal().await);
        }
        store.archive().await;
        store.store.apply_retention().await;
        store.archive().await;
        assert_eq!(store.shown(&tenant, &[]), never.shown(&tenant, &[]), "file {file}");
    }
    assert!(store.elsewhere(&tenant) < 4, "{} segments", store.elsewhere(&tenant));
    let archive = store.shared().archive.clone().expect("there is one");
    let table = archive.open_table(Signal::Metrics, tenant.clone()).await.expect("opens");
    let told: u64 = table.files().values().map(|file| file.rows().expect("told")).sum();
    assert_eq!((table.files().len(), told), (store.elsewhere(&tenant), 5 * 21));
    drop((table, archive));
    let tally = store.tally(&tenant);
    store.leave().await;
    never.close().await;
    let anew = temp_folder();
    let store = StillMetrics::open(archived(anew.path(), bucket.path())).await;
    assert_eq!(store.tally(&tenant), tally);
    store.leave().await;
}
