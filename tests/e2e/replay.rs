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
