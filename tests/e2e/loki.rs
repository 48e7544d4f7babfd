//! Loki's push: in as JSON and as protobuf, found by SQL and beside the trace; there after a kill and after sealing, byte for byte.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use weir_benches::query::Query;
use weir_proto::time::{Clock, SECOND_NS};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::{post_to, raw},
    sdk::{node_modules_with, python_with},
};

const PUSH: &str = "/loki/api/v1/push";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

async fn rows(query: &Query, sql: &str) -> Value {
    let answer = query.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:#}"));
    answer["rows"].clone()
}

async fn until_sealed(query: &Query) {
    let sealed = query.until("every line sealed", Duration::from_secs(30), |metrics| {
        metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_segment_items").is_some_and(|n| *n > 0.0)
    });
    sealed.await.expect("sealed by age");
}

/// Lines whose text has to come back as it is.
fn odd_lines() -> Vec<String> {
    vec![
        format!(
            r#"{{"level":"error","trace_id":"{TRACE}","span_id":"{SPAN}","ms":12.50,"user":{{"id":7}},"tags":[1, "x"]}}"#
        ),
        format!(r#" {{ "traceId" : "{TRACE}" , "ms" : 5 }} "#),
        r#"{"dd":{"trace_id":"11803532876627986230"},"n":-0,"big":1e400,"dup":1,"dup":2}"#.into(),
        r#"{"lone":"\ud800","nul":"\u0000","slash":"\/"}"#.into(),
        r#"{"broken":"#.into(),
        "plain text with a \u{0} in it".into(),
        String::new(),
        format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000)),
    ]
}

#[tokio::test]
async fn pushed_lines_are_found_wherever_they_lie() {
    let weir = Weir::new(72, SMALL);
    let mut server = weir.start().await;
    let now_ns = Clock::system().now_ns();
    let values: Vec<Value> = (0..).zip(odd_lines()).map(|(n, line)| json!([(now_ns + n).to_string(), line])).collect();
    let streams = json!({"streams": [
        {"stream": {"app": "cart", "env": "prod"}, "values": values},
        {"stream": {"pod": "p-1"}, "values": [
            [(now_ns + 50).to_string(), "with metadata", {"trace_id": TRACE, "user": "ann"}],
            [(now_ns + 50).to_string(), "same time"],
            [(now_ns + 50).to_string(), "same time"]]},
    ]});
    let (status, answer) = post_to(PUSH, server.query, JSON, streams.to_string().into()).await;
    assert_eq!((status.as_u16(), &answer[..]), (204, &b""[..]));
    let old = (now_ns - 30 * 24 * 3600 * SECOND_NS).to_string();
    let partly = json!({"streams": [{"stream": {"app": "late"}, "values": [
        [old, "too old"], ["1700000000", "in seconds"], [now_ns.to_string(), "kept"]]}]});
    let (status, answer) = post_to(PUSH, server.query, JSON, partly.to_string().into()).await;
    let words = "rejected log records: too_old 2 (older than storage.accept.past, 7d); times are nanoseconds since 1970; \
                 the other one is kept\n";
    assert_eq!((status.as_u16(), std::str::from_utf8(&answer).expect("text")), (400, words));
    let ready =
        raw(server.query, b"GET /ready HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n", Duration::from_secs(5)).await;
    assert!(ready.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&ready));

    check(&Query::new(server.query), now_ns).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check(&Query::new(server.query), now_ns).await;
    until_sealed(&Query::new(server.query)).await;
    check(&Query::new(server.query), now_ns).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check(&Query::new(server.query), now_ns).await;
}

