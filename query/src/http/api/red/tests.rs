//! Groups, steps and conditions, of the same spans in the head and in a segment.

use serde_json::{Value, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

/// As asked of the same spans in the head and in a segment, which must answer alike.
async fn ask(drawn: &str, query: &[(&str, &str)]) -> Value {
    let mut answers = Vec::new();
    for sealed in [false, true] {
        let held = held::drawn(drawn, sealed).await;
        let answer = red(&call(&[], query), &held.store.snapshot()).expect("answers");
        answers.push(serde_json::from_slice::<Value>(&answer.body).expect("JSON"));
    }
    assert_eq!(answers[0], answers[1]);
    answers.pop().expect("two")
}

const SHOP: &str = "
web/GET 100..190 server trace=1
  web/call 110..180 client
    cart/GET 120..170 server error service.version=1.8
      cart/sql 130..140 client db.system=x
web/GET 200..400 server trace=2
  cart/GET 210..220 server service.version=1.7
batch/run 300..310 internal trace=3
jobs/inner 300..340 internal trace=4 parent=77";

fn range<'a>() -> [(&'a str, &'a str); 2] {
    [("from", "1970-01-01T00:00:00.0000001Z"), ("to", "1970-01-01T00:00:00.000000399Z")]
}

#[tokio::test(flavor = "multi_thread")]
async fn by_service_entries_count() {
    let mut query = range().to_vec();
    query.push(("steps", "3"));
    let body = ask(SHOP, &query).await;
    assert_eq!((&body["start_ns"], &body["step_ns"], &body["spans"]), (&json!("100"), &json!(100), &json!(6)));
    let keys: Vec<_> = body["groups"].as_array().expect("a list").iter().map(|group| group["keys"].clone()).collect();
    // Of jobs nothing is an entry: all of it counts.
    assert_eq!(keys, [json!(["cart"]), json!(["web"]), json!(["batch"]), json!(["jobs"])]);
    let cart = &body["groups"][0];
    assert_eq!((&cart["calls"], &cart["errors"], &cart["error_share"]), (&json!(2.0), &json!(1.0), &json!(0.5)));
    assert_eq!((&cart["p50_ns"], &cart["p99_ns"], &cart["max_ns"]), (&json!(10), &json!(50), &json!(50)));
    let steps = json!({"calls": [1.0, 1.0, 0.0], "errors": [1.0, 0.0, 0.0], "p50_ns": [50, 10, null], "p95_ns": [50, 10, null], "p99_ns": [50, 10, null]});
    assert_eq!(cart["steps"], steps);
    assert_eq!(
        (&body["partial"], &body["partial_because"], &body["weighted"]),
        (&json!(false), &json!([]), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn by_two_keys_of_some() {
    let mut query = range().to_vec();
    query.extend([("steps", "1"), ("by", "service,service.version"), ("q", "service=cart"), ("spans", "all")]);
    let body = ask(SHOP, &query).await;
    let groups: Vec<_> = body["groups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| (group["keys"].clone(), group["calls"].clone()))
        .collect();
    let expected = [
        (json!(["cart", null]), json!(1.0)),
        (json!(["cart", "1.7"]), json!(1.0)),
        (json!(["cart", "1.8"]), json!(1.0)),
    ];
    assert_eq!(groups, expected);
    assert_eq!(body["groups"][0].get("steps"), None);
    query.push(("limit", "1"));
    let body = ask(SHOP, &query).await;
    assert_eq!((body["groups"].as_array().map(Vec::len), &body["groups_left_out"]), (Some(1), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_condition_chooses() {
    for (q, operations) in [
        ("kind=client", "call sql"),
        ("status=error", "GET"),
        ("error=false operation!=GET", "call inner run sql"),
        ("duration>=50ns duration<90ns", "GET call"),
        ("db.system", "sql"),
        ("service!=web !db.system !service.version", "inner run"),
        ("service.version>1.7", "GET"),
        ("service.version=~\"1[.].\"", "GET"),
        ("service.version!~1.*", "GET call inner run sql"),
        ("!parent", "GET run"),
        ("entry=false", "call inner sql"),
        ("parent=000000000000004d", "inner"),
        ("trace=1 service=~c.*", "GET sql"),
        ("state=kept duration=70ns", "call"),
        ("state=pending", ""),
        ("service=web service=cart", ""),
    ] {
        let mut query = range().to_vec();
        query.extend([("by", "operation"), ("spans", "all"), ("q", q)]);
        let body = ask(SHOP, &query).await;
        let groups = body["groups"].as_array().expect("a list");
        let mut names: Vec<_> = groups.iter().filter_map(|group| group["keys"][0].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), operations, "{q}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_span_stands_for_counts() {
    let drawn = "web/a 0..10 server trace=1 th=8\nweb/a 0..90 server trace=2";
    let body = ask(drawn, &[("from", "0"), ("to", "1"), ("steps", "1")]).await;
    let group = &body["groups"][0];
    assert_eq!((&group["calls"], &group["spans"], &body["weighted"]), (&json!(3.0), &json!(2), &json!(true)));
    assert_eq!((&group["p50_ns"], &group["p99_ns"]), (&json!(10), &json!(90)));
}

#[test]
fn mistakes_are_named() {
    let held = crate::http::fixtures::Held::default();
    for (query, said) in [
        ([("by", "a,b,c")], "one key or two"),
        ([("steps", "0")], "'steps' is not a number above 0"),
        ([("spans", "some")], "'entry' or 'all'"),
        ([("q", "duration>5")], "is written like 300ms"),
        ([("q", "kind=x")], "is one of unspecified"),
        ([("q", "a>b")], "with a number only, at byte 0"),
    ] {
        let error = red(&call(&[], &query), &held).expect_err("refused").to_string();
        assert!(error.contains(said), "{query:?}: {error}");
    }
}
