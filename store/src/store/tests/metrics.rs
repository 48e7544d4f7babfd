//! Samples in, samples out: in the head, after stops, across files, sealed and merged.

mod archived;
mod damage;
mod hammer;
mod model;
mod power;
mod sealing;
mod still;
mod twins;

use weir_proto::metrics::{
    BucketSpan, Exemplar, Histogram, LabelMatcher, Labels, MatchOp, Metadata, MetricType, STALE_NAN,
};

use super::{spans::tenant, *};
use crate::{
    lane::metrics::{FloatSample, HistogramSample, MetricsBatch, SampleIndex},
    ledger::Tally,
    reject::RejectReason,
    samples::{SeriesSamples, TimedHistogram},
    snapshot::asked::Snapshot,
};

pub(super) fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').expect("name=value"));
    Labels::new(pairs).expect("a set")
}

pub(super) fn matcher(name: &str, op: MatchOp, value: &str) -> LabelMatcher {
    LabelMatcher { name: name.into(), op, value: value.into() }
}

pub(super) fn named(name: &str) -> Vec<LabelMatcher> {
    vec![matcher("__name__", MatchOp::Equal, name)]
}

/// A batch of floats: series, time, value.
pub(super) fn batch(store: &Store, tenant: &TenantId, samples: &[(&str, i64, f64)]) -> MetricsBatch {
    let mut batch = MetricsBatch::new(tenant.clone(), clock().now_ns());
    batch.floats = samples
        .iter()
        .map(|&(series, time_ms, value)| FloatSample {
            series: store.series(tenant, &labels(series)).expect("taken"),
            time_ms,
            start_ms: 0,
            value,
        })
        .collect();
    batch
}

/// Everything of the series that match, as text.
pub(super) fn shown(snapshot: &Snapshot, tenant: &TenantId, matchers: &[LabelMatcher], range: (i64, i64)) -> String {
    let mut text = String::new();
    for series in snapshot.series(tenant, matchers, range.0, range.1).expect("readable") {
        let mut samples = SeriesSamples::default();
        series.read(range.0, range.1, &mut samples).expect("readable");
        text.push_str(&format!("{}", series.labels()));
        for (index, (time_ms, value)) in samples.times_ms.iter().zip(&samples.values).enumerate() {
            let start = samples.start_ms.get(index).filter(|start| **start != 0);
            text.push_str(&format!(" {time_ms}={value}{}", start.map_or(String::new(), |start| format!("@{start}"))));
        }
        for TimedHistogram { time_ms, start_ms, histogram } in &samples.histograms {
            let start = if *start_ms == 0 { String::new() } else { format!("@{start_ms}") };
            text.push_str(&format!(" {time_ms}:{}{start}", histogram.count));
        }
        text.push('\n');
    }
    text
}

pub(super) const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_are_visible_once_they_are_acknowledged() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let before = store.snapshot();
    let first = batch(&store, &tenant, &[("__name__=up,job=a", 1000, 1.0), ("__name__=up,job=b", 1000, 0.0)]);
    let appended = store.append_metrics(first).await.expect("appended");
    assert_eq!((appended.stored, appended.repeated), (2, 0));
    let between = store.snapshot();
    let second =
        [("__name__=up,job=a", 2000, 1.0), ("__name__=up,job=a", 500, 7.0), ("__name__=down,job=b", 2000, 3.0)];
    store.append_metrics(batch(&store, &tenant, &second)).await.expect("appended");
    let after = store.snapshot();
    assert_eq!(shown(&before, &tenant, &named("up"), ALWAYS), "");
    assert_eq!(shown(&between, &tenant, &[], ALWAYS), "up{job=\"a\"} 1000=1\nup{job=\"b\"} 1000=0\n");
    let all = "down{job=\"b\"} 2000=3\nup{job=\"a\"} 500=7 1000=1 2000=1\nup{job=\"b\"} 1000=0\n";
    assert_eq!(shown(&after, &tenant, &[], ALWAYS), all);
    assert_eq!(shown(&after, &tenant, &named("up"), (600, 1000)), "up{job=\"a\"} 1000=1\nup{job=\"b\"} 1000=0\n");
    assert_eq!(after.label_names(&tenant, &[], i64::MIN, i64::MAX).expect("readable"), ["__name__", "job"]);
    let values = |matchers: &[LabelMatcher], range: (i64, i64)| {
        after.label_values(&tenant, "job", matchers, range.0, range.1).expect("readable").join(",")
    };
    assert_eq!((&*values(&[], ALWAYS), &*values(&named("down"), ALWAYS), &*values(&[], (400, 600))), ("a,b", "b", "a"));
    let tally = after.ledger().metrics[&tenant].clone();
    assert_eq!(tally, Tally { accepted: 5, kept: 5, ..Tally::default() });
    assert_eq!(between.ledger().metrics[&tenant].accepted, 2);
    store.shutdown().await;
    drop(store);
    let store = open(options(folder.path())).await;
    assert_eq!(shown(&store.snapshot(), &tenant, &[], ALWAYS), all);
    assert_eq!(store.snapshot().ledger().metrics[&tenant], tally);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_the_same_of_a_float_and_a_histogram_counts() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let histogram = |time_ms: i64, series: &str| HistogramSample {
        series: store.series(&tenant, &labels(series)).expect("taken"),
        time_ms,
        start_ms: 0,
        histogram: Box::new(Histogram { count: time_ms as f64, ..Histogram::default() }),
    };
    // In one frame floats come first; a later frame comes too late whatever it brings.
    let mut both = batch(&store, &tenant, &[("__name__=a", 1, 1.0), ("__name__=b", 3, 3.0)]);
    both.histograms = vec![histogram(1, "__name__=a"), histogram(2, "__name__=a"), histogram(1, "__name__=b")];
    assert_eq!(store.append_metrics(both).await.expect("appended").conflicts, [SampleIndex::Histogram(0)]);
    let late = batch(&store, &tenant, &[("__name__=a", 3, 3.0), ("__name__=b", 2, 2.0)]);
    store.append_metrics(late).await.expect("appended");
    let all = "a 1=1 3=3 2:2\nb 2=2 3=3 1:1\n";
    assert_eq!(shown(&store.snapshot(), &tenant, &[], ALWAYS), all);
    store.shutdown().await;
    drop(store);
    let store = open(options(folder.path())).await;
    assert_eq!(shown(&store.snapshot(), &tenant, &[], ALWAYS), all);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_a_time_counts() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let first =
        [("__name__=a", 1000, 1.0), ("__name__=a", 1000, 2.0), ("__name__=a", 1000, 1.0), ("__name__=a", 2000, 2.0)];
    let appended = store.append_metrics(batch(&store, &tenant, &first)).await.expect("appended");
    assert_eq!((appended.stored, appended.repeated, appended.conflicts), (2, 1, vec![SampleIndex::Float(1)]));
    let again = [
        ("__name__=a", 1000, 1.0),
        ("__name__=b", 1000, 2.0),
        ("__name__=a", 2000, f64::NAN),
        ("__name__=a", 1500, 3.0),
    ];
    let mut again = batch(&store, &tenant, &again);
    again.rejected.push((RejectReason::TooOld, 3));
    let appended = store.append_metrics(again).await.expect("appended");
    assert_eq!((appended.stored, appended.repeated, appended.conflicts), (2, 1, vec![SampleIndex::Float(2)]));
    let expected = "a 1000=1 1500=3 2000=2\nb 1000=2\n";
    assert_eq!(shown(&store.snapshot(), &tenant, &[], ALWAYS), expected);
    let tally = store.snapshot().ledger().metrics[&tenant].clone();
    assert_eq!((tally.accepted, tally.rejected["conflict"], tally.rejected["too_old"]), (4, 2, 3));
    store.shutdown().await;
    drop(store);
    let store = open(options(folder.path())).await;
    assert_eq!(shown(&store.snapshot(), &tenant, &[], ALWAYS), expected);
    assert_eq!(store.snapshot().ledger().metrics[&tenant], tally);
    store.shutdown().await;
}

