//! Keys and values, those of spans before those of resources.

use serde_json::{Value as Json, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

const SHOP: &str = "
web/GET 100..190 server http.route=/a r.zone=x
web/GET 110..190 server http.route=/a
web/GET 120..190 server http.route=/b zone=own r.zone=x
cart/GET 130..190 server <script>=alert(1)";

async fn ask(query: &[(&str, &str)]) -> Json {
    let mut answers = Vec::new();
    for sealed in [false, true] {
        let held = held::drawn(SHOP, sealed).await;
        let mut all = vec![("from", "0")];
        all.extend_from_slice(query);
        let answer = super::attributes(&call(&[], &all), &held.store.snapshot()).expect("answers");
        answers.push(serde_json::from_slice::<Json>(&answer.body).expect("JSON"));
    }
    assert_eq!(answers[0], answers[1]);
    answers.pop().expect("two")
}

fn keys(body: &Json) -> Vec<&str> {
    let attributes = body["attributes"].as_array().expect("a list").iter();
    attributes.filter_map(|one| one["key"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_frequent_values() {
    let body = ask(&[]).await;
    assert_eq!((&body["spans"], &body["partial"]), (&json!(4), &json!(false)));
    assert_eq!(
        keys(&body),
        ["kind", "operation", "service", "service.name", "status", "http.route", "zone", "<script>"]
    );
    let route = &body["attributes"][5];
    let values = json!([{"value": "/a", "spans": 2}, {"value": "/b", "spans": 1}]);
    assert_eq!(
        (&route["values"], &route["distinct"], &route["field"], &route["types"]),
        (&values, &json!(2), &json!(false), &json!(["text"]))
    );
    // The span's own goes before its resource's.
    assert_eq!(body["attributes"][6]["values"], json!([{"value": "own", "spans": 1}, {"value": "x", "spans": 1}]));
    assert_eq!(body["attributes"][0]["field"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_them() {
    assert_eq!(keys(&ask(&[("prefix", "HTTP"), ("values", "false")]).await), ["http.route"]);
    assert_eq!(keys(&ask(&[("q", "service=cart"), ("prefix", "<")]).await), ["<script>"]);
    let values = ask(&[("key", "http.route"), ("value_prefix", "/B")]).await;
    assert_eq!(values["attributes"][0]["values"], json!([{"value": "/b", "spans": 1}]));
    let cut = ask(&[("limit", "2")]).await;
    assert_eq!((keys(&cut), &cut["keys_left_out"]), (vec!["kind", "operation"], &json!(6)));
}

#[test]
fn numbers_keep_their_digits() {
    for (text, expected) in
        [("5", json!(5)), ("0.5", json!(0.5)), ("9223372036854775807", json!("9223372036854775807"))]
    {
        assert_eq!(json_of(&Value::Number(text.into())).0, expected);
    }
    assert_eq!(json_of(&Value::Text("é".repeat(300))), (json!("é".repeat(200)), true));
}
