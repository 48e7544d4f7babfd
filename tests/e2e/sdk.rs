//! A real OpenTelemetry SDK as the client: what applications send is what Jaeger's clients find.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use weir_benches::query::Query;

use crate::fixture::{SMALL, Weir};

#[tokio::test]
async fn the_python_sdk_sends_by_grpc_and_http() {
    let Some(python) = python() else {
        println!("not run: `make test` installs the OpenTelemetry SDK for Python (tests/requirements.txt)");
        return;
    };
    let weir = Weir::new(51, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    for (protocol, endpoint) in
        [("grpc", format!("http://{}", server.grpc)), ("http/protobuf", format!("http://{}/v1/traces", server.http))]
    {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sdk.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(protocol).arg(&endpoint);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joins").expect("python runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{protocol}: {stderr}");
        let id = String::from_utf8(output.stdout).expect("an id");
        let (status, body) = query.json(&format!("/jaeger/api/traces/{}", id.trim())).await.expect("an answer");
        assert!(status.is_success(), "{protocol}: {status}: {body}");
        check(&body["data"][0]);
        let (_, found) = query
            .json("/jaeger/api/traces?service=sdk-test&tags=%7B%22http.response.status_code%22%3A%22503%22%7D")
            .await
            .expect("an answer");
        let ids: Vec<_> = found["data"].as_array().expect("a list").iter().map(|trace| &trace["traceID"]).collect();
        assert!(ids.contains(&&Value::from(id.trim())), "{protocol}: {found}");
        check_lines(&query, id.trim()).await;
    }
    let untraced = query.sql("SELECT count(*) AS n FROM logs WHERE trace_id IS NULL").await.expect("an answer");
    assert_eq!(untraced["rows"][0]["n"], 2, "one of each protocol");
}

/// The lines that sdk.py writes, joined with its spans.
async fn check_lines(query: &Query, id: &str) {
    let sql = format!(
        "SELECT spans.name, severity_number, body, body_is_json, attributes['order'] AS o, logs.service, logs.scope_name
         FROM logs JOIN (SELECT trace_id, span_id, name FROM spans) spans USING (trace_id, span_id)
         WHERE logs.trace_id = '{id}' ORDER BY time"
    );
    let answer = query.sql(&sql).await.unwrap_or_else(|error| panic!("{error:#}"));
    let line = |name: &str, severity: u64, body: &str, is_json: bool, order: Option<&str>| {
        serde_json::json!({"name": name, "severity_number": severity, "body": body, "body_is_json": is_json, "o": order,
            "service": "sdk-test", "scope_name": "e2e"})
    };
    let expected = [
        line("SELECT orders", 9, r#"{"rows":0,"table":"orders"}"#, true, None),
        line("GET /orders/{id}", 17, "no such order — ünïcödé", false, Some("42")),
    ];
    assert_eq!(answer["rows"], Value::from(expected.to_vec()), "{answer}");
}

#[tokio::test]
async fn the_javascript_sdk_sends_json() {
    let Some(modules) = node_modules() else {
        println!("not run: `make test` installs the OpenTelemetry SDK for JavaScript (tests/package.json)");
        return;
    };
    let weir = Weir::new(52, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    for (exporter, endpoint) in [
        ("otlp", format!("http://{}/v1/traces", server.http)),
        ("zipkin", format!("http://{}/api/v2/spans", server.zipkin)),
    ] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sdk.js");
        let mut command = Command::new("node");
        command.arg(script).arg(exporter).arg(&endpoint).env("NODE_PATH", &modules);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joins").expect("node runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{exporter}: {stderr}");
        let id = String::from_utf8(output.stdout).expect("an id");
        let (status, body) = query.json(&format!("/jaeger/api/traces/{}", id.trim())).await.expect("an answer");
        assert!(status.is_success(), "{exporter}: {status}: {body}");
        match exporter {
            "otlp" => check(&body["data"][0]),
            _ => check_zipkin(&body["data"][0]),
        }
    }
}

/// The trace that sdk.js makes, as far as Zipkin can say it: attributes are text.
fn check_zipkin(trace: &Value) {
    let spans = trace["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), 2, "{trace}");
    let named = |name: &str| spans.iter().find(|span| span["operationName"] == name).expect("its span");
    let (parent, child) = (named("GET /orders/{id}"), named("SELECT orders"));
    assert_eq!(child["references"][0]["spanID"], parent["spanID"]);
    let has = |span: &Value, key: &str, value: Value| {
        span["tags"].as_array().expect("tags").iter().any(|tag| tag["key"] == key && tag["value"] == value)
    };
    assert!(has(parent, "http.response.status_code", "503".into()), "{parent}");
    assert!(has(parent, "span.kind", "server".into()), "{parent}");
    assert!(has(parent, "error", true.into()), "{parent}");
    assert!(has(parent, "otel.status_description", "no such order".into()), "{parent}");
    assert!(has(child, "db.query.text", "SELECT 1 -- ünïcödé".into()), "{child}");
    let event = parent["logs"][0]["fields"].as_array().expect("the exception");
    assert!(event.iter().any(|field| field["key"] == "event" && field["value"] == "exception"), "{parent}");
    let process = &trace["processes"][parent["processID"].as_str().expect("an id")];
    assert_eq!(process["serviceName"], "sdk-test");
}

/// The trace that sdk.py and sdk.js make.
fn check(trace: &Value) {
    let spans = trace["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), 2, "{trace}");
    let named = |name: &str| spans.iter().find(|span| span["operationName"] == name).expect("its span");
    let (parent, child) = (named("GET /orders/{id}"), named("SELECT orders"));
    assert_eq!(child["references"][0]["refType"], "CHILD_OF");
    assert_eq!(child["references"][0]["spanID"], parent["spanID"]);
    let tag = |span: &Value, key: &str| {
        let tags = span["tags"].as_array().expect("tags").clone();
        tags.into_iter().find(|tag| tag["key"] == key).map(|tag| (tag["type"].clone(), tag["value"].clone()))
    };
    assert_eq!(tag(parent, "http.response.status_code"), Some(("int64".into(), 503.into())));
    assert_eq!(tag(parent, "app.ratio"), Some(("float64".into(), 0.25.into())));
    assert_eq!(tag(parent, "app.vip"), Some(("bool".into(), true.into())));
    assert_eq!(tag(parent, "span.kind"), Some(("string".into(), "server".into())));
    assert_eq!(tag(parent, "error"), Some(("bool".into(), true.into())));
    assert_eq!(tag(child, "db.query.text"), Some(("string".into(), "SELECT 1 -- ünïcödé".into())));
    let fields = parent["logs"][0]["fields"].as_array().expect("the exception");
    assert!(fields.iter().any(|field| field["key"] == "exception.message" && field["value"] == "no such order"));
    let process = &trace["processes"][parent["processID"].as_str().expect("an id")];
    assert_eq!(process["serviceName"], "sdk-test");
}

/// Where tests/needs.sh put the SDK for JavaScript.
fn node_modules() -> Option<PathBuf> {
    node_modules_with("@opentelemetry/exporter-zipkin")
}

/// Where tests/needs.sh put this package for JavaScript.
pub(crate) fn node_modules_with(package: &str) -> Option<PathBuf> {
    let target = std::env::current_exe().ok()?.ancestors().nth(3)?.to_owned();
    let modules = target.join("test-npm/node_modules");
    modules.join(package).exists().then_some(modules)
}

/// The Python with the SDK.
fn python() -> Option<String> {
    python_with(
        "opentelemetry.sdk, opentelemetry.exporter.otlp.proto.grpc.trace_exporter, opentelemetry.exporter.otlp.proto.http.trace_exporter, opentelemetry.sdk._logs",
    )
}

/// The Python that can import these: of the environment that tests/needs.sh makes, or of the machine.
pub(crate) fn python_with(modules: &str) -> Option<String> {
    // The test binary lies in <target>/<profile>/deps.
    let target = std::env::current_exe().ok()?.ancestors().nth(3)?.to_owned();
    let candidates = [target.join("test-venv/bin/python3").display().to_string(), "python3".into()];
    candidates.into_iter().find(|python| {
        let exists = python == "python3" || Path::new(python).exists();
        let import = format!("import {modules}");
        exists && Command::new(python).args(["-c", &import]).output().is_ok_and(|output| output.status.success())
    })
}
