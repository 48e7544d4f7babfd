//! `weir rules replay` says what would have fired, and fills recording rules backwards.

use std::process::{Command, Output};

use serde_json::json;
use weir_benches::query::Query;
use weir_proto::time::{Clock, SECOND_NS};

use crate::{process::Weir, raw_http::post_to};

const RULES: &str = "
groups:
- name: load
  interval: 1m
  rules:
  - record: load:double
    expr: load * 2
  - alert: High
    expr: load:double > 1
    for: 3m
    labels: {severity: page}
    annotations: {summary: 'load of {{ $labels.host }} is {{ $value }}'}
  - alert: Higher
    expr: load > 100
";

const MINUTE_NS: u64 = 60 * SECOND_NS;

/// A gauge of the last half hour: high from its 5th minute to its 15th.
async fn send_load(weir: &Weir, begin_ns: u64) {
    let point = |minute: u64| {
        let value = if (5..15).contains(&minute) { 1.5 } else { 0.25 };
        json!({"timeUnixNano": (begin_ns + minute * MINUTE_NS).to_string(), "asDouble": value,
            "attributes": [{"key": "host", "value": {"stringValue": "a"}}]})
    };
    let points: Vec<_> = (0..30).map(point).collect();
    let metric = json!({"name": "load", "gauge": {"dataPoints": points}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let headers = [("content-type", "application/json")];
    let (status, answer) = post_to("/v1/metrics", weir.address("OTLP/HTTP"), &headers, body.into()).await;
    assert!(status.is_success(), "{status} {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_have_fired_is_said_and_what_would_have_been_recorded_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, RULES).expect("written");
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, crate::process::FREE_PORTS).expect("written");
    let weir = Weir::start(&config, &folder.path().join("data"));
    // Whole minutes, as the group's times are.
    let now_ns = Clock::system().now_ns();
    let begin_ns = now_ns / MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS;
    send_load(&weir, begin_ns).await;
    let url = format!("http://{}", weir.address("queries"));
    let from = (begin_ns / SECOND_NS).to_string();
    let to = (begin_ns / SECOND_NS + 29 * 60).to_string();
    let replay = |more: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["rules", "replay", "--url", &url, "--from", &from, "--to", &to]).args(more).arg(&rules);
        command.output().expect("it runs")
    };
    let (stdout, stderr) = tokio::task::block_in_place(|| {
        let output = replay(&[]);
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    });
    assert_eq!(stderr, "", "{stdout}");
    assert!(stdout.contains("load:double: 1 series, 30 samples"), "{stdout}");
    assert!(stdout.contains(r#"High {alertname="High", host="a", severity="page"} fired "#), "{stdout}");
    // Pending for three of ten minutes.
    assert!(stdout.contains("Z for 7m\n"), "{stdout}");
    assert!(stdout.contains("    summary: load of a is 3\n"), "{stdout}");
    assert!(stdout.contains("Alerts that fired: 1; that were pending and did not fire: 0"), "{stdout}");
    assert!(stdout.contains("Nothing is written; --write does"), "{stdout}");

    let output = tokio::task::block_in_place(|| replay(&["--write"]));
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("30 samples written"), "{output:?}");
    let path = format!("/prometheus/api/v1/query?query=load:double&time={}", begin_ns / SECOND_NS + 10 * 60);
    let (_, answer) = Query::new(weir.address("queries")).json(&path).await.expect("an answer");
    assert_eq!(answer["data"]["result"][0]["metric"], json!({"__name__": "load:double", "host": "a"}), "{answer}");
    assert_eq!(answer["data"]["result"][0]["value"][1], "3", "{answer}");

    // Who is not there is named.
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["rules", "replay", "--url", "http://127.0.0.1:1", "--from", "-1h"]).arg(&rules);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot reach http://127.0.0.1:1"), "{output:?}");
}

const OTHERS: &str = r#"
groups:
- name: spans
  interval: 1m
  language: sql
  rules:
  - alert: Slow
    expr: |
      SELECT service, max(duration_ns) / 1e9 AS value FROM spans
      WHERE start_time >= now() - INTERVAL '1 minute' GROUP BY service HAVING max(duration_ns) > 5e8
    for: 3m
    annotations: {summary: '{{ $labels.service }} took {{ $value | humanizeDuration }}'}
