//! Metrics through the door of Prometheus: written, asked, and asked again after `kill -9`: the same answers, byte for byte.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_benches::{
    query::Query,
    series::{node::Node, written},
};
use weir_proto::time::Clock;

use crate::{
    fixture::{NEVER_SEAL, SMALL, Weir},
    raw_http::{post_to, raw},
};

const STEP_MS: i64 = 15_000;
const ROUNDS: u64 = 20;

/// Asks by GET; the whole answer.
async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET /prometheus{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let answer = raw(address, request.as_bytes(), Duration::from_secs(20)).await;
    String::from_utf8(answer).expect("UTF-8")
}

/// The body of a good one.
async fn body(address: SocketAddr, path: &str) -> String {
    let answer = get(address, path).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_answered_alike_after_a_kill() {
    let weir = Weir::new(1, NEVER_SEAL);
    let server = weir.start().await;
    let start_ms = (Clock::system().now_ns() / 1_000_000) as i64 - ROUNDS as i64 * STEP_MS;
    let series = Node::default().series();
    for round in 0..ROUNDS {
        for form in [written::Form::First, written::Form::Second] {
            let (content_type, targets) = match form {
                written::Form::First => ("application/x-protobuf", 1),
                written::Form::Second => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", 2),
            };
            // The second one repeats what the first one wrote, and adds a target.
            for (body, _) in written::bodies(form, targets, (round, start_ms + round as i64 * STEP_MS)) {
                let headers = [("content-type", content_type), ("content-encoding", "snappy")];
                let (status, words) = post_to("/prometheus/api/v1/write", server.query, &headers, body).await;
                assert_eq!(status.as_u16(), 204, "{}", String::from_utf8_lossy(&words));
            }
        }
    }
    let end = (start_ms + (ROUNDS as i64 - 1) * STEP_MS) as f64 / 1e3;
    let begin = start_ms as f64 / 1e3;
    let paths = [
        format!("/api/v1/query?query=count(%7Bjob%3D%22node%22%7D)&time={end}"),
        format!(
            "/api/v1/query_range?query=sum%20by%20(mode)(rate(node_cpu_seconds_total%5B2m%5D))&start={begin}&end={end}&step=15"
        ),
        format!("/api/v1/query?query=topk(3,node_memory_MemFree_bytes)&time={end}"),
        "/api/v1/label/mode/values?match%5B%5D=node_cpu_seconds_total".to_owned(),
        "/api/v1/series?match%5B%5D=node_load1".to_owned(),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(body(server.query, path).await);
    }
    let count: Value = serde_json::from_str(&before[0]).expect("JSON");
    assert_eq!(count["data"]["result"][0]["value"][1], (2 * series).to_string());
    let cpu: Value = serde_json::from_str(&before[1]).expect("JSON");
    assert_eq!(cpu["data"]["result"].as_array().expect("series").len(), 8);
    let shown = body(server.query, "/federate?match%5B%5D=node_load1").await;
    assert!(
        shown.starts_with("# TYPE node_load1 untyped\nnode_load1{instance=\"node-0000:9100\",job=\"node\"} "),
        "{shown}"
    );
    let status: Value = serde_json::from_str(&body(server.query, "/api/v1/status/tsdb").await).expect("JSON");
    assert!(status["data"]["headStats"]["numSeries"].as_u64() >= Some(2 * series as u64), "{status}");
    let refused = get(server.query, "/api/v1/series?match%5B%5D=up&x=%zz").await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(refused.ends_with(r#""error":"error parsing form values: invalid URL escape \"%zz\""}"#), "{refused}");
    // As it is typed, what it has to escape left as it is.
    let typed = body(server.query, &format!("/api/v1/query?query=count({{job=\"node\"}}<1e99)&time={end}")).await;
    let counted = body(server.query, &paths[0]).await;
    assert_eq!(typed, counted);
    server.kill().await.expect("killed");
    let server = weir.start().await;
    for (path, before) in paths.iter().zip(&before) {
        assert_eq!(&body(server.query, path).await, before, "{path}");
    }
}

/// An OTLP request with one delta of a native histogram and one of a sum, from one time to another (Unix ms).
fn deltas((start_ms, time_ms): (i64, i64), count: u64) -> Vec<u8> {
    let (start, time) = (format!("{start_ms}000000"), format!("{time_ms}000000"));
    let point = serde_json::json!({
        "startTimeUnixNano": start, "timeUnixNano": time, "count": count, "sum": count, "scale": 0, "zeroCount": 0,
        "positive": {"offset": -1, "bucketCounts": [count]},
    });
    let number = serde_json::json!({"startTimeUnixNano": start, "timeUnixNano": time, "asInt": count.to_string()});
    let metrics = serde_json::json!([
        {"name": "took", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [point]}},
        {"name": "done", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [number]}},
    ]);
    let resource = serde_json::json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let request =
        serde_json::json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]});
    request.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_of_native_histograms_go_on_after_a_kill() {
    let small = SMALL.replace("file_age_max", "metrics_file_age_max: 300ms, file_age_max");
    for storage in [NEVER_SEAL, &small] {
        let weir = Weir::new(1, storage);
        let begin_ms = (Clock::system().now_ns() / 1_000_000) as i64 - 600_000;
        let at = |step: i64| begin_ms + step * 15_000;
        let mut server = weir.start().await;
        for step in 0..6 {
            if step > 0 {
                if storage == small {
                    nothing_unsealed(server.query).await;
                }
                server.kill().await.expect("killed");
                server = weir.start().await;
            }
            // The one before comes again: it may not have been answered. Both count once.
            for step in [(step - 1).max(0), step] {
                let body = deltas((at(step), at(step + 1)), 3);
                let (status, words) =
                    post_to("/v1/metrics", server.http, &[("content-type", "application/json")], body).await;
                assert_eq!((status.as_u16(), &*String::from_utf8_lossy(&words)), (200, "{}"));
            }
            let (time, count) = (at(step + 1) as f64 / 1e3, 3 * (step + 1));
            let fraction = format!("histogram_fraction(0.5,1,took)*{count}");
            for query in ["histogram_count(took)", "histogram_sum(took)", &fraction, "done_total"] {
                let answer = body(server.query, &format!("/api/v1/query?query={query}&time={time}")).await;
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                let value = &answer["data"]["result"][0]["value"][1];
                assert_eq!(*value, count.to_string(), "{query} in step {step}: {answer}");
            }
        }
        let (begin, end) = (at(1) as f64 / 1e3, at(6) as f64 / 1e3);
        let resets = format!("/api/v1/query?query=resets(took[10m])%2Bon()resets(done_total[10m])&time={end}");
        let answer: Value = serde_json::from_str(&body(server.query, &resets).await).expect("JSON");
        assert_eq!(answer["data"]["result"][0]["value"][1], "0", "{answer}");
        let range = format!("/api/v1/query_range?query=histogram_count(took)&start={begin}&end={end}&step=15");
        let answer: Value = serde_json::from_str(&body(server.query, &range).await).expect("JSON");
        assert_eq!(answer["data"]["result"][0]["values"].as_array().map(Vec::len), Some(6), "{answer}");
    }
}

