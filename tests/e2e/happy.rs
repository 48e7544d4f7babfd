//! The main job: traces in by every protocol and encoding, found by id and by search, before and after sealing and restarts.

use std::time::Duration;

use serde_json::Value;
use weir_benches::{
    client::{Encoding, Protocol},
    load::Plan,
    query::Query,
};

use crate::fixture::{SMALL, Weir};

#[tokio::test]
async fn every_protocol_and_encoding_before_and_after_sealing_and_restarting() {
    let weir = Weir::new(11, SMALL);
    let server = weir.start().await;
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for encoding in [Encoding::None, Encoding::Gzip, Encoding::Zstd] {
            let address = if protocol == Protocol::Grpc { server.grpc } else { server.http };
            let plan = Plan { protocol, encoding, spans: Some(500), ..Plan::new(address) };
            let report = weir.load(plan).await;
            assert!(report.all_acked(), "{protocol:?} {encoding:?}: {report}");
        }
    }
    weir.verify(&server, None).await;
    weir.sealed(&server).await;
    weir.verify(&server, None).await;
    let exit = server.stop(Duration::from_secs(20)).await.expect("stops");
    assert!(exit.success(), "{exit}: {}", weir.options.log());
    let server = weir.start().await;
    weir.verify(&server, None).await;
    weir.send(&server, 500).await;
    weir.verify(&server, None).await;
}

#[tokio::test]
async fn a_jaeger_client_finds_what_was_sent() {
    let weir = Weir::new(12, SMALL);
    let server = weir.start().await;
    weir.send(&server, 3_000).await;
    let query = Query::new(server.query);
    jaeger_finds(&query).await;
    weir.sealed(&server).await;
    jaeger_finds(&query).await;
}

async fn jaeger_finds(query: &Query) {
    let services = data(query, "/jaeger/api/services").await;
    for service in ["frontend", "checkout", "payment"] {
        assert!(services.as_array().expect("a list").contains(&service.into()), "{services}");
    }
    let operations = data(query, "/jaeger/api/services/checkout/operations").await;
    assert!(operations.as_array().expect("a list").contains(&"shop.CheckoutService/PlaceOrder".into()), "{operations}");

    let found = traces(query, "service=frontend&operation=GET%20%2Fsearch&limit=5").await;
    assert_eq!(found.len(), 5);
    for trace in &found {
        assert!(spans(trace).any(|span| span["operationName"] == "GET /search"), "{trace}");
        let id = trace["traceID"].as_str().expect("an id");
        let again = data(query, &format!("/jaeger/api/traces/{id}")).await;
        assert_eq!(spans(&again[0]).count(), spans(trace).count());
    }
    // {"http.response.status_code":"500"}: the text fits the integer.
    let tags = "tags=%7B%22http.response.status_code%22%3A%22500%22%7D";
    let found = traces(query, &format!("service=frontend&{tags}&limit=3")).await;
    assert!(!found.is_empty());
    for trace in &found {
        let failed = |span: &Value| tag(span, "http.response.status_code") == Some(500.into());
        assert!(spans(trace).any(failed), "{trace}");
    }
    // {"error":"true"}
    let found = traces(query, "service=payment&tags=%7B%22error%22%3A%22true%22%7D&limit=3").await;
    assert!(found.iter().all(|trace| spans(trace).any(|span| tag(span, "error") == Some(true.into()))));
    let found = traces(query, "service=frontend&minDuration=50ms&limit=3").await;
    assert!(found.iter().all(|trace| spans(trace).any(|span| span["duration"].as_u64() >= Some(50_000))));
    assert!(traces(query, "service=frontend&operation=none%20such").await.is_empty());
}

async fn traces(query: &Query, parameters: &str) -> Vec<Value> {
    data(query, &format!("/jaeger/api/traces?{parameters}")).await.as_array().expect("a list").clone()
}

/// The `data` of a successful answer.
async fn data(query: &Query, path: &str) -> Value {
    let (status, mut body) = query.json(path).await.expect("an answer");
    assert!(status.is_success(), "{path}: {status} {body}");
    body["data"].take()
}

fn spans(trace: &Value) -> impl Iterator<Item = &Value> {
    trace["spans"].as_array().expect("spans").iter()
}

fn tag(span: &Value, key: &str) -> Option<Value> {
    let tags = span["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].clone())
}
