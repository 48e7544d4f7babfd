//! What is stored gives the answers that the same samples in memory give.

use std::time::Duration;

use weir_proto::time::Clock;
use weir_store::{FloatSample, HistogramSample as StoredHistogram, MetricsBatch, Store, StoreOptions};

use super::*;
use crate::promql::{
    engine::{self, Options, Times, Unstopped},
    script::{self, Loaded},
};

const OPTIONS: Options =
    Options { lookback_ms: 300_000, subquery_step_ms: 60_000, samples_max: 1_000_000, bytes_max: 1 << 26, threads: 2 };

const SAMPLES: &str = "load 15s
  http_requests_total{job=\"api\", code=\"200\"} 0+10x100 0+1x100
  http_requests_total{job=\"api\", code=\"500\"} 5+1x200
  http_requests_total{job=\"web\", code=\"200\"} 0+3x50 stale _x20 0+3x100
  aware_total@st _ _ -10s -70s -130s
  aware_total 1 2 3 4 5
  {\"http.requests\", \"net.peer\"=\"a\"} NaN 1 Inf -Inf 0x10
  spread {{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.5 buckets:[1 2]}}+{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.5 buckets:[1 2]}}x100
  custom {{schema:-53 sum:5 count:4 custom_values:[1 2] buckets:[1 2 1]}}+{{schema:-53 sum:1 count:1 custom_values:[1 2] buckets:[0 1 0]}}x100
";

const QUERIES: &[&str] = &[
    "{__name__=~\".+\"}",
    "http_requests_total{code!=\"500\"}",
    "{job=~\"a.*|w.*\", nothing=\"\"}",
    "rate(http_requests_total[5m])",
    "sum by (job) (increase(http_requests_total[2m])) / 120",
    "increase(aware_total[2m])",
    "{\"http.requests\"}",
    "rate(spread[1m])",
    "histogram_quantile(0.9, custom)",
    "count_over_time({job=\"web\"}[10m])",
    "absent(nothing)",
];

/// Appends what is in memory: the samples of one time after those of the time before.
async fn store_of(loaded: &Loaded, tenant: &TenantId, folder: &tempfile::TempDir) -> Store {
    let options = StoreOptions {
        free_bytes_min: 0,
        commit_delay_max: Duration::ZERO,
        retention_traces: None,
        ..StoreOptions::new(folder.path())
    };
    let now_ns = 7_200_000_000_000;
    let store = Store::open(options, None, Clock::fixed(now_ns)).await.expect("opens");
    let mut batches = std::collections::BTreeMap::new();
    for one in loaded.select(&[], i64::MIN, i64::MAX).expect("series") {
        let series = store.series(tenant, one.labels()).expect("a series");
        let mut samples = Samples::default();
        one.read(i64::MIN, i64::MAX, &mut samples).expect("samples");
        let mut batch = |time_ms: i64, add: &mut dyn FnMut(&mut MetricsBatch)| {
            add(batches.entry(time_ms).or_insert_with(|| MetricsBatch::new(tenant.clone(), now_ns)));
        };
        for (at, (&time_ms, &value)) in samples.times.iter().zip(&samples.values).enumerate() {
            let start_ms = samples.starts.get(at).copied().unwrap_or(0);
            let series = series.clone();
            batch(time_ms, &mut |batch| {
                batch.floats.push(FloatSample { series: series.clone(), time_ms, start_ms, value });
            });
        }
        for HistogramSample { time_ms, start_ms, histogram } in samples.histograms {
            let series = series.clone();
            batch(time_ms, &mut |batch| {
                let histogram = Box::new(weir_proto::metrics::Histogram::clone(&histogram));
                batch.histograms.push(StoredHistogram { series: series.clone(), time_ms, start_ms, histogram });
            });
        }
    }
    for batch in batches.into_values() {
        let count = batch.floats.len() + batch.histograms.len();
        let appended = store.append_metrics(batch).await.expect("appended");
        assert_eq!((appended.stored as usize, appended.conflicts.len()), (count, 0));
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_samples_give_the_same_answers() {
    let loaded = script::loaded(SAMPLES);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tenant = TenantId::default();
    let store = store_of(&loaded, &tenant, &folder).await;
    let snapshot = store.snapshot();
    let stored = Stored { snapshot: &snapshot, tenant: &tenant };
    for query in QUERIES {
        for (start_ms, end_ms, step_ms) in [(0, 3_000_000, 7_000), (-600_000, 7_000_000, 61_000), (600_000, 600_000, 1)]
        {
            let times = Times { start_ms, end_ms, step_ms };
            let here = engine::range(&loaded, query, times, &OPTIONS, &Unstopped).expect("an answer").value;
            let there = engine::range(&stored, query, times, &OPTIONS, &Unstopped).expect("an answer").value;
            assert_eq!(format!("{there:?}"), format!("{here:?}"), "{query}");
        }
    }
    let raw = "{__name__=~\".+\"}[2h]";
    let here = engine::instant(&loaded, raw, 3_600_000, &OPTIONS, &Unstopped).expect("an answer").value;
    let there = engine::instant(&stored, raw, 3_600_000, &OPTIONS, &Unstopped).expect("an answer").value;
    assert_eq!(format!("{there:?}"), format!("{here:?}"));

    let names = stored.label_names(&[], 0, 3_600_000).expect("names");
    assert_eq!(names, ["__name__", "code", "job", "net.peer"]);
    assert_eq!(stored.label_values("job", &[], 0, 3_600_000).expect("values"), ["api", "web"]);
    assert!(stored.metadata().expect("metadata").is_empty());
    assert!(stored.exemplars(&[], 0, 3_600_000).expect("exemplars").is_empty());
    let other = TenantId::new("other").expect("a name");
    let of_other = Stored { snapshot: &snapshot, tenant: &other };
    assert!(of_other.select(&[], i64::MIN, i64::MAX).expect("series").is_empty());
    store.shutdown().await;
}
