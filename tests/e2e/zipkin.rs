//! Zipkin's spans in, Jaeger's out: before and after sealing, our own and real ones.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use weir_benches::{query::Query, server::Server};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::post_to,
};

/// Spans of any time are kept for good.
const ANY_TIME: &str = "  accept: any\n  retention: {traces: forever}\n";

/// A call over the network whose halves share an id, as Brave's tracers send it, and work within the server.
fn shared_span() -> Value {
    json!([
        {"traceId": "463ac35c9f6413ad", "id": "463ac35c9f6413ad", "name": "get /", "kind": "SERVER", "timestamp": 1_531_282_088_000_000_u64,
         "duration": 100, "localEndpoint": {"serviceName": "gateway"}, "remoteEndpoint": {"ipv4": "1.2.3.4", "port": 80}},
        {"traceId": "463ac35c9f6413ad", "parentId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312", "name": "get", "kind": "CLIENT",
         "timestamp": 1_531_282_088_000_010_u64, "duration": 80, "localEndpoint": {"serviceName": "gateway"}},
        {"traceId": "463ac35c9f6413ad", "parentId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312", "name": "get /content", "kind": "SERVER",
         "shared": true, "timestamp": 1_531_282_088_000_020_u64, "duration": 50, "localEndpoint": {"serviceName": "content"},
         "tags": {"error": "no such page"}, "annotations": [{"timestamp": 1_531_282_088_000_030_u64, "value": "cache miss"}]},
        {"traceId": "463ac35c9f6413ad", "parentId": "a2fb4a1d1a96d312", "id": "0000000000000005", "name": "select",
         "localEndpoint": {"serviceName": "content"}},
    ])
}

#[tokio::test]
async fn halves_of_a_shared_span_are_parent_and_child() {
    let weir = Weir::new(61, &format!("{SMALL}{ANY_TIME}"));
    let server = weir.start().await;
    send(&server, shared_span().to_string().into()).await;
    let query = Query::new(server.query);
    check_shared(&query).await;
    weir.sealed(&server).await;
    check_shared(&query).await;
}

async fn check_shared(query: &Query) {
    let spans = spans(query, "463ac35c9f6413ad", "").await;
    assert_eq!(spans.len(), 4);
    let named = |name: &str| spans.iter().find(|span| span["operationName"] == name).expect("its span");
    let parent = |name: &str| named(name)["references"][0]["spanID"].clone();
    assert_eq!(parent("get"), named("get /")["spanID"]);
    assert_eq!(parent("get /content"), named("get")["spanID"]);
    assert_eq!(parent("select"), named("get /content")["spanID"]);
    assert_ne!(named("get")["spanID"], named("get /content")["spanID"]);
    let has = |key: &str, value: Value| {
        let tags = named("get /content")["tags"].as_array().expect("tags").clone();
        tags.iter().any(|tag| tag["key"] == key && tag["value"] == value)
    };
    assert!(has("error", true.into()) && has("otel.status_description", "no such page".into()));
    assert_eq!(named("get /content")["logs"][0]["fields"][0]["value"], "cache miss");
    assert_eq!(named("select")["startTime"], named("get /")["startTime"], "without a time: the trace's first");
}

#[tokio::test]
async fn real_traces_come_out_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/zipkin");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("not run: there is no {}", folder.display());
        return;
    };
    println!("with {}", folder.display());
    let weir = Weir::new(62, &format!("{SMALL}{ANY_TIME}"));
    let server = weir.start().await;
    let mut originals: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in entries {
        let body = std::fs::read(entry.expect("a readable folder").path()).expect("a readable file");
        for span in serde_json::from_slice::<Vec<Value>>(&body).expect("JSON") {
            originals.entry(span["traceId"].as_str().expect("an id").to_owned()).or_default().push(span);
        }
        send(&server, body).await;
    }
    let query = Query::new(server.query);
    for sealed in [false, true] {
        if sealed {
            weir.sealed(&server).await;
        }
        for (trace_id, originals) in &originals {
            let found = spans(&query, trace_id, "?raw=true").await;
            assert_eq!(signatures(&found, jaeger_signature), signatures(originals, zipkin_signature), "{trace_id}");
        }
    }
}

/// What is compared of each, sorted.
fn signatures(spans: &[Value], signature: fn(&Value) -> String) -> Vec<String> {
    let mut signatures: Vec<String> = spans.iter().map(signature).collect();
    signatures.sort();
    signatures
}

fn zipkin_signature(span: &Value) -> String {
    let mut tags: Vec<String> = Vec::new();
    for (key, value) in span["tags"].as_object().into_iter().flatten() {
        if key != "error" {
            tags.push(format!("{key}={}", value.as_str().expect("text")));
        }
    }
    let parent = if span["parentId"] == span["id"] { &Value::Null } else { &span["parentId"] };
    let kind = span["kind"].as_str().unwrap_or_default().to_lowercase();
    let events = span["annotations"].as_array().map_or(0, Vec::len);
    let duration = span["duration"].as_u64().unwrap_or(0);
    let (id, parent) = (span["id"].as_str(), parent.as_str().unwrap_or_default());
    let (name, error) = (span["name"].as_str().unwrap_or_default(), span["tags"].get("error").is_some());
    format!("{id:?} {parent} {name:?} {kind} {duration} {events} {error} {}", tags.join(" "))
}

fn jaeger_signature(span: &Value) -> String {
    let (mut tags, mut kind, mut error) = (Vec::new(), String::new(), false);
    for tag in span["tags"].as_array().expect("tags") {
        let key = tag["key"].as_str().expect("a key");
        match key {
            "span.kind" => kind = tag["value"].as_str().expect("text").to_owned(),
            "error" => error = true,
            "otel.status_code" | "otel.status_description" | "otel.zipkin.absentField.startTime" | "peer.service" => {}
            _ if key.starts_with("network.") || key.starts_with("weir.") => {}
            _ => tags.push(format!("{key}={}", tag["value"].as_str().expect("text"))),
        }
    }
    let (id, parent) = (span["spanID"].as_str(), span["references"][0]["spanID"].as_str().unwrap_or_default());
    let name = span["operationName"].as_str().expect("a name");
    let (duration, events) = (&span["duration"], span["logs"].as_array().map_or(0, Vec::len));
    format!("{id:?} {parent} {name:?} {kind} {duration} {events} {error} {}", tags.join(" "))
}

async fn send(server: &Server, body: Vec<u8>) {
    let (status, body) = post_to("/api/v2/spans", server.zipkin, &[("content-type", "application/json")], body).await;
    assert_eq!((status.as_u16(), &body[..]), (202, &b""[..]));
}

async fn spans(query: &Query, trace_id: &str, parameters: &str) -> Vec<Value> {
    let (status, body) = query.json(&format!("/jaeger/api/traces/{trace_id}{parameters}")).await.expect("an answer");
    assert!(status.is_success(), "{trace_id}: {status} {body}");
    body["data"][0]["spans"].as_array().expect("spans").clone()
}
