//! Pages of traces, each trace once.

use serde_json::{Value, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

fn page_of(held: &held::HeldStore, query: &[(&str, &str)]) -> Value {
    let answer = super::search(&call(&[], query), &held.store.snapshot()).expect("answers");
    serde_json::from_slice(&answer.body).expect("JSON")
}

const SHOP: &str = "
web/GET 100..190 server trace=1
  cart/GET 120..170 server error count=1
    cart/sql 130..140 client
web/GET 200..400 server trace=2
  cart/GET 210..220 server
lost/inner 300..310 trace=3 parent=77";

#[tokio::test(flavor = "multi_thread")]
async fn each_trace_in_brief() {
    for sealed in [false, true] {
        let held = held::drawn(SHOP, sealed).await;
        let body = page_of(&held, &[("q", "service=cart")]);
        let id = |n: u64| format!("{n:032x}");
        assert_eq!(body["range"], json!({"start": null, "end": null}));
        assert_eq!((&body["partial"], &body["cursor"]), (&json!(false), &Value::Null));
        let expected = json!([{
            "trace_id": id(2), "start_ns": "200", "duration_ns": 200, "spans": 2, "errors": 0,
            "root": {"service": "web", "operation": "GET", "span_id": "00000000000003ec"}, "root_is_missing": false,
            "services": [{"name": "cart", "spans": 1, "errors": 0}, {"name": "web", "spans": 1, "errors": 0}], "services_left_out": 0,
            "state": "kept", "policy": null, "adjusted_count": 1.0,
            "matched": {"span_id": "00000000000003ed", "service": "cart", "operation": "GET", "start_ns": "210", "duration_ns": 10, "status": "unset"},
            "is_whole": true,
        }, {
            "trace_id": id(1), "start_ns": "100", "duration_ns": 90, "spans": 3, "errors": 1,
            "root": {"service": "web", "operation": "GET", "span_id": "00000000000003e9"}, "root_is_missing": false,
            "services": [{"name": "cart", "spans": 2, "errors": 1}, {"name": "web", "spans": 1, "errors": 0}], "services_left_out": 0,
            "state": "kept", "policy": null, "adjusted_count": 1.0,
            "matched": {"span_id": "00000000000003eb", "service": "cart", "operation": "sql", "start_ns": "130", "duration_ns": 10, "status": "unset"},
            "is_whole": true,
        }]);
        assert_eq!(body["traces"], expected);
        let all = page_of(&held, &[]);
        let roots: Vec<_> =
            all["traces"].as_array().expect("a list").iter().map(|one| one["root_is_missing"].clone()).collect();
        assert_eq!(roots, [json!(true), json!(false), json!(false)]);
        assert_eq!(page_of(&held, &[("q", "nothing=here")])["traces"], json!([]));
    }
}

/// Pages of every size have each trace once, newest match first.
#[tokio::test(flavor = "multi_thread")]
async fn pages_have_each_trace_once() {
    // Traces whose spans overlap in time: an older span of a trace lies within other pages. Some start at the same time.
    let lines = (0..40u64).map(|n| format!("svc/op {}..500 trace={}", n * 7 % 23, 1 + n % 13));
    let drawn = lines.collect::<Vec<_>>().join("\n");
    for sealed in [false, true] {
        let held = held::drawn(&drawn, sealed).await;
        let ids = |body: &Value| -> Vec<String> {
            let traces = body["traces"].as_array().expect("a list").iter();
            traces.filter_map(|one| one["trace_id"].as_str().map(str::to_owned)).collect()
        };
        let whole = ids(&page_of(&held, &[]));
        assert_eq!(whole.len(), 13);
        for limit in ["1", "2", "5", "13"] {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let body = page_of(&held, &[("limit", limit), ("cursor", &cursor)]);
                found.extend(ids(&body));
                match body["cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => break,
                }
            }
            assert_eq!(found, whole, "{limit}");
        }
    }
}

#[test]
fn mistakes_are_named() {
    for (name, value) in [("cursor", "x"), ("cursor", "1-zz"), ("limit", "0"), ("q", "a="), ("from", "x")] {
        let bad = super::search(&call(&[], &[(name, value)]), &crate::http::fixtures::Held::default());
        assert!(matches!(bad, Err(Failure::BadRequest(_) | Failure::BadCondition(_))), "{name}");
    }
}
