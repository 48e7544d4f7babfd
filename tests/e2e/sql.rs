//! SQL through the real port: the questions of docs/sql.md, and whether DuckDB, reading the same segments, agrees.

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::Value;
use weir_benches::{client::Http1, query::Query, shop::Traffic};

use crate::fixture::Weir;

const PAGE: &str = include_str!("../../docs/sql.md");

/// The trace in the page's example.
pub(crate) const EXAMPLE_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Sealed in one go: nothing is merged while DuckDB reads.
const SEALED_ONCE: &str = "  free_min: 1MiB
  journal: {file_age_max: 300ms}
  seal: {age_max: 600ms}
";

/// How far numbers may be apart that are computed in another order, or a percentile that is 1/256 off.
const RELATIVE_ERROR_MAX: f64 = 0.01;

/// POST a query: status and JSON.
pub(crate) async fn ask(address: SocketAddr, text: impl Into<Bytes>) -> (StatusCode, Value) {
    let request = Request::post("/api/v1/sql").header("host", address.to_string());
    let request = request.body(Full::new(text.into())).expect("a request");
    let (status, body) = Http1::new(address).send(request).await.expect("an answer, not a broken connection");
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{status}: {}", String::from_utf8_lossy(&body))))
}

/// Its rows, values in the order of the columns.
pub(crate) async fn rows(address: SocketAddr, text: &str) -> Vec<Vec<Value>> {
    let (status, answer) = ask(address, text.to_owned()).await;
    assert!(status == StatusCode::OK && answer["error"].is_null(), "{text}: {status}: {}", answer["error"]);
    let columns = answer["columns"].as_array().expect("columns");
    let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().expect("a name")).collect();
    let rows = answer["rows"].as_array().expect("rows").iter();
    rows.map(|row| names.iter().map(|&name| row[name].clone()).collect()).collect()
}

/// The page's queries with their headings.
pub(crate) fn documented() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in PAGE.split("\n### ").skip(1) {
        let heading = part.lines().next().expect("a heading").to_owned();
        let text = part.split("```sql\n").nth(1).and_then(|text| text.split("```").next()).expect("a query");
        found.push((heading, text.to_owned()));
    }
    found
}