fn histogram(count: f64) -> Box<Histogram> {
    Box::new(Histogram {
        count,
        sum: count * 2.5,
        positive_spans: vec![BucketSpan { offset: 1, length: 1 }],
        positive_counts: vec![count],
        ..Histogram::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_comes_back_too() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    let mut sent = batch(
        &store,
        &tenant,
        &[("__name__=a", 1000, STALE_NAN), ("__name__=a", 2000, 5.0), ("__name__=a", 3000, 6.0)],
    );
    sent.floats[1].start_ms = 1500;
    sent.floats[2].start_ms = 1500;
    let series = store.series(&tenant, &labels("__name__=h")).expect("taken");
    for (time_ms, count) in [(1000, 1.0), (2000, 2.0), (2000, 3.0)] {
        let histogram = histogram(count);
        sent.histograms.push(HistogramSample { series: series.clone(), time_ms, start_ms: 0, histogram });
    }
    let exemplar = Exemplar { labels: labels("trace_id=0af7"), value: 0.5, time_ms: 1999 };
    sent.exemplars = vec![(series.clone(), exemplar.clone()), (series.clone(), exemplar.clone())];
    let family = Metadata {
        family: "a".into(),
        metric_type: MetricType::Counter,
        unit: String::new(),
        help: "What it is.".into(),
    };
    sent.metadata = vec![family.clone()];
    let appended = store.append_metrics(sent).await.expect("appended");
    assert_eq!(appended.conflicts, [SampleIndex::Histogram(2)]);
    drop(series);
    let mut first_life = Some(store);
    for _ in 0..3 {
        let store = match first_life.take() {
            Some(store) => store,
            None => open(options(folder.path())).await,
        };
        let snapshot = store.snapshot();
        assert_eq!(shown(&snapshot, &tenant, &[], ALWAYS), "a 1000=NaN 2000=5@1500 3000=6@1500\nh 1000:1 2000:2\n");
        assert_eq!(snapshot.metric_metadata(&tenant).expect("readable"), std::slice::from_ref(&family));
        let exemplars = snapshot.exemplars(&tenant, &named("h"), 1000, 3000).expect("readable");
        assert_eq!(exemplars, [(labels("__name__=h"), vec![exemplar.clone()])]);
        assert_eq!(snapshot.exemplars(&tenant, &named("a"), 1000, 3000).expect("readable"), []);
        let mut samples = SeriesSamples::default();
        snapshot.series(&tenant, &named("a"), 0, 9999).expect("readable")[0].read(0, 9999, &mut samples).expect("read");
        assert_eq!(samples.values[0].to_bits(), STALE_NAN.to_bits());
        snapshot.series(&tenant, &named("h"), 0, 9999).expect("readable")[0].read(0, 9999, &mut samples).expect("read");
        assert_eq!(samples.histograms[1].histogram, histogram(2.0));
        store.shutdown().await;
    }
}