async fn check(query: &Query, now_ns: u64) {
    let found = rows(query, "SELECT body FROM logs WHERE service = 'cart' ORDER BY time").await;
    let expected: Vec<Value> = odd_lines().into_iter().map(|line| json!({"body": line})).collect();
    assert_eq!(found, Value::from(expected));
    // Fields of JSON bodies are attributes: typed, each number with its own text, the last of a name, nested ones dotted.
    let sql = "SELECT attributes['ms'] AS ms, attr_num(attributes['ms']) AS n, attributes['user.id'] AS id, attributes['tags'] AS tags
        FROM logs WHERE attributes['ms'] > 4 ORDER BY time";
    let expected = json!([{"ms": "12.50", "n": 12.5, "id": "7", "tags": "[1, \"x\"]"}, {"ms": "5", "n": 5.0, "id": null, "tags": null}]);
    assert_eq!(rows(query, sql).await, expected);
    let sql = "SELECT attributes['n'] AS n, attributes['big'] AS big, attributes['dup'] AS dup FROM logs WHERE attributes['dup'] = '2'";
    assert_eq!(rows(query, sql).await, json!([{"n": "-0", "big": "1e400", "dup": "2"}]));
    let sql = "SELECT attributes['lone'] AS l, attributes['nul'] AS n, attributes['slash'] AS s FROM logs WHERE attributes['slash'] = '/'";
    assert_eq!(rows(query, sql).await, json!([{"l": "\u{fffd}", "n": "\u{0}", "s": "/"}]));
    let sql = "SELECT body FROM logs WHERE body LIKE '%metadata%' OR body LIKE '%with meta%'";
    assert_eq!(rows(query, sql).await, json!([{"body": "with metadata"}]));
    let sql = format!("SELECT count(*) AS n FROM logs WHERE body LIKE '%{}%'", &TRACE[3..]);
    assert_eq!(rows(query, &sql).await, json!([{"n": 2}]));
    let sql =
        "SELECT count(*) AS n FROM logs WHERE attributes['broken'] IS NOT NULL OR attributes['a.a.a'] IS NOT NULL";
    assert_eq!(rows(query, sql).await, json!([{"n": 0}]));
    let sql = "SELECT scope_name, service, resource['pod'] AS pod, attributes['user'] AS u, body FROM logs
        WHERE resource['pod'] = 'p-1' ORDER BY time";
    let line = |user: Option<&str>, body: &str| json!({"scope_name": "loki", "service": "unknown_service", "pod": "p-1", "u": user, "body": body});
    let expected = [line(Some("ann"), "with metadata"), line(None, "same time"), line(None, "same time")];
    assert_eq!(rows(query, sql).await, Value::from(expected.to_vec()));
    let (status, trace) = query.json(&format!("/api/v1/trace/{TRACE}")).await.expect("an answer");
    assert_eq!(status, 200);
    let lines = trace["logs"].as_array().expect("lines");
    let bodies: Vec<&str> = lines.iter().filter_map(|line| line["body"]["stringValue"].as_str()).collect();
    let odd = odd_lines();
    // The third line knows the low half of the id only.
    assert_eq!(bodies, [&odd[0], &odd[1], &odd[2], "with metadata"], "{trace}");
    assert_eq!(lines[0]["timeUnixNano"], now_ns.to_string());
    assert_eq!(lines[0]["spanId"], SPAN, "{trace}");
    let sql = format!("SELECT count(*) AS n, count(span_id) AS spans FROM logs WHERE trace_id = '{TRACE}'");
    assert_eq!(rows(query, &sql).await, json!([{"n": 3, "spans": 1}]));
    let (_, ledger) = query.json("/api/v1/ledger").await.expect("an answer");
    let tally = &ledger["logs"]["default"];
    assert_eq!((&tally["accepted"], &tally["kept"]), (&json!(12), &json!(12)), "{ledger}");
    assert_eq!(tally["rejected"], json!({"too_old": 2}));
}

/// Runs a client; what it says is an error.
async fn run(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joins").expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn python_logging_loki_pushes() {
    let Some(python) = python_with("logging_loki") else {
        println!("not run: `make test` installs python-logging-loki (tests/requirements.txt)");
        return;
    };
    let weir = Weir::new(73, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    let mut command = Command::new(python);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/loki.py");
    command.arg(script).arg(format!("http://{}{PUSH}", server.query)).arg(TRACE);
    run(command).await;
    let sql = "SELECT service, resource['app'] AS app, resource['severity'] AS severity, resource['order'] AS o, body, attributes['ms'] AS ms
        FROM logs ORDER BY time";
    let line = |severity: &str, order: Option<&str>, body: &str, ms: Option<&str>| json!({"service": "py-loki", "app": "py-loki", "severity": severity, "o": order, "body": body, "ms": ms});
    let body = format!(r#"{{"level":"error","trace_id":"{TRACE}","ms":12}}"#);
    let expected = [line("info", None, "order placed — ünïcödé", None), line("error", Some("42"), &body, Some("12"))];
    assert_eq!(rows(&query, sql).await, Value::from(expected.to_vec()));
    let (_, trace) = query.json(&format!("/api/v1/trace/{TRACE}")).await.expect("an answer");
    assert_eq!(trace["logs"][0]["body"]["stringValue"], body, "{trace}");
}

#[tokio::test]
async fn pino_loki_pushes() {
    let Some(modules) = node_modules_with("pino-loki") else {
        println!("not run: `make test` installs pino-loki (tests/package.json)");
        return;
    };
    let weir = Weir::new(74, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    let mut command = Command::new("node");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/loki.js");
    command.arg(script).arg(format!("http://{}", server.query)).arg(TRACE).env("NODE_PATH", &modules);
    run(command).await;
    let sql = "SELECT service, resource['application'] AS application, resource['level'] AS level, attributes['msg'] AS msg, attributes['ms'] AS ms
        FROM logs ORDER BY time";
    let line = |level: &str, msg: &str, ms: Option<&str>| json!({"service": "js-loki", "application": "js-loki", "level": level, "msg": msg, "ms": ms});
    let expected = [line("info", "order placed — ünïcödé", Some("12")), line("error", "failed", None)];
    assert_eq!(rows(&query, sql).await, Value::from(expected.to_vec()));
    let (_, trace) = query.json(&format!("/api/v1/trace/{TRACE}")).await.expect("an answer");
    assert_eq!(trace["logs"].as_array().map(Vec::len), Some(1), "{trace}");
}