#[tokio::test]
async fn duckdb_agrees_on_the_documented_queries() {
    let mut weir = Weir::new(71, SEALED_ONCE);
    // Large batches, many of them different: each question has something to find.
    weir.traffic = Arc::new(Traffic::new(71, 200, 128));
    let server = weir.start().await;
    weir.send(&server, 20_000).await;
    weir.sealed(&server).await;
    let largest = "SELECT trace_id FROM spans GROUP BY trace_id ORDER BY count(*) DESC, trace_id LIMIT 1";
    let trace = rows(server.query, largest).await[0][0].as_str().expect("an id").to_owned();
    let questions = documented();
    assert_eq!(questions.len(), 15);
    let mut answers = Vec::new();
    for (heading, text) in &questions {
        let found = rows(server.query, &text.replace(EXAMPLE_TRACE, &trace)).await;
        assert!(!found.is_empty(), "{heading}: no rows");
        answers.push(found);
    }
    server.stop(Duration::from_secs(30)).await.expect("stops");
    let Some(others) = duckdb(&weir.options.data.join("segments/traces/default"), &trace).await else {
        println!("not compared: `make test` installs DuckDB for Python (tests/requirements.txt)");
        return;
    };
    for ((heading, _), (ours, theirs)) in questions.iter().zip(answers.iter().zip(&others)) {
        assert_eq!(ours.len(), theirs.len(), "{heading}: rows\n{ours:?}\n{theirs:?}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!(
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(alike),
                "{heading}: {ours:?} or {theirs:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_documented_queries_are_answered_before_anything_is_sealed() {
    let mut weir = Weir::new(79, crate::fixture::NEVER_SEAL);
    weir.traffic = Arc::new(Traffic::new(79, 200, 128));
    let server = weir.start().await;
    weir.send(&server, 10_000).await;
    let largest = "SELECT trace_id FROM spans GROUP BY trace_id ORDER BY count(*) DESC, trace_id LIMIT 1";
    let trace = rows(server.query, largest).await[0][0].as_str().expect("an id").to_owned();
    for (heading, text) in documented() {
        assert!(!rows(server.query, &text.replace(EXAMPLE_TRACE, &trace)).await.is_empty(), "{heading}: no rows");
    }
    let metrics = Query::new(server.query).metrics().await.expect("metrics");
    assert!(metrics.get("weir_segments").is_none_or(|segments| *segments == 0.0));
}

/// Whether they are the same but for rounding.
pub(crate) fn alike((ours, theirs): (&Value, &Value)) -> bool {
    match (ours.as_i64(), theirs.as_i64()) {
        (Some(ours), Some(theirs)) => return ours == theirs,
        _ if ours == theirs => return true,
        _ => {}
    }
    let (Some(ours), Some(theirs)) = (ours.as_f64(), theirs.as_f64()) else { return false };
    (ours - theirs).abs() <= ours.abs().max(theirs.abs()) * RELATIVE_ERROR_MAX
}

/// The questions as DuckDB is asked them.
pub(crate) fn duckdb_queries(trace: &str) -> Vec<String> {
    let query = |number: u32| {
        let file = format!("{}/tests/e2e/sql/{number:02}.duckdb.sql", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(file).expect("a query for DuckDB").replace(EXAMPLE_TRACE, trace)
    };
    (1..=15).map(query).collect()
}

/// What DuckDB says to the queries of tests/e2e/sql/; `None` where it is not installed.
async fn duckdb(segments: &Path, trace: &str) -> Option<Vec<Vec<Vec<Value>>>> {
    let python = crate::sdk::python_with("duckdb")?;
    let queries = duckdb_queries(trace);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/duckdb_asks.py");
    let mut command = Command::new(python);
    command.arg(script).arg(segments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let asking = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("python runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(serde_json::to_string(&queries).expect("JSON").as_bytes()).expect("python reads");
        drop(stdin);
        child.wait_with_output().expect("python ends")
    });
    let output = asking.await.expect("joins");
    assert!(output.status.success(), "DuckDB failed: {}", String::from_utf8_lossy(&output.stdout));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_next_query() {
    let weir = Weir::new(72, crate::fixture::SMALL);
    let server = weir.start().await;
    for sent in [1_000_u64, 3_000, 6_000] {
        weir.send(&server, sent).await;
        let counted = rows(server.query, "SELECT count(*), count(DISTINCT span_id) FROM spans").await;
        let accepted = Query::new(server.query).ledger().await.expect("a ledger").accepted;
        assert_eq!(counted, [[Value::from(accepted), Value::from(accepted)]]);
    }
}

#[tokio::test]
async fn the_command_line_asks() {
    let weir = Weir::new(73, crate::fixture::SMALL);
    let server = weir.start().await;
    weir.send(&server, 1_000).await;
    let endpoint = format!("http://{}", server.query);
    let run = |arguments: &[&str], stdin: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("sql").args(["--endpoint", &endpoint]).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("read");
        let output = child.wait_with_output().expect("ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let table = run(&["SELECT count(*) AS n, 'x' AS x FROM spans"], "");
    assert_eq!(table, (Some(0), "   n | x\n-----+--\n1000 | x\n(1 row)\n".into(), String::new()));
    let csv = run(&["--format", "csv", "-"], "SELECT 'a,b' AS \"c\"\"d\", NULL AS e");
    assert_eq!(csv, (Some(0), "\"c\"\"d\",e\r\n\"a,b\",\r\n".into(), String::new()));
    let json = run(&["--format", "json", "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY a"], "");
    assert_eq!(json, (Some(0), "{\"a\":1}\n{\"a\":2}\n".into(), String::new()));
    let wrong = run(&["DROP TABLE spans"], "");
    assert_eq!(wrong, (Some(1), String::new(), "weir: only SELECT, WITH, VALUES and EXPLAIN are answered\n".into()));
    let plan = run(&["EXPLAIN SELECT service FROM spans"], "").1;
    assert!(plan.contains("\nphysical_plan | ") && !plan.contains("\\n"), "{plan}");
    let elsewhere = format!("{endpoint}/elsewhere");
    let elsewhere =
        Command::new(env!("CARGO_BIN_EXE_weir")).args(["sql", "--endpoint", &elsewhere, "SELECT 1"]).output();
    let said = String::from_utf8(elsewhere.expect("starts").stderr).expect("UTF-8");
    let expected = format!("weir: no weir answers SQL at {endpoint}/elsewhere/api/v1/sql;");
    assert!(said.starts_with(&expected) && said.ends_with("the answer is 404 Not Found\n"), "{said}");
    let nobody =
        Command::new(env!("CARGO_BIN_EXE_weir")).args(["sql", "--endpoint", "http://127.0.0.1:1", "SELECT 1"]).output();
    let nobody = nobody.expect("starts");
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert!(nobody.status.code() == Some(1) && said.starts_with("weir: cannot reach http://127.0.0.1:1;"), "{said}");
}
