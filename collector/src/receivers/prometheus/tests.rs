//! Bodies read one after the other, and what each of them brings.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use weir_proto::{
    TenantId,
    exposition::TextFormat,
    metrics::{Labels, is_stale},
    time::Clock,
};
use weir_store::{MetricsBatch, Store, StoreOptions};

use super::{
    PrometheusConfig, ScrapeConfig,
    gather::{Context, Counts, Memory, gather, stale},
    job::Job,
    probing::{Probe, Probing},
    report::{More, Report},
    target::{Populated, Target, without_password},
};
use crate::samples::AcceptWindow;

/// A store of its own, and a target of one job.
struct Bench {
    store: Store,
    job: Arc<Job>,
    target: Labels,
    memory: Memory,
    time_ms: i64,
    _folder: tempfile::TempDir,
}

fn job(settings: &Value) -> Arc<Job> {
    let mut written = json!({"job_name": "j"});
    for (key, value) in settings.as_object().expect("an object") {
        written[key] = value.clone();
    }
    let config: ScrapeConfig = serde_json::from_value(written).expect("a scrape config");
    Job::new(&config, &PrometheusConfig::default()).expect("no files")
}

impl Bench {
    async fn new(settings: Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = StoreOptions::new(folder.path());
        let store = Store::open(options, None, Clock::fixed(1_000_000_000_000_000_000)).await.expect("a new store");
        let target = Labels::new([("job", "j"), ("instance", "i")]).expect("a set");
        let memory = Memory::default();
        Self { store, job: job(&settings), target, memory, time_ms: 1_000_000_000_000, _folder: folder }
    }

    /// One scrape: a line for each sample, and the counts.
    fn scrape_as(&mut self, body: &str, format: TextFormat) -> (Vec<String>, Counts, Result<(), String>) {
        self.time_ms += 1000;
        let context = Context {
            job: &self.job,
            target: &self.target,
            time_ms: self.time_ms,
            accept: AcceptWindow::default().around(self.time_ms),
            series: &self.store,
        };
        let mut batch = MetricsBatch::new(TenantId::default(), 0);
        let (counts, result) = gather(body.as_bytes(), format, &context, &mut self.memory, &mut batch);
        if result.is_err() {
            batch.floats.extend(self.memory.lines.live().map(|series| stale(series.clone(), self.time_ms)));
            self.memory.lines.end_all();
        }
        let mut lines = Vec::new();
        for sample in &batch.floats {
            let value = if is_stale(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
            let labels = sample.series.labels().to_string().replace(", instance=\"i\", job=\"j\"", "");
            let labels = labels.replace("{instance=\"i\", job=\"j\"}", "");
            let time = if sample.time_ms == self.time_ms { String::new() } else { format!(" @{}", sample.time_ms) };
            let start = if sample.start_ms == 0 { String::new() } else { format!(" since {}", sample.start_ms) };
            lines.push(format!("{labels} {value}{time}{start}"));
        }
        lines.extend(batch.exemplars.iter().map(|(series, exemplar)| {
            format!("{} # {} {}", series.labels().metric_name(), exemplar.labels, exemplar.value)
        }));
        (lines, counts, result)
    }

    fn scrape(&mut self, body: &str) -> Vec<String> {
        let (lines, _, result) = self.scrape_as(body, TextFormat::Prometheus);
        result.expect("well formed");
        lines
    }
}

#[tokio::test]
async fn series_are_recognised_and_end_when_they_vanish() {
    let mut bench = Bench::new(json!({})).await;
    let body = "a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n";
    let (lines, counts, _) = bench.scrape_as(body, TextFormat::Prometheus);
    assert_eq!(
        lines,
        ["a{x=\"1\"} 1", "a{x=\"2\"} 2", "b 3"].map(|line| line.replace("{x", "{instance=\"i\", job=\"j\", x"))
    );
    assert_eq!((counts.scraped, counts.kept, counts.added), (3, 3, 3));
    let (_, counts, _) = bench.scrape_as(body, TextFormat::Prometheus);
    assert_eq!((counts.kept, counts.added), (3, 0));
    // One in front, one gone.
    let (lines, counts, _) = bench.scrape_as("c 9\na{x=\"1\"} 1\nb 4\n", TextFormat::Prometheus);
    assert_eq!(lines[0], "c 9");
    assert_eq!(lines[2], "b 4");
    assert!(lines[3].starts_with("a{") && lines[3].ends_with("x=\"2\"} stale"), "{lines:?}");
    assert_eq!((lines.len(), counts.added), (4, 1));
    // Back again, and the last ones gone.
    let (lines, counts, _) = bench.scrape_as("c 9\na{x=\"2\"} 1\n", TextFormat::Prometheus);
    assert_eq!((lines.len(), counts.added), (4, 1), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with("stale")).count(), 2);
    assert_eq!(bench.scrape("c 9\na{x=\"2\"} 1\n").len(), 2);
    assert_eq!(bench.memory.lines.len(), 2);
}

