//! Who calls whom and where time goes, against the same counted by hand from whole traces, before and after sealing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use weir_benches::query::Query;

use crate::fixture::{SMALL, Weir};

#[tokio::test]
async fn dependencies_and_critical_paths_fit_the_traces() {
    let weir = Weir::new(13, SMALL);
    let server = weir.start().await;
    weir.send(&server, 800).await;
    let query = Query::new(server.query);
    let expected = calls_by_hand(&query).await;
    assert!(expected.len() > 10, "{expected:?}");
    assert_eq!(jaegers_calls(&query).await, expected);
    paths_add_up(&query).await;
    let before = get(&query, "/api/v1/dependencies").await;
    weir.sealed(&server).await;
    assert_eq!(jaegers_calls(&query).await, expected);
    let mut after = get(&query, "/api/v1/dependencies").await;
    // Each call asks for the day before itself.
    after["range"] = before["range"].clone();
    assert_eq!(after, before);
    assert_eq!((before["spans"].as_u64(), before["partial"].as_bool()), (Some(800), Some(false)));
    let kinds: BTreeSet<_> =
        list(&before["dependencies"]).iter().filter_map(|one| one["callee_kind"].as_str()).collect();
    assert!(kinds.is_superset(&BTreeSet::from(["service", "database", "cache"])), "{kinds:?}");
    paths_add_up(&query).await;
}

type Calls = BTreeMap<(String, String), u64>;

async fn jaegers_calls(query: &Query) -> Calls {
    let answer = get(query, "/jaeger/api/dependencies").await;
    assert!(answer["errors"].is_null(), "{answer}");
    let call =
        |one: &Value| ((text(&one["parent"]), text(&one["child"])), one["callCount"].as_u64().expect("a number"));
    list(&answer["data"]).iter().map(call).collect()
}

/// Children of another service, in all traces. No link of the shop's is a message without a parent, or to its sender.
async fn calls_by_hand(query: &Query) -> Calls {
    let (mut calls, mut seen) = (Calls::new(), BTreeSet::new());
    let services = get(query, "/jaeger/api/services").await;
    for service in list(&services["data"]) {
        let traces = get(query, &format!("/jaeger/api/traces?service={}&limit=1500", text(service))).await;
        assert!(traces["errors"].is_null());
        for trace in list(&traces["data"]).iter().filter(|trace| seen.insert(text(&trace["traceID"]))) {
            let mut services = HashMap::new();
            for span in list(&trace["spans"]) {
                services
                    .insert(text(&span["spanID"]), text(&trace["processes"][text(&span["processID"])]["serviceName"]));
            }
            for span in list(&trace["spans"]) {
                let callee = &services[&text(&span["spanID"])];
                let of_parent = |one: &&Value| one["refType"] == "CHILD_OF";
                let parent = list(&span["references"]).iter().find(of_parent).map(|one| text(&one["spanID"]));
                if let Some(caller) = parent.and_then(|id| services.get(&id)).filter(|caller| *caller != callee) {
                    *calls.entry((caller.clone(), callee.clone())).or_default() += 1;
                }
            }
        }
    }
    calls
}

/// The path of each trace is as long as its root, and that of an operation's calls as they together.
async fn paths_add_up(query: &Query) {
    let found = get(query, "/jaeger/api/traces?service=checkout&limit=50").await;
    let mut traces = 0;
    for trace in list(&found["data"]) {
        let otlp = get(query, &format!("/api/v1/trace/{}", text(&trace["traceID"]))).await;
        let of_scopes = |group: &Value| list(&group["scopeSpans"]).clone();
        let scopes = list(&otlp["resourceSpans"]).iter().flat_map(of_scopes);
        let spans: Vec<Value> = scopes.flat_map(|scope| list(&scope["spans"]).clone()).collect();
        let ids: BTreeSet<_> = spans.iter().map(|span| text(&span["spanId"])).collect();
        let is_root = |span: &&Value| span["parentSpanId"].as_str().is_none_or(|parent| !ids.contains(parent));
        let roots: Vec<_> = spans.iter().filter(is_root).collect();
        let last_ns = spans.iter().map(|span| ns(span, "endTimeUnixNano")).max().expect("spans");
        // What outlives the only root has a path of its own.
        if roots.len() != 1 || last_ns > ns(roots[0], "endTimeUnixNano") {
            continue;
        }
        let path_ns: u64 = spans.iter().map(|span| ns(span, "criticalPathNs")).sum();
        assert_eq!(path_ns, ns(roots[0], "endTimeUnixNano") - ns(roots[0], "startTimeUnixNano"), "{otlp}");
        traces += 1;
    }
    assert!(traces > 0, "whole traces among {found}");
    let answer = get(query, "/api/v1/bottlenecks?service=checkout&operation=shop.CheckoutService%2FPlaceOrder").await;
    let categories = list(&answer["categories"]);
    let total_ns: u64 = categories.iter().map(|one| one["total_ns"].as_u64().expect("a number")).sum();
    assert!(answer["calls"].as_u64() > Some(0) && categories.len() == 5, "{answer}");
    assert_eq!(answer["duration"]["total_ns"].as_u64(), Some(total_ns), "{answer}");
}

async fn get(query: &Query, path: &str) -> Value {
    let (status, body) = query.json(path).await.expect("an answer");
    assert!(status.is_success(), "{path}: {status} {body}");
    body
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn ns(span: &Value, key: &str) -> u64 {
    text(&span[key]).parse().expect("a number")
}
