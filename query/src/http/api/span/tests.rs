//! One span with its neighbours, and what is cut of it.

use serde_json::{Value as Json, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

async fn ask(drawn: &str, span: &str, query: &[(&str, &str)]) -> Json {
    let mut answers = Vec::new();
    for sealed in [false, true] {
        let held = held::drawn(drawn, sealed).await;
        let answer =
            super::span(&call(&[("id", "1"), ("span", span)], query), &held.store.snapshot()).expect("answers");
        answers.push(serde_json::from_slice::<Json>(&answer.body).expect("JSON"));
    }
    assert_eq!(answers[0], answers[1]);
    answers.pop().expect("two")
}

const DRAWN: &str = "
web/root 100..200 server id=1 k8s.pod.name=<script>
  cart/inner 150..190 client id=2 db.system=x r.zone=a
    cart/deep 160..170 id=3
other/consumer 300..310 consumer id=4 link=2";

#[tokio::test(flavor = "multi_thread")]
async fn a_span_with_its_neighbours() {
    let body = ask(DRAWN, "0000000000000002", &[]).await;
    assert_eq!(
        (&body["row"], &body["of_id"], &body["service"], &body["children"]),
        (&json!(1), &json!(1), &json!("cart"), &json!(1))
    );
    assert_eq!(body["parent"], json!({"row": 0, "span_id": "0000000000000001", "service": "web", "operation": "root"}));
    assert_eq!(body["span"]["attributes"], json!([{"key": "db.system", "value": {"stringValue": "x"}}]));
    assert_eq!((&body["span"]["name"], &body["span"]["selfTimeNs"]), (&json!("inner"), &json!("30")));
    let resource = json!([{"key": "service.name", "value": {"stringValue": "cart"}}, {"key": "zone", "value": {"stringValue": "a"}}]);
    assert_eq!(body["resource"]["attributes"], resource);
    assert_eq!(body["linked_from"], json!([{"span_id": "0000000000000004", "row": 3}]));
    let root = ask(DRAWN, "0000000000000001", &[]).await;
    assert_eq!(
        (&root["parent"], &root["span"]["attributes"][0]["value"]["stringValue"]),
        (&Json::Null, &json!("<script>"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_cut_unless_asked_for() {
    let drawn = format!("web/root 1..2 id=1 large={} small=x", "é".repeat(10_000));
    let body = ask(&drawn, "0000000000000001", &[]).await;
    assert_eq!(body["cut"], json!([{"key": "large", "bytes": 20_000}]));
    assert_eq!(
        (&body["logs_left_out"], &body["partial"], &body["partial_because"]),
        (&json!(0), &json!(false), &json!([]))
    );
    let shown = body["span"]["attributes"][0]["value"]["stringValue"].as_str().map(str::len);
    assert_eq!(shown, Some(8192));
    let body = ask(&drawn, "0000000000000001", &[("whole", "true")]).await;
    assert_eq!(
        (&body["cut"], body["span"]["attributes"][0]["value"]["stringValue"].as_str().map(str::len)),
        (&json!([]), Some(20_000))
    );
}

#[test]
fn what_is_cut_of_a_line_is_told_from_the_span() {
    let long = || Some(AnyValue { value: Some(Value::StringValue("x".repeat(9_000))) });
    let attributes = vec![KeyValue { key: "large".into(), value: long(), ..KeyValue::default() }];
    let mut line = LogRecord { body: long(), attributes, ..LogRecord::default() };
    let mut cut = Vec::new();
    shorten_line(&mut line, &mut cut);
    let told: Vec<_> = cut.iter().map(|cut| (cut.key.as_str(), cut.bytes)).collect();
    assert_eq!(told, [("line.body", 9_000), ("line.large", 9_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let held = held::drawn(DRAWN, true).await;
    for (id, span) in [("1", "00000000000000ff"), ("2", "0000000000000001")] {
        let missing = super::span(&call(&[("id", id), ("span", span)], &[]), &held.store.snapshot());
        assert!(matches!(missing, Err(Failure::NotFound(_))), "{missing:?}");
    }
    let bad = super::span(&call(&[("id", "1"), ("span", "x")], &[]), &held.store.snapshot());
    assert!(matches!(bad, Err(Failure::BadRequest(_))));
}