#[tokio::test]
async fn a_bad_line_voids_the_scrape_once() {
    let mut bench = Bench::new(json!({})).await;
    bench.scrape("a 1\nb 2\n");
    let (lines, counts, result) = bench.scrape_as("a 1\nb x\n", TextFormat::Prometheus);
    assert_eq!((lines.len(), counts.scraped), (2, 1));
    assert!(lines.iter().all(|line| line.ends_with("stale")));
    assert!(result.expect_err("a bad line").starts_with("line 2: "));
    let (lines, ..) = bench.scrape_as("a 1\nb x\n", TextFormat::Prometheus);
    assert!(lines.is_empty(), "they have ended already: {lines:?}");
    let (lines, counts, _) = bench.scrape_as("b 2\na 1\n", TextFormat::Prometheus);
    assert_eq!((lines, counts.added), (vec!["b 2".to_owned(), "a 1".to_owned()], 0));
    // What a void body brings is new once.
    for added in [1, 0] {
        let (lines, counts, _) = bench.scrape_as("b 2\nc 1\nb x\n", TextFormat::Prometheus);
        assert_eq!((lines.len(), counts.added), (2 * added, added), "{lines:?}");
    }
    assert_eq!(bench.scrape("b 2\nc 1\n"), ["b 2", "c 1"]);
    assert_eq!(bench.scrape("b 2\n"), ["b 2", "c stale"]);
}

#[tokio::test]
async fn of_two_in_one_body_the_first_counts() {
    let mut bench = Bench::new(json!({})).await;
    for _ in 0..3 {
        let (lines, counts, _) = bench.scrape_as("a 1\nb 2\na 3\n", TextFormat::Prometheus);
        assert_eq!(lines, ["a 1", "b 2"]);
        assert_eq!((counts.kept, counts.duplicates), (3, 1));
    }
    assert_eq!(bench.scrape("a 1 5\na 2 6\n"), ["a 1 @5", "a 2 @6", "b stale"]);
}

#[tokio::test]
async fn times_of_the_targets_own() {
    let mut bench = Bench::new(json!({})).await;
    assert_eq!(bench.scrape("a 1 77\nb 2\n"), ["a 1 @77", "b 2"]);
    // No marker for what has times of its own.
    assert_eq!(bench.scrape("c 1\n"), ["c 1", "b stale"]);
    let mut tracking = Bench::new(json!({"track_timestamps_staleness": true})).await;
    tracking.scrape("a 1 77\n");
    assert_eq!(tracking.scrape(""), ["a stale"]);
    let mut deaf = Bench::new(json!({"honor_timestamps": false})).await;
    assert_eq!(deaf.scrape("a 1 77\n"), ["a 1"]);
    assert_eq!(deaf.scrape("b 1\n"), ["b 1", "a stale"]);
}

