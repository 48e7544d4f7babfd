//! Samples on their way from file to segment to larger segment: the same answers all along.

use weir_proto::metrics::{Exemplar, MatchOp, Metadata, MetricType};

use super::{
    super::{options, temp_folder},
    still::StillMetrics,
    *,
};
use crate::{lane::metrics, note::Note};

/// One file's worth: two series go on, one is new, one sample is late.
async fn fill(store: &StillMetrics, tenant: &TenantId, file: i64) {
    let base = file * 10_000;
    for step in 0..4 {
        let time_ms = base + step * 1000;
        let new = format!("__name__=c,file={file}");
        let samples =
            [("__name__=a,job=x", time_ms, step as f64), ("__name__=b,job=y", time_ms, 7.5), (&*new, time_ms, 0.1)];
        store.append(tenant, &samples).await;
    }
    store.append(tenant, &[("__name__=a,job=x", base - 500, -1.0)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_the_same_from_file_to_segment() {
    let folder = temp_folder();
    let mut store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    for file in 0..5 {
        fill(&store, &tenant, file).await;
        store.roll().await;
    }
    let all = store.shown(&tenant, &[]);
    assert_eq!(all.lines().count(), 7);
    let (from_ms, to_ms) = (9000, 20_999);
    let part = shown(&store.snapshot(), &tenant, &[], (from_ms, to_ms));
    let tally = store.tally(&tenant);
    assert_eq!((tally.accepted, tally.kept), (65, 65));
    let held = store.snapshot();
    let same = |store: &StillMetrics, what: &str| {
        assert_eq!(store.shown(&tenant, &[]), all, "{what}");
        assert_eq!(shown(&store.snapshot(), &tenant, &[], (from_ms, to_ms)), part, "{what}");
        assert_eq!(store.tally(&tenant), tally, "{what}");
        let values = |matchers: &[LabelMatcher], name: &str| {
            store.snapshot().label_values(&tenant, name, matchers, i64::MIN, i64::MAX).expect("readable").join(",")
        };
        assert_eq!(values(&[], "__name__"), "a,b,c", "{what}");
        assert_eq!(values(&named("c"), "file"), "0,1,2,3,4", "{what}");
        assert_eq!(values(&[matcher("job", MatchOp::Matches, "x|z")], "__name__"), "a", "{what}");
        let names = store.snapshot().label_names(&tenant, &named("c"), i64::MIN, i64::MAX).expect("readable");
        assert_eq!(names, ["__name__", "file"], "{what}");
        let without = store.shown(&tenant, &[matcher("job", MatchOp::Equal, "")]);
        assert_eq!(without.lines().count(), 5, "{what}");
        assert_eq!(shown(&held, &tenant, &[], ALWAYS), all, "a snapshot from before: {what}");
    };
    same(&store, "in the head");
    for file in 0..3 {
        assert!(store.seal().await);
        same(&store, &format!("file {file} is sealed"));
    }
    store.merge_all(&tenant).await;
    assert_eq!(store.segments(&tenant), 1);
    same(&store, "the first three are merged");
    while store.seal().await {}
    assert_eq!(store.segments(&tenant), 3);
    same(&store, "all are sealed");
    store.merge_all(&tenant).await;
    assert_eq!(store.segments(&tenant), 1);
    same(&store, "all are merged");
    drop(held);
    let held = store.snapshot();
    for life in 0..2 {
        store.close().await;
        store = StillMetrics::open(options(folder.path())).await;
        assert_eq!((store.shown(&tenant, &[]), store.tally(&tenant)), (all.clone(), tally.clone()), "life {life}");
        assert_eq!(store.shared().registry.series_count(), 0, "nothing is in the head");
    }
    drop(held);
    fill(&store, &tenant, 5).await;
    assert_eq!(store.shown(&tenant, &[]).lines().count(), 8);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_leave_memory_with_their_samples_unless_they_are_held() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    let held = store.shared().registry.series(&tenant, &labels("__name__=a,job=x")).expect("taken");
    fill(&store, &tenant, 0).await;
    store.roll().await;
    let old = store.snapshot();
    assert!(store.seal().await);
    assert_eq!(store.shared().registry.series_count(), 3, "a snapshot from before is held");
    drop(old);
    assert!(!store.seal().await);
    assert_eq!(store.shared().registry.series_count(), 1, "one is held");
    assert_eq!(store.shared().registry.series(&tenant, &labels("__name__=a,job=x")), Ok(held.clone()));
    store.append(&tenant, &[("__name__=b,job=y", 20_000, 1.0)]).await;
    assert_eq!(store.shown(&tenant, &named("b")), "b{job=\"y\"} 0=7.5 1000=7.5 2000=7.5 3000=7.5 20000=1\n");
    drop(held);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_is_sealed_and_comes_again_counts_once() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    store.append(&tenant, &[("__name__=a", 1000, 1.0), ("__name__=a", 2000, 2.0)]).await;
    store.roll().await;
    while store.seal().await {}
    store.append(&tenant, &[("__name__=a", 2000, 3.0), ("__name__=a", 1500, 4.0)]).await;
    let expected = "a 1000=1 1500=4 2000=2\n";
    assert_eq!(store.shown(&tenant, &[]), expected);
    store.roll().await;
    while store.seal().await {}
    assert_eq!(store.shown(&tenant, &[]), expected);
    store.merge_all(&tenant).await;
    assert_eq!(store.shown(&tenant, &[]), expected);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exemplars_and_families_go_into_segments() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    let family = Metadata { family: "a".into(), metric_type: MetricType::Counter, unit: "s".into(), help: "A.".into() };
    let exemplar = |time_ms| Exemplar { labels: labels("trace_id=0af7"), value: 0.5, time_ms };
    for file in 0..2 {
        let mut batch = store.batch(&tenant, &[("__name__=a", 1000 * file, 1.0)]);
        batch.exemplars = vec![(batch.floats[0].series.clone(), exemplar(1000 * file + 1))];
        if file == 0 {
            batch.metadata = vec![family.clone()];
        }
        metrics::append(store.shared(), batch).await.expect("appended");
        store.roll().await;
        assert!(store.seal().await);
    }
    store.merge_all(&tenant).await;
    let all = [(labels("__name__=a"), vec![exemplar(1), exemplar(1001)])];
    let asked =
        |store: &StillMetrics, to_ms| store.snapshot().exemplars(&tenant, &named("a"), 0, to_ms).expect("readable");
    assert_eq!(asked(&store, 2000), all);
    assert_eq!(asked(&store, 1000)[0].1, [exemplar(1)]);
    store.close().await;
    let store = StillMetrics::open(options(folder.path())).await;
    assert_eq!(asked(&store, 2000), all);
    assert_eq!(store.snapshot().metric_metadata(&tenant).expect("readable"), [family]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histograms_keep_when_counting_began() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    for (file, start_ms) in [(0_i64, 0), (1, 50), (2, 50)] {
        let mut batch = store.batch(&tenant, &[("__name__=f", 1000 * file, 1.0)]);
        let series = store.shared().registry.series(&tenant, &labels("__name__=h")).expect("taken");
        batch.histograms = (0..2)
            .map(|n| HistogramSample {
                series: series.clone(),
                time_ms: 1000 * file + n,
                start_ms,
                histogram: Box::new(Histogram { count: file as f64, ..Histogram::default() }),
            })
            .collect();
        metrics::append(store.shared(), batch).await.expect("appended");
        store.roll().await;
    }
    let expected = "h 0:0 1:0 1000:1@50 1001:1@50 2000:2@50 2001:2@50\n";
    assert_eq!(store.shown(&tenant, &named("h")), expected);
    while store.seal().await {}
    assert_eq!(store.shown(&tenant, &named("h")), expected, "sealed");
    store.merge_all(&tenant).await;
    assert_eq!(store.shown(&tenant, &named("h")), expected, "merged");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exemplars_and_families_have_their_limits() {
    let folder = temp_folder();
    let limits = StoreOptions { exemplars_max: 2, metric_families_max: 1, ..options(folder.path()) };
    let mut store = StillMetrics::open(limits.clone()).await;
    let tenant = tenant("default");
    let family = |name: &str| Metadata {
        family: name.into(),
        metric_type: MetricType::Counter,
        unit: String::new(),
        help: String::new(),
    };
    let mut batch = store.batch(&tenant, &[("__name__=a", 1000, 1.0)]);
    let exemplar = |time_ms| Exemplar { labels: labels("trace_id=0af7"), value: 0.5, time_ms };
    batch.exemplars = (0..4).map(|time_ms| (batch.floats[0].series.clone(), exemplar(time_ms))).collect();
    batch.metadata = vec![family("a"), family("b")];
    metrics::append(store.shared(), batch).await.expect("appended");
    for life in 0..2 {
        let found = store.snapshot().exemplars(&tenant, &[], 0, 1000).expect("readable");
        assert_eq!(found[0].1, [exemplar(0), exemplar(1)], "life {life}");
        assert_eq!(store.snapshot().metric_metadata(&tenant).expect("readable"), [family("a")], "life {life}");
        store.close().await;
        store = StillMetrics::open(limits.clone()).await;
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_has_its_limit() {
    let folder = temp_folder();
    let store = open(StoreOptions { series_per_job_max: 1, ..options(folder.path()) }).await;
    let tenant = tenant("default");
    let known = store.series(&tenant, &labels("__name__=a,job=x")).expect("taken");
    let refused = store.series(&tenant, &labels("__name__=b,job=x")).expect_err("too many");
    assert_eq!(refused.to_string(), "the job \"x\" has 1 series, no more are taken (storage.series_per_job_max)");
    assert_eq!(store.series(&tenant, &labels("__name__=a,job=x")), Ok(known));
    store.series(&tenant, &labels("__name__=b,job=y")).expect("another job's");
    store.series(&tenant, &labels("__name__=b")).expect("no job's");
    store.series(&tenant, &labels("__name__=c")).expect("no job's");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_memory_is_counted() {
    let folder = temp_folder();
    let store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    fill(&store, &tenant, 1).await;
    let counted = store.snapshot().series_statistics(&tenant, 2);
    assert_eq!((counted.series, counted.label_pairs, counted.chunks, counted.time_ms), (3, 6, 3, (9500, 13_000)));
    let list = |list: &[(&str, u64)]| list.iter().map(|&(name, count)| (name.to_owned(), count)).collect::<Vec<_>>();
    assert_eq!(counted.series_by_metric, list(&[("a", 1), ("b", 1)]));
    assert_eq!(counted.values_by_label, list(&[("__name__", 3), ("job", 2)]));
    assert_eq!(counted.bytes_by_label, list(&[("__name__", 3), ("job", 2)]));
    assert_eq!(counted.series_by_pair, list(&[("__name__=a", 1), ("__name__=b", 1)]));
    assert_eq!(store.snapshot().series_statistics(&TenantId::new("other").expect("a name"), 2).series, 0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_only_new_series_are_refused() {
    let folder = temp_folder();
    let store = open(StoreOptions { series_max: 2, ..options(folder.path()) }).await;
    let (one, other) = (tenant("one"), tenant("other"));
    let first = store.series(&one, &labels("__name__=a")).expect("taken");
    let second = store.series(&one, &labels("__name__=b")).expect("taken");
    let refused = store.series(&one, &labels("__name__=c")).expect_err("too many");
    assert_eq!(refused.to_string(), "the tenant has 2 series, no more are taken (storage.series_max)");
    assert_eq!(store.series(&one, &labels("__name__=a")), Ok(first));
    store.series(&other, &labels("__name__=c")).expect("another tenant's");
    drop(second);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_lets_go_of_segments_by_their_newest_sample() {
    let folder = temp_folder();
    let options = StoreOptions { retention_metrics: Some(Duration::from_secs(3600)), ..options(folder.path()) };
    let store = StillMetrics::open(options).await;
    let tenant = tenant("default");
    let now_ms = (clock().now_ns() / 1_000_000) as i64;
    for (name, age_ms) in [("__name__=old", 3_601_000), ("__name__=new", 3_599_000)] {
        store.append(&tenant, &[(name, now_ms - age_ms, 1.0)]).await;
        store.roll().await;
        assert!(store.seal().await);
    }
    store.store.apply_retention().await;
    assert_eq!((store.segments(&tenant), store.shown(&tenant, &named("old"))), (1, String::new()));
    assert_eq!(store.shown(&tenant, &named("new")).lines().count(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_stand_in_journal_segment_and_larger_segment() {
    let folder = temp_folder();
    let mut store = StillMetrics::open(options(folder.path())).await;
    let tenant = tenant("default");
    let note = |name: &str, bytes: &str| Note { name: name.into(), bytes: bytes.to_owned().into() };
    let mut expected = Vec::new();
    for file in 0..4_i64 {
        let mut batch = store.batch(&tenant, &[("__name__=a", 1000 * file, 1.0)]);
        batch.notes = match file {
            0 => vec![note("x", "0"), note("y", "0"), note("z", "0")],
            1 => vec![note("x", "1"), note("y", "")],
            _ => Vec::new(),
        };
        metrics::append(store.shared(), batch).await.expect("appended");
        expected = if file == 0 {
            vec![note("x", "0"), note("y", "0"), note("z", "0")]
        } else {
            vec![note("x", "1"), note("z", "0")]
        };
        assert_eq!(store.shared().registry.tenant(&tenant).notes(), expected);
        store.close().await;
        store = StillMetrics::open(options(folder.path())).await;
        assert_eq!(store.shared().registry.tenant(&tenant).notes(), expected, "file {file}, from the journal");
        store.roll().await;
        while store.seal().await {}
        store.close().await;
        store = StillMetrics::open(options(folder.path())).await;
        assert_eq!(store.shared().registry.tenant(&tenant).notes(), expected, "file {file}, from its segment");
    }
    store.merge_all(&tenant).await;
    store.close().await;
    store = StillMetrics::open(options(folder.path())).await;
    assert_eq!(store.shared().registry.tenant(&tenant).notes(), expected, "from a merged segment");
    store.close().await;
}