/// Waits until all samples are in segments.
async fn nothing_unsealed(address: SocketAddr) {
    let (asking, begun) = (Query::new(address), Instant::now());
    loop {
        let (_, status) = asking.json("/api/v1/status").await.expect("an answer");
        let signals = status["signals"].as_array().expect("a list");
        let metrics = signals.iter().find(|one| one["signal"] == "metrics").expect("all signals");
        if metrics["head"]["items"] == 0 && metrics["segments"]["count"].as_u64() > Some(0) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{status}");
    }
}

/// Two scopes count the same, over OTLP: what is stored, what is said and what the ledger has are one, also after a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_scopes_of_one_counter_are_one_series() {
    let weir = Weir::new(1, NEVER_SEAL);
    let mut server = weir.start().await;
    let now_ns = Clock::system().now_ns();
    let (start, time) = (now_ns - 2_000_000_000, now_ns - 1_000_000_000);
    let request = |name: &str, temporality: u32| {
        let scope = |scope: &str, value: u32| {
            let point =
                json!({"startTimeUnixNano": start.to_string(), "timeUnixNano": time.to_string(), "asInt": value});
            let sum = json!({"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": true});
            json!({"scope": {"name": scope}, "metrics": [{"name": name, "sum": sum}]})
        };
        json!({"resourceMetrics": [{"scopeMetrics": [scope("one", 2), scope("two", 5)]}]}).to_string()
    };
    let as_json = [("content-type", "application/json")];
    for round in 0..3 {
        for (name, temporality) in [("added", 1), ("both", 2)] {
            let (status, answer) =
                post_to("/v1/metrics", server.http, &as_json, request(name, temporality).into()).await;
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            assert_eq!(status, 200);
            let words = answer["partialSuccess"]["errorMessage"].as_str().unwrap_or_default();
            let is_said = words.contains("scopes \"one\" and \"two\"") && words.contains("promote_scope_metadata");
            let is_one = answer["partialSuccess"]["rejectedDataPoints"] == "1";
            // The first of two counts. Behind a start it may be there already: then the other one is against what is stored.
            let is_right = match (name, round) {
                ("added", _) => words.is_empty(),
                (_, 0) => is_one && is_said,
                _ => is_one && (is_said || words.contains("another value of its series is stored")),
            };
            assert!(is_right, "{name}, round {round}: {answer}");
        }
        for (name, expected) in [("added_total", "7"), ("both_total", "2")] {
            let path = format!("/api/v1/query?query={name}&time={}", now_ns / 1_000_000_000);
            let answer: Value = serde_json::from_str(&body(server.query, &path).await).expect("JSON");
            assert_eq!(answer["data"]["result"][0]["value"][1], expected, "{answer}");
        }
        let (_, ledger) = Query::new(server.query).json("/api/v1/ledger").await.expect("an answer");
        let tally = &ledger["metrics"]["default"];
        // Samples are compared with those of the same file of the journal: behind a start the same cumulative point may be
        // stored, and then is counted, once more. A delta that comes again is known.
        let (accepted, kept) = (tally["accepted"].as_u64(), tally["kept"].as_u64());
        assert!(accepted == kept && accepted.is_some_and(|stored| (2..=2 + round).contains(&stored)), "{ledger}");
        assert_eq!(tally["rejected"], json!({"conflict": round + 1}), "{ledger}");
        server.kill().await.expect("killed");
        server = weir.start().await;
    }
}