- name: lines
  interval: 1m
  language: logql
  rules:
  - alert: Errors
    expr: sum by (service_name) (count_over_time({service_name="shop"} |= "error" [1m])) > 0
    for: 3m
- name: histograms
  interval: 1m
  rules:
  - record: took:all
    expr: sum(took)
  - alert: Many
    expr: histogram_count(took:all) > 20
"#;

/// Half an hour of spans, lines and a native histogram: slow and with errors from its 5th minute to its 15th.
async fn send_others(weir: &Weir, begin_ns: u64) {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let (mut spans, mut lines, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for minute in 0..30_u64 {
        let start_ns = begin_ns + minute * MINUTE_NS;
        let is_bad = (5..15).contains(&minute);
        let end_ns = start_ns + if is_bad { 800_000_000 } else { 1_000_000 };
        spans.push(
            json!({"traceId": format!("{:032x}", minute + 1), "spanId": format!("{:016x}", minute + 1), "name": "GET",
            "kind": 2, "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": end_ns.to_string()}),
        );
        let body = if is_bad { "an error" } else { "all is well" };
        lines.push(json!({"timeUnixNano": start_ns.to_string(), "body": {"stringValue": body}}));
        points.push(
            json!({"timeUnixNano": start_ns.to_string(), "startTimeUnixNano": begin_ns.to_string(), "scale": 2,
            "count": (minute + 1).to_string(), "sum": 1.5, "zeroCount": "0",
            "positive": {"offset": 3, "bucketCounts": [minute.to_string(), "1"]}}),
        );
    }
    let histogram =
        json!({"name": "took", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": points}});
    for (path, body) in [
        ("/v1/traces", json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})),
        ("/v1/logs", json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": lines}]}]})),
        ("/v1/metrics", json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [histogram]}]}]})),
    ] {
        let headers = [("content-type", "application/json")];
        let (status, answer) = post_to(path, weir.address("OTLP/HTTP"), &headers, body.to_string().into()).await;
        assert!(status.is_success(), "{path}: {status} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_every_language_and_over_histograms_are_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, OTHERS).expect("written");
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, crate::process::FREE_PORTS).expect("written");
    let weir = Weir::start(&config, &folder.path().join("data"));
    let begin_ns = Clock::system().now_ns() / MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS;
    send_others(&weir, begin_ns).await;
    let url = format!("http://{}", weir.address("queries"));
    let seconds = |minute: u64| (begin_ns / SECOND_NS + minute * 60).to_string();
    let output = tokio::task::block_in_place(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["rules", "replay", "--url", &url, "--from", &seconds(0), "--to", &seconds(29), "--write"]);
        command.arg(&rules).output().expect("it runs")
    });
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(stderr, "", "{stdout}");
    // What begins at a minute is seen at it and, by the bound that SQL includes, at the next one.
    for (alert, length) in
        [(r#"Slow {alertname="Slow", service="shop"}"#, "8m"), ("Errors {", "7m"), ("Many {", "still")]
    {
        let line = stdout.lines().find(|line| line.contains(alert)).unwrap_or_default();
        assert!(line.contains(length), "{alert}: {stdout}");
    }
    assert!(stdout.contains("    summary: shop took 800ms\n"), "{stdout}");
    assert!(stdout.contains("took:all: 1 series, 30 samples"), "{stdout}");
    assert!(stdout.contains("30 samples written"), "{stdout}");
    let path = format!("/prometheus/api/v1/query?query=took:all&time={}", seconds(10));
    let (_, answer) = Query::new(weir.address("queries")).json(&path).await.expect("an answer");
    let histogram = &answer["data"]["result"][0]["histogram"][1];
    assert_eq!((&histogram["count"], &histogram["sum"]), (&json!("11"), &json!("1.5")), "{answer}");
    assert_eq!(histogram["buckets"].as_array().map(Vec::len), Some(2), "{answer}");
}
