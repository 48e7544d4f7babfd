//! Requests in JSON, and the samples that they come to.

mod twice;

use serde_json::{Value, json};
use weir_proto::{
    Signal, TenantId,
    metrics::is_stale,
    otlp::{
        Limits,
        json::{TranscodeLimits, transcode_request},
    },
    time::Clock,
};
use weir_store::{Store, StoreOptions};

use super::{DeltaForm, MetricsConfig, MetricsIntake, Translated, TranslationStrategy};
use crate::samples::{AcceptWindow, SampleDoor};

const NOW_NS: u64 = 1_800_000_000_000_000_000;

struct Bench {
    intake: MetricsIntake,
    _folder: tempfile::TempDir,
}

async fn bench(change: impl FnOnce(&mut MetricsConfig)) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(StoreOptions::new(folder.path()), None, Clock::fixed(NOW_NS)).await.expect("a new store");
    let mut config = MetricsConfig::default();
    change(&mut config);
    Bench { intake: MetricsIntake::new(config, SampleDoor::new(&store, AcceptWindow::default())), _folder: folder }
}

impl Bench {
    fn translate(&self, metrics: &Value, resource: &Value) -> Translated {
        let request = json!({"resourceMetrics": [{
            "resource": {"attributes": resource},
            "scopeMetrics": [{"scope": {"name": "lib", "version": "1"}, "metrics": metrics}]
        }]});
        let limits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 20 };
        let payload = transcode_request(Signal::Metrics, request.to_string().as_bytes(), limits).expect("JSON").payload;
        let limits = Limits { depth_max: 64, attributes_max: 100, span_bytes_max: 1 << 20 };
        self.intake.translate(TenantId::default(), payload.into(), NOW_NS, limits).expect("well formed")
    }

    /// A line for each sample.
    fn lines(&self, metrics: &Value, resource: &Value) -> Vec<String> {
        let batch = self.translate(metrics, resource).batch;
        let mut lines = Vec::new();
        for sample in &batch.floats {
            let value = if is_stale(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
            let start = if sample.start_ms == 0 { String::new() } else { format!(" since {}", sample.start_ms) };
            lines.push(format!("{} {value} @{}{start}", sample.series.labels(), sample.time_ms));
        }
        for sample in &batch.histograms {
            let histogram = &sample.histogram;
            lines.push(format!(
                "{} schema {} count {} sum {} {:?} @{}",
                sample.series.labels(),
                histogram.schema,
                histogram.count,
                histogram.sum,
                histogram.positive_counts,
                sample.time_ms
            ));
        }
        for (series, exemplar) in &batch.exemplars {
            lines.push(format!("{} # {} {}", series.labels(), exemplar.labels, exemplar.value));
        }
        lines
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn sum(points: &Value, temporality: u32, is_monotonic: bool) -> Value {
    json!([{"name": "a.b", "unit": "s", "description": "words", "sum": {
        "dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": is_monotonic
    }}])
}

#[tokio::test]
async fn numbers_get_names_labels_and_a_target() {
    let bench = bench(|_| ()).await;
    let points = json!([{
        "attributes": [text("x.y", "1"), text("x_y", "2"), text("job", "own"), text("empty", ""),
                       {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b\""}]}}}],
        "startTimeUnixNano": "1000000", "timeUnixNano": "5000000", "asInt": "7",
        "exemplars": [{"timeUnixNano": "4000000", "asDouble": 0.5, "traceId": "0102030405060708090a0b0c0d0e0f10",
                       "filteredAttributes": [text("k.l", "v")]}]
    }]);
    let resource = json!([
        text("service.name", "shop"),
        text("service.namespace", "eu"),
        text("service.instance.id", "i1"),
        text("host.name", "h")
    ]);
    assert_eq!(
        bench.lines(&sum(&points, 2, true), &resource),
        [
            r#"a_b_seconds_total{instance="i1", job="eu/shop", list="[1,\"b\\\"\"]", x_y="1;2"} 7 @5 since 1"#,
            r#"target_info{host_name="h", instance="i1", job="eu/shop"} 1 @5"#,
            r#"a_b_seconds_total{instance="i1", job="eu/shop", list="[1,\"b\\\"\"]", x_y="1;2"} # {k.l="v", trace_id="0102030405060708090a0b0c0d0e0f10"} 0.5"#,
        ]
    );
    let metadata = bench.translate(&sum(&points, 2, true), &resource).batch.metadata;
    assert_eq!(
        (
            metadata[0].family.as_str(),
            metadata[0].metric_type.name(),
            metadata[0].unit.as_str(),
            metadata[0].help.as_str()
        ),
        ("a_b_seconds_total", "counter", "seconds", "words")
    );
    let nothing = json!([{"timeUnixNano": "5000000", "flags": 1}]);
    assert_eq!(bench.lines(&sum(&nothing, 2, false), &json!([])), ["a_b_seconds stale @5"]);
}