#[tokio::test]
async fn labels_of_target_and_sample() {
    let mut bench = Bench::new(json!({})).await;
    let lines = bench.scrape("a{job=\"own\",exported_job=\"e\"} 1\n");
    assert_eq!(lines, ["a{exported_exported_job=\"own\", exported_job=\"e\"} 1"]);
    let mut honest = Bench::new(json!({"honor_labels": true})).await;
    assert_eq!(honest.scrape("a{job=\"own\",instance=\"\"} 1\n"), ["a{job=\"own\"} 1"]);
    let steps = json!({"metric_relabel_configs": [
        {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
        {"regex": "x", "action": "labeldrop"}
    ]});
    let mut relabelling = Bench::new(steps).await;
    for _ in 0..2 {
        let (lines, counts, _) = relabelling.scrape_as("go_a 1\nb{x=\"1\"} 2\n", TextFormat::Prometheus);
        assert_eq!((lines, counts.scraped, counts.kept), (vec!["b 2".to_owned()], 2, 1));
    }
}

#[tokio::test]
async fn limits_fail_the_scrape() {
    for (settings, body, words) in [
        (json!({"sample_limit": 1}), "a 1\nb 1\n", "sample limit exceeded"),
        (
            json!({"label_limit": 3}),
            "a{x=\"1\"} 1\n",
            "label_limit exceeded (metric: a, number of labels: 4, limit: 3)",
        ),
        (json!({"label_name_length_limit": 8}), "a{longlabel=\"1\"} 1\n", "label_name_length_limit exceeded"),
        (
            json!({"label_value_length_limit": 3}),
            "a{x=\"1234\"} 1\n",
            "label_value_length_limit exceeded (metric: a, label name: x, value: \"1234\", length: 4, limit: 3)",
        ),
        (
            json!({"metric_name_validation_scheme": "legacy"}),
            "{\"a.b\"} 1\n",
            "invalid metric name or label names: {__name__=\"a.b\", ",
        ),
        (
            json!({"metric_name_validation_scheme": "legacy"}),
            "a{\"x.y\"=\"1\"} 1\n",
            "invalid metric name or label names: {__name__=\"a\", ",
        ),
    ] {
        let mut bench = Bench::new(settings).await;
        let (lines, _, result) = bench.scrape_as(body, TextFormat::Prometheus);
        assert!(lines.is_empty());
        let error = result.expect_err("over the limit");
        assert!(error.starts_with(words), "{error}");
    }
    let mut bench = Bench::new(json!({"sample_limit": 2})).await;
    let (_, counts, _) = bench.scrape_as("a 1\nb 1\nc 1\nd 1\n", TextFormat::Prometheus);
    assert_eq!((counts.scraped, counts.kept), (4, 4), "all are counted");
}

#[tokio::test]
async fn created_lines_say_when_counting_began() {
    let mut bench = Bench::new(json!({})).await;
    let body = "# TYPE a counter\na_total{x=\"1\"} 5 # {trace_id=\"t\"} 1\na_created{x=\"1\"} 1.5\na_total{x=\"2\"} 6\n\
                # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\nh_created 2.5\n\
                # TYPE g gauge\ng_created 7\n# EOF\n";
    for round in 0..3 {
        let (lines, counts, result) = bench.scrape_as(body, TextFormat::OpenMetrics);
        result.expect("well formed");
        let short: Vec<&str> = lines.iter().map(|line| line.rsplit('}').next().unwrap_or_default()).collect();
        let mut expected = vec![" 5 since 1500", " 6", " 1 since 2500", " 2 since 2500"];
        expected.extend(["h_count 2 since 2500", "h_sum 3 since 2500", "g_created 7"]);
        if round == 0 {
            // An exemplar is handed on once.
            expected.push(" 1");
        }
        assert_eq!(short, expected);
        assert_eq!((counts.scraped, counts.kept), (9, 7));
    }
    assert!(bench.scrape("h_bucket{le=\"1\"} 1\n")[0].contains("le=\"1\""), "no histogram says so");
}

#[tokio::test]
async fn more_is_said_when_it_is_asked_for() {
    let bench = Bench::new(json!({})).await;
    let said = |more| {
        let outcome = (true, Duration::from_millis(5), Counts::default());
        let samples = Report::default().samples(&bench.store, &TenantId::default(), &bench.target, 1, outcome, more);
        let shown = samples.iter().map(|sample| format!("{} {}", sample.series.labels().metric_name(), sample.value));
        shown.skip(5).collect::<Vec<_>>()
    };
    assert_eq!(said(None), [""; 0]);
    let more = More { timeout: Duration::from_secs(10), sample_limit: 7, body_bytes: -1 };
    let expected = ["scrape_timeout_seconds 10", "scrape_sample_limit 7", "scrape_body_size_bytes -1"];
    assert_eq!(said(Some(more)), expected);
}

#[test]
fn targets_are_relabelled() {
    let job = job(&json!({
        "scheme": "https", "metrics_path": "/m", "params": {"a": ["1", "2"], "b": ["x y"]}, "scrape_interval": "30s",
        "relabel_configs": [
            {"source_labels": ["__address__"], "regex": "(.*):\\d+", "target_label": "host"},
            {"source_labels": ["__param_a"], "target_label": "__param_a", "replacement": "9"},
            {"source_labels": ["drop"], "regex": "yes", "action": "drop"},
            {"source_labels": ["fast"], "regex": "yes", "target_label": "__scrape_interval__", "replacement": "5s"},
            {"source_labels": ["fast"], "regex": "yes", "target_label": "__scrape_timeout__", "replacement": "1s"}
        ]
    }));
    let populated = |address: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Target::populate(&job, address, &labels)
    };
    let Ok(Populated::Active(target)) = populated("h:1", &[("env", "prod"), ("__meta_x", "y")]) else {
        panic!("active")
    };
    assert_eq!(target.url, "https://h:1/m?a=9&a=2&b=x+y");
    assert_eq!(target.labels.to_string(), "{env=\"prod\", host=\"h\", instance=\"h:1\", job=\"j\"}");
    assert_eq!((target.interval.as_secs(), target.timeout.as_secs()), (30, 10));
    assert_eq!(target.discovered.get("__scrape_interval__").map(String::as_str), Some("30s"));
    let Ok(Populated::Active(fast)) = populated("h", &[("fast", "yes")]) else { panic!("active") };
    assert_eq!((fast.interval.as_secs(), fast.timeout.as_secs()), (5, 1));
    assert_eq!(fast.labels.get("instance"), Some("h"), "no port is added");
    assert!(matches!(populated("h:1", &[("drop", "yes")]), Ok(Populated::Dropped(_))));
    assert!(populated("h/x", &[]).is_err_and(|problem| problem.contains("is not a valid hostname")));
    assert!(populated("h", &[("__scrape_timeout__", "1h")]).is_err_and(|problem| problem.contains("greater")));
}

