//! Rows of a waterfall, of whole traces and odd ones.

use serde_json::{Value, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

/// As asked of the same spans in the head and in a segment, which must answer alike.
async fn ask(drawn: &str, query: &[(&str, &str)]) -> Value {
    let mut answers = Vec::new();
    for sealed in [false, true] {
        let held = held::drawn(drawn, sealed).await;
        let answer = columns(&call(&[("id", "1")], query), &held.store.snapshot()).expect("answers");
        answers.push(serde_json::from_slice::<Value>(&answer.body).expect("JSON"));
    }
    assert_eq!(answers[0], answers[1]);
    answers.pop().expect("two")
}

const DRAWN: &str = "
web/root 100..200 server
  web/late 150..190 client
    cart/deep 160..210 server error
  web/early 110..120 client
lost/orphan 90..95 parent=7";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_those_of_a_waterfall() {
    let body = ask(DRAWN, &[]).await;
    let expected = json!({
        "id": "00000000000003ed00000000000003e900000000000003ec00000000000003ea00000000000003eb",
        "parent": [-1, -1, 1, 1, 3], "depth": [0, 0, 1, 1, 2], "descendants": [0, 3, 0, 1, 0],
        "service": body["columns"]["service"], "operation": body["columns"]["operation"],
        "start": [0, 10, 20, 60, 70], "duration": [5, 100, 10, 40, 50], "self": [5, 50, 10, 10, 50],
        "critical": [0, 50, 10, 10, 30], "kind": [1, 2, 3, 3, 2], "status": [0, 0, 0, 0, 2], "flags": [4, 1, 1, 1, 17],
    });
    assert_eq!(body["columns"], expected);
    let names: Vec<_> = body["columns"]["operation"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|at| &body["operations"][at.as_u64().unwrap_or(9) as usize])
        .collect();
    assert_eq!(names, ["orphan", "root", "early", "late", "deep"]);
    assert_eq!(
        (&body["start_ns"], &body["duration_ns"], &body["spans"], &body["state"]),
        (&json!("90"), &json!(120), &json!(5), &json!("kept"))
    );
    assert_eq!(
        (&body["roots"], &body["errors"], &body["depth_max"], &body["overview"]),
        (&json!([0, 1]), &json!([4]), &json!(2), &Value::Null)
    );
    let services: std::collections::BTreeMap<_, _> = body["services"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["name"].as_str().unwrap_or_default(), (one["spans"].as_u64(), one["errors"].as_u64())))
        .collect();
    assert_eq!(services["web"], (Some(3), Some(0)));
    assert_eq!(services["cart"], (Some(1), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_has_an_overview() {
    let body = ask(DRAWN, &[("row", "3"), ("rows", "1")]).await;
    assert_eq!((&body["row"], &body["rows"], &body["spans"]), (&json!(3), &json!(1), &json!(5)));
    assert_eq!((&body["columns"]["parent"], &body["columns"]["descendants"]), (&json!([1]), &json!([1])));
    assert_eq!(body["overview"]["start"], json!([0, 10, 20, 60, 70]));
    let beyond = ask(DRAWN, &[("row", "99")]).await;
    assert_eq!((&beyond["row"], &beyond["rows"]), (&json!(5), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_traces_have_rows_too() {
    // Parents in a circle, one that is sent twice, two that share an id, an end before the start.
    let drawn = "
a 10..20 id=1 parent=2
b 5..30 id=2 parent=1
c 6..7 id=3 parent=2
c 6..7 id=3 parent=2
d 8..9 id=4 parent=2
e 8..12 id=4 parent=2
f 9..1 id=5 parent=1";
    let body = ask(drawn, &[]).await;
    let columns = &body["columns"];
    assert_eq!(columns["parent"], json!([-1, 0, 0, 0, 0, 4]));
    assert_eq!((&body["spans"], &body["partial"]), (&json!(6), &json!(false)));
    let flags: Vec<u64> = columns["flags"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
    assert_eq!(flags[0] & u64::from(flag::CUT_CIRCLE), u64::from(flag::CUT_CIRCLE));
    let shared: Vec<bool> = flags.iter().map(|flags| flags & u64::from(flag::SHARED_ID) != 0).collect();
    assert_eq!(shared, [false, false, true, true, false, false]);
    assert_eq!(flags[5] & u64::from(flag::NO_END), u64::from(flag::NO_END));
    assert_eq!(columns["duration"][5], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_said_and_what_is_not_there_is_not_found() {
    let held = held::drawn(DRAWN, true).await;
    let mut small = call(&[("id", "1")], &[]);
    small.trace_rows_max = 2;
    assert!(matches!(columns(&small, &held.store.snapshot()), Err(Failure::Busy)));
    let missing = call(&[("id", "77")], &[]);
    assert!(matches!(columns(&missing, &held.store.snapshot()), Err(Failure::NotFound(_))));
    let bad = call(&[("id", "1")], &[("row", "x")]);
    assert!(matches!(columns(&bad, &held.store.snapshot()), Err(Failure::BadRequest(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_trace_next_needs_no_new_reading_until_it_grows() {
    use crate::http::api::{span::span, within::within};
    // One is sent twice, and what is looked for stands in its second copy only.
    let drawn = "
web/root 100..200 server id=161
  web/late 150..190 client id=162
    cart/deep 160..210 server error id=163
    cart/deep 160..210 server error id=163 card=visa
  web/early 110..120 client id=164
lost/orphan 90..95 parent=7";
    let text =
        |answer: Result<Answer, Failure>| String::from_utf8(answer.expect("answers").body.to_vec()).expect("text");
    for sealed in [false, true] {
        let held = held::drawn(drawn, sealed).await;
        let snapshot = held.store.snapshot();
        let first = call(&[("id", "1")], &[("rows", "2")]);
        text(columns(&first, &snapshot));
        let again = |query: &[(&str, &str)]| {
            let mut again = call(&[("id", "1"), ("span", "00000000000000a3")], query);
            again.laid_traces = first.laid_traces.clone();
            // Reading is what needs room.
            again.trace_rows_max = 0;
            again
        };
        let anew = |query: &[(&str, &str)]| call(&[("id", "1"), ("span", "00000000000000a3")], query);
        let window = [("row", "2"), ("rows", "9")];
        assert_eq!(text(columns(&again(&window), &snapshot)), text(columns(&anew(&window), &snapshot)));
        for q in ["visa", "web", "00000000000000a4"] {
            let (found, expected) = (within(&again(&[("q", q)]), &snapshot), within(&anew(&[("q", q)]), &snapshot));
            let found = text(found);
            assert!(!found.contains("\"matches\":[]"), "{q}: {found}");
            assert_eq!(found, text(expected));
        }
        assert_eq!(text(span(&again(&[]), &snapshot)), text(span(&anew(&[]), &snapshot)));
        // A span more: what was laid out is not the trace any more.
        let grown = crate::drawn::rows("web/new 300..301 id=170 parent=161");
        held::append(&held.store, grown).await;
        let grown = held.store.snapshot();
        assert!(matches!(columns(&again(&window), &grown), Err(Failure::Busy)));
        let body: Value = serde_json::from_str(&text(columns(&anew(&window), &grown))).expect("JSON");
        assert_eq!(body["spans"], 6, "of five that were there");
    }
}
