//! The demo tells its story, and the page's API leads from the worst service to the guilty version, span and exception.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use weir_benches::{
    query::Query,
    server::{Server, ServerOptions},
};

const SAMPLING: &str = "\
processors:
  tail_sampling:
    decision_wait: 2s
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 50}}
";

/// The answer, which must be whole.
async fn ask(query: &Query, path: &str) -> Value {
    let (status, body) = query.json(path).await.unwrap_or_else(|error| panic!("{path}: {error:#}"));
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The group with these keys.
fn group<'a>(red: &'a Value, keys: &Value) -> &'a Value {
    let found = list(&red["groups"]).iter().find(|group| group["keys"] == *keys);
    found.unwrap_or_else(|| panic!("no {keys} in {red}"))
}

#[tokio::test]
async fn from_the_worst_service_to_the_exception() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_weir"), folder.path());
    options.command = "demo";
    options.more = SAMPLING.into();
    let data = folder.path().join("demo").display().to_string();
    options.args = ["--data", &data, "--rate", "100", "--seed", "7"].map(str::to_owned).to_vec();
    let server = Server::start(&options).await.expect("starts");
    let query = Query::new(server.query);
    let begun = Instant::now();
    while !options.log().contains("half hour is there") {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", options.log());
        sleep(Duration::from_millis(100)).await;
    }

    // Which service is in trouble, and which of its versions.
    let services = ask(&query, "/api/v1/red?by=service&from=-35m&steps=30&limit=50").await;
    assert!(list(&services["groups"]).len() >= 15 && services["weighted"] == json!(true), "{services}");
    let versions = ask(&query, "/api/v1/red?by=service,service.version&q=service%3Dcart&from=-35m&steps=1").await;
    let (new, old) = (group(&versions, &json!(["cart", "1.8.0"])), group(&versions, &json!(["cart", "1.7.4"])));
    let share = |group: &Value| group["error_share"].as_f64().unwrap_or_default();
    assert!((0.05..0.25).contains(&share(new)) && share(old) < 0.02, "{versions}");
    assert!(new["p50_ns"].as_u64() > old["p95_ns"].as_u64(), "{versions}");

    // What its failing calls have in common.
    let path = "/api/v1/differences?service=cart&spans=entry&from=-35m&a.q=error%3Dtrue%20service.version%3D1.8.0";
    let differences = ask(&query, path).await;
    let values: Vec<_> = list(&differences["attributes"])
        .iter()
        .map(|one| (text(&one["key"]), one["values"][0]["value"].clone()))
        .collect();
    assert!(values.contains(&("cloud.region", json!("eu-west-1"))), "{differences}");

    // One of them, its span, and what that says.
    let path = "/api/v1/search?limit=5&q=error.type%3Dshop.cart.PriceTableOverflow%20service%3Dcart";
    let found = ask(&query, path).await;
    let trace = list(&found["traces"]).first().unwrap_or_else(|| panic!("{found}")).clone();
    let (id, span_id) = (text(&trace["trace_id"]), text(&trace["matched"]["span_id"]));
    assert_eq!(text(&trace["root"]["service"]), "frontend");
    let columns = ask(&query, &format!("/api/v1/trace/{id}/columns")).await;
    assert_eq!(columns["spans"], trace["spans"]);
    assert!(list(&columns["errors"]).len() >= 3, "callers suffer: {columns}");
    assert!(!list(&columns["logs"]["row"]).is_empty(), "{columns}");
    let span = ask(&query, &format!("/api/v1/trace/{id}/spans/{span_id}")).await;
    let exception = list(&span["span"]["events"]).iter().find(|event| event["name"] == "exception");
    assert!(exception.is_some_and(|event| event.to_string().contains("price table v2 of eu-west-1")), "{span}");
    assert!(list(&columns["errors"]).contains(&span["row"]), "{span}");

    // Whatever of it somebody pastes.
    for pasted in [id.to_owned(), span_id.to_owned(), format!("00-{id}-{span_id}-01"), format!("ERROR%20trace_id={id}")]
    {
        let found = ask(&query, &format!("/api/v1/find?q={pasted}")).await;
        assert_eq!(found["places"][0]["trace_id"], json!(id), "{pasted}: {found}");
    }
    let status = ask(&query, "/api/v1/status").await;
    assert!(text(&status["configuration"]).contains("tail_sampling"), "{status}");
    let ledger = query.ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.dropped > 0, "{ledger:?}");
    server.stop(Duration::from_secs(30)).await.expect("stops");
    assert!(folder.path().join("demo").exists(), "what was asked to be kept is kept");
}
