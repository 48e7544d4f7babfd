//! What people paste, and why some of it leads nowhere.

use serde_json::{Value, json};
use weir_proto::TraceId;

use super::*;
use crate::{
    explore::held,
    http::fixtures::{Held, call},
};

const SHOP: &str = "
web/GET 100..190 server trace=171 id=161 http.route=/cart
  cart/SELECT 120..170 client id=162 r.k8s.pod.name=cart-7f
mailer/send 1000..1100 trace=172 id=163";

fn ask(source: &dyn OpensViews, q: &str) -> Value {
    let answer = find(&call(&[], &[("q", q)]), source).expect("answers");
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_pasted() {
    let trace = format!("{:032x}", 171);
    let place = |span: Value| json!({"kind": "trace", "trace_id": trace, "span_id": span, "start_ns": "100", "service": "web", "operation": "GET", "state": "kept"});
    for sealed in [false, true] {
        let held = held::drawn(SHOP, sealed).await;
        let ask = |q: &str| ask(&held.store, q);
        for (q, read_as, first) in [
            (trace.as_str(), "trace_id", place(Value::Null)),
            (&format!("00-{trace}-00000000000000a2-01"), "traceparent", place(json!("00000000000000a2"))),
            (&format!("http://x:16686/trace/{trace}"), "jaeger_link", place(Value::Null)),
            (&format!("ERROR trace_id={trace} broke"), "log_line", place(Value::Null)),
            ("mailer", "text", json!({"kind": "service", "service": "mailer"})),
            ("sele", "text", json!({"kind": "operation", "service": "cart", "operation": "SELECT"})),
            (
                "cart-7f",
                "text",
                json!({"kind": "attribute", "key": "k8s.pod.name", "value": "cart-7f", "service": "cart", "q": "k8s.pod.name=cart-7f"}),
            ),
            (
                "/cart",
                "text",
                json!({"kind": "attribute", "key": "http.route", "value": "/cart", "service": "web", "q": "http.route=/cart"}),
            ),
            ("service=cart status=error", "text", json!({"kind": "search", "q": "service=cart status=error"})),
        ] {
            let body = ask(q);
            assert_eq!(
                (&body["read_as"], &body["places"][0], &body["nothing"]),
                (&json!(read_as), &first, &Value::Null),
                "{q}"
            );
        }
        let span = ask("00000000000000a3");
        assert_eq!(span["read_as"], "span_id");
        let expected = json!({"kind": "trace", "trace_id": format!("{:032x}", 172), "span_id": "00000000000000a3", "start_ns": null, "service": "mailer", "operation": "send", "state": "kept"});
        assert_eq!(span["places"], json!([expected]));
    }
}

#[test]
fn why_there_is_nothing() {
    let id = |n: u8| TraceId([n; 16]);
    let verdict = |keep| RememberedVerdict { keep, policy: "some".into() };
    let held = Held { verdicts: vec![(id(1), verdict(false)), (id(2), verdict(true))], ..Held::default() };
    let dropped = ask(&held, &id(1).to_string());
    let expected = json!({"reason": "dropped", "policy": "some", "trace_id": id(1).to_string(), "message": "Sampling dropped this trace: the policy some decided so."});
    assert_eq!((&dropped["places"], &dropped["nothing"]), (&json!([]), &expected));
    assert_eq!(ask(&held, &id(2).to_string())["nothing"]["reason"], "expired");
    assert_eq!(ask(&held, &id(3).to_string())["nothing"]["reason"], "not_arrived");
    assert_eq!(ask(&held, "nobody")["nothing"]["reason"], "not_found");
    // It is 1000 s past the epoch.
    let new = ask(&held, &format!("1970-01-01T00:16:30Z trace {}", id(4)));
    assert_eq!(
        (&new["nothing"]["reason"], new["nothing"]["message"].as_str().map(|text| text.contains("less than a minute"))),
        (&json!("not_arrived"), Some(true))
    );
    assert!(matches!(find(&call(&[], &[]), &held), Err(Failure::BadRequest(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_all_is_expired() {
    let held = held::drawn(
        &SHOP
            .replace("100..190", "2000000000000000..2000000000000001")
            .replace("120..170", "2000000000000000..2000000000000001")
            .replace("1000..1100", "2000000000000000..2000000000000001"),
        true,
    )
    .await;
    let body = ask(&held.store, &format!("at=1970-01-01T00:00:01.5 trace_id={}", "ab".repeat(16)));
    assert_eq!(body["nothing"]["reason"], "expired");
    assert_eq!(
        body["nothing"]["message"],
        "This is of 1970-01-01T00:00:01.5Z; the oldest span here is of 1970-01-24T03:33:20Z."
    );
}

#[test]
fn values_are_written_as_conditions_read_them() {
    for (value, expected) in [("a", "k=a"), ("a b", "k=\"a b\""), ("", "k=\"\""), ("\"x", "k=\"\\\"x\"")] {
        assert_eq!(condition_text("k", value), expected);
        assert!(condition::parse(expected).is_ok());
    }
    for key in ["[idx]", "(a", "{b}", "a b", "a=b", "", "\"", "!a", "a[0]", "and", "Ä.ö"] {
        let text = condition_text(key, "zebra");
        let keys: Vec<String> =
            condition::parse(&text).expect(&text).into_iter().map(|condition| condition.key).collect();
        assert_eq!(keys, [key], "{text}");
    }
}