#[tokio::test]
async fn prometheus_own_keys() {
    let points = json!([{"attributes": [text("x.y", "1")], "timeUnixNano": "5000000", "asDouble": 1.5}]);
    let metrics = json!([{"name": "a.b", "unit": "1", "gauge": {"dataPoints": points}}]);
    let resource = json!([text("service.name", "shop"), text("host.name", "h")]);
    let with = async |change: fn(&mut MetricsConfig)| bench(change).await.lines(&metrics, &resource);
    let lines = with(|config| config.translation_strategy = TranslationStrategy::NoTranslation).await;
    assert_eq!(lines[0], r#"a.b{job="shop", x.y="1"} 1.5 @5"#);
    let lines = with(|config| config.promote_resource_attributes = vec!["host.name".into()]).await;
    assert_eq!(lines[0], r#"a_b_ratio{host_name="h", job="shop", x_y="1"} 1.5 @5"#);
    let lines = with(|config| config.promote_all_resource_attributes = true).await;
    assert_eq!(lines[0], r#"a_b_ratio{host_name="h", job="shop", service_name="shop", x_y="1"} 1.5 @5"#);
    let lines = with(|config| config.promote_scope_metadata = true).await;
    assert_eq!(lines[0], r#"a_b_ratio{job="shop", otel_scope_name="lib", otel_scope_version="1", x_y="1"} 1.5 @5"#);
    let lines = with(|config| config.keep_identifying_resource_attributes = true).await;
    assert_eq!(lines[1], r#"target_info{host_name="h", job="shop", service_name="shop"} 1 @5"#);
    // What only names the target says nothing of it.
    let keeping = bench(|config| config.keep_identifying_resource_attributes = true).await;
    let lines = keeping.lines(&metrics, &json!([text("service.name", "shop"), text("service.instance.id", "1")]));
    assert_eq!(lines, [r#"a_b_ratio{instance="1", job="shop", x_y="1"} 1.5 @5"#]);
}

#[tokio::test]
async fn histograms_and_summaries() {
    let histogram = json!([{"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
        "timeUnixNano": "5000000", "count": "6", "sum": 4.5, "bucketCounts": ["1", "2", "3"], "explicitBounds": [0.5, 10],
        "exemplars": [{"timeUnixNano": "4000000", "asDouble": 7}]
    }]}}]);
    let plain = bench(|_| ()).await;
    assert_eq!(
        plain.lines(&histogram, &json!([])),
        [
            "h_count 6 @5",
            "h_sum 4.5 @5",
            r#"h_bucket{le="0.5"} 1 @5"#,
            r#"h_bucket{le="10"} 3 @5"#,
            r#"h_bucket{le="+Inf"} 6 @5"#,
            r#"h_bucket{le="10"} # {} 7"#,
        ]
    );
    let custom = bench(|config| config.convert_histograms_to_nhcb = true).await;
    assert_eq!(custom.lines(&histogram, &json!([]))[0], "h schema -53 count 6 sum 4.5 [1.0, 2.0, 3.0] @5");
    let exponential = json!([{"name": "e", "exponentialHistogram": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
        "dataPoints": [{"timeUnixNano": "5000000", "count": 3, "sum": 2, "scale": 9, "zeroCount": 1,
                        "positive": {"offset": 1, "bucketCounts": [1, 1]}}]}}]);
    assert_eq!(plain.lines(&exponential, &json!([])), ["e schema 8 count 3 sum 2 [1.0, 1.0] @5"]);
    let summary = json!([{"name": "s", "summary": {"dataPoints": [{"timeUnixNano": "5000000", "count": 2, "sum": 3,
        "quantileValues": [{"quantile": 0.5, "value": 1}, {"quantile": 1, "value": 2}]}]}}]);
    assert_eq!(
        plain.lines(&summary, &json!([])),
        ["s_sum 3 @5", "s_count 2 @5", r#"s{quantile="0.5"} 1 @5"#, r#"s{quantile="1"} 2 @5"#]
    );
}

#[tokio::test]
async fn deltas_are_added_up() {
    let at = |start: u64, time: u64, value: u64| {
        json!([{"startTimeUnixNano": (start * 1_000_000).to_string(), "timeUnixNano": (time * 1_000_000).to_string(),
                "asInt": value}])
    };
    let adding = bench(|_| ()).await;
    let lines = |start, time, value| adding.lines(&sum(&at(start, time, value), 1, true), &json!([]));
    assert_eq!(lines(10, 20, 5), ["a_b_seconds_total 5 @20 since 10"]);
    assert_eq!(lines(20, 30, 7), ["a_b_seconds_total 12 @30 since 10"]);
    assert_eq!(lines(20, 30, 7), Vec::<String>::new(), "the same start and time count once");
    let late = adding.translate(&sum(&at(5, 15, 1), 1, true), &json!([]));
    assert_eq!(late.partial.expect("told").rejected, 1);
    // What could not be appended is taken back, and may come again.
    let lost = adding.translate(&sum(&at(30, 40, 1), 1, true), &json!([]));
    adding.intake.deltas.take_back(lost.undo);
    assert_eq!(lines(30, 40, 1), ["a_b_seconds_total 13 @40 since 10"]);
    let native = bench(|config| config.delta = DeltaForm::Native).await;
    assert_eq!(native.lines(&sum(&at(10, 20, 5), 1, true), &json!([])), ["a_b_seconds_total 5 @20 since 10"]);
    assert_eq!(native.lines(&sum(&at(20, 30, 7), 1, true), &json!([])), ["a_b_seconds_total 7 @30 since 20"]);
    let few = bench(|config| config.delta_series_max = 1).await;
    let two = json!([{"name": "c", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [
        {"attributes": [text("x", "1")], "timeUnixNano": "9000000", "asInt": 1},
        {"attributes": [text("x", "2")], "timeUnixNano": "9000000", "asInt": 1}
    ]}}]);
    let partial = few.translate(&two, &json!([])).partial.expect("told");
    assert!(partial.message.contains("series_max 1"), "{}", partial.message);
}

/// As after `kill -9`: another process knows only what is stored.
#[tokio::test]
async fn a_sum_goes_on_from_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(StoreOptions::new(folder.path()), None, Clock::fixed(NOW_NS)).await.expect("a new store");
    let now_ms = NOW_NS / 1_000_000;
    let point = |start: u64, time: u64| {
        json!([{"startTimeUnixNano": (start * 1_000_000).to_string(), "timeUnixNano": (time * 1_000_000).to_string(),
                "asInt": 5}])
    };
    for (time, expected) in [(now_ms, 5.0), (now_ms + 10, 10.0), (now_ms + 20, 15.0)] {
        let door = SampleDoor::new(&store, AcceptWindow::default());
        let bench = Bench {
            intake: MetricsIntake::new(MetricsConfig::default(), door),
            _folder: tempfile::tempdir().expect("a folder"),
        };
        let translated = bench.translate(&sum(&point(time - 10, time), 1, true), &json!([]));
        assert_eq!(translated.batch.floats[0].value, expected);
        assert_eq!(translated.batch.floats[0].start_ms as u64, now_ms - 10);
        bench.intake.append(translated).await.expect("stored");
        // Sent again to yet another process.
        let door = SampleDoor::new(&store, AcceptWindow::default());
        let again = MetricsIntake::new(MetricsConfig::default(), door);
        let bench = Bench { intake: again, _folder: tempfile::tempdir().expect("a folder") };
        let translated = bench.translate(&sum(&point(time - 10, time), 1, true), &json!([]));
        assert!(translated.batch.floats.is_empty());
    }
}

/// The same of a native histogram, which has one sample in place of many.
#[tokio::test]
async fn a_native_histogram_goes_on_from_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(StoreOptions::new(folder.path()), None, Clock::fixed(NOW_NS)).await.expect("a new store");
    let now_ms = NOW_NS / 1_000_000;
    let point = |time: u64| {
        json!([{"name": "e", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [{
            "startTimeUnixNano": ((time - 10) * 1_000_000).to_string(), "timeUnixNano": (time * 1_000_000).to_string(),
            "count": 3, "sum": 2, "scale": 2, "zeroCount": 1, "positive": {"offset": 1, "bucketCounts": [1, 1]}
        }]}}])
    };
    for (time, count) in [(now_ms, 3.0), (now_ms + 10, 6.0), (now_ms + 20, 9.0)] {
        let door = SampleDoor::new(&store, AcceptWindow::default());
        let bench = Bench {
            intake: MetricsIntake::new(MetricsConfig::default(), door),
            _folder: tempfile::tempdir().expect("a folder"),
        };
        let translated = bench.translate(&point(time), &json!([]));
        let sample = &translated.batch.histograms[0];
        assert_eq!((sample.histogram.count, sample.start_ms as u64), (count, now_ms - 10));
        bench.intake.append(translated).await.expect("stored");
    }
}