#[test]
fn passwords_of_probed_targets_are_not_shown() {
    let probe: Probe = Arc::new(|_| Box::pin(async { unreachable!("nothing is probed") }));
    let probing = Probing {
        module: "m".into(),
        modules: vec!["m".into()],
        location: "here".into(),
        repeat_interval_max: Duration::from_secs(60),
        probe,
    };
    let config: ScrapeConfig = serde_json::from_value(json!({"job_name": "j", "relabel_configs": [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "site"}
    ]}))
    .expect("valid");
    let job = Job::probed(&config, &PrometheusConfig::default(), probing);
    let target = "https://user:se:cret@host:8443/path?q=a@b";
    let Ok(Populated::Active(populated)) = Target::populate(&job, target, &BTreeMap::new()) else { panic!("active") };
    assert_eq!(populated.url, target, "it is probed with it");
    let shown = "https://user:xxxxx@host:8443/path?q=a@b";
    assert_eq!((populated.labels.get("instance"), populated.labels.get("site")), (Some(shown), Some(shown)));
    assert!(populated.discovered.values().all(|value| !value.contains("cret")), "{:?}", populated.discovered);
    assert_eq!(without_password("user:se:cr@et@host:80/a@b"), "user:xxxxx@host:80/a@b", "as one of http");
    for plain in ["host:80", "https://user@host/", "http://host/a:b@c", "host/a:b@c", "user@host:80", "a: b@c", ""] {
        assert_eq!(without_password(plain), plain);
    }
}

/// Cut behind every line's beginning, and a bit flipped in every line: whatever comes of it, the next whole body is read as before.
#[tokio::test]
async fn a_broken_body_breaks_nothing_but_itself() {
    let mut whole = String::new();
    for family in 0..12 {
        whole += &format!("# HELP m{family} About it.\n# TYPE m{family} counter\n");
        for line in 0..3 {
            whole += &format!("m{family}{{x=\"{line}\",y=\"a\\\"b\"}} {family}.5\n");
        }
    }
    let mut bench = Bench::new(json!({})).await;
    let shown = |lines: Vec<String>| {
        let mut lines: Vec<String> = lines.into_iter().filter(|line| !line.ends_with("stale")).collect();
        lines.sort();
        lines
    };
    let expected = shown(bench.scrape(&whole));
    assert_eq!(expected.len(), 36);
    let starts: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).filter(|at| *at < whole.len()).collect();
    for (number, &start) in starts.iter().enumerate() {
        let cut = whole[..start + number % 9].to_owned();
        let mut flipped = whole.clone().into_bytes();
        flipped[start + number % 5] ^= 1 << (number % 7);
        let flipped = String::from_utf8_lossy(&flipped).into_owned();
        for broken in [cut, flipped] {
            let (_, counts, result) = bench.scrape_as(&broken, TextFormat::Prometheus);
            assert!(counts.kept <= 40, "{counts:?}: {result:?}");
            assert_eq!(shown(bench.scrape(&whole)), expected, "after {broken}");
            assert!(bench.memory.lines.len() <= 40, "{}", bench.memory.lines.len());
        }
    }
}

#[tokio::test]
async fn a_new_series_at_every_scrape_is_not_remembered() {
    let mut bench = Bench::new(json!({})).await;
    for round in 0..240 {
        let lines = bench.scrape(&format!("a{{id=\"{round}\"}} 1\nb 2\n"));
        assert_eq!(lines.len(), if round == 0 { 2 } else { 3 }, "{lines:?}");
        assert_eq!(bench.memory.lines.len(), 2);
    }
}

#[tokio::test]
async fn a_million_labels_are_one_line() {
    let labels: Vec<String> = (0..1_000_000).map(|number| format!("l{number}=\"\"")).collect();
    let body = format!("a{{{}}} 1\nb 2\n", labels.join(","));
    let mut bench = Bench::new(json!({})).await;
    bench.scrape("b 2\n");
    // Empty values are no labels, but they are there.
    for body in [body.replace("\"\"", "\"x\""), body] {
        let (_, counts, result) = bench.scrape_as(&body, TextFormat::Prometheus);
        assert_eq!(result.expect_err("over the limit"), "more than 1024 labels (receivers.prometheus.labels_max)");
        assert_eq!(counts.added, 0);
        assert_eq!(bench.scrape("b 2\n"), ["b 2"]);
    }
}
