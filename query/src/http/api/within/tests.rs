//! Texts that are found in a trace, wherever they stand.

use serde_json::{Value, json};

use super::*;
use crate::{explore::held, http::fixtures::call};

const DRAWN: &str = r#"
web/GET 100..200 server id=161 user=Ärger
  cart/SELECT 150..190 client id=162 db.system=x http.status=500 quote="a\b"
    cart/deep 160..170 id=163 r.zone=eu-1"#;

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_have_it_somewhere() {
    for sealed in [false, true] {
        let held = held::drawn(DRAWN, sealed).await;
        for (q, rows) in [
            ("select", json!([1])),
            ("CART", json!([1, 2])),
            ("äRGER", json!([0])),
            ("db.system", json!([1])),
            ("http.status=500", json!([1])),
            ("http.status=5000", json!([])),
            ("zone=eu", json!([2])),
            (r#""a\b""#, json!([1])),
            ("00000000000000a2", json!([1])),
            (".*", json!([])),
        ] {
            let answer = within(&call(&[("id", "1")], &[("q", q)]), &held.store.snapshot()).expect("answers");
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(body["matches"], rows, "{q}");
        }
        let first =
            within(&call(&[("id", "1")], &[("q", "e"), ("limit", "1")]), &held.store.snapshot()).expect("answers");
        let body: Value = serde_json::from_slice(&first.body).expect("JSON");
        assert_eq!((&body["matches"], &body["matches_left_out"]), (&json!([0]), &json!(2)));
        assert!(matches!(
            within(&call(&[("id", "9")], &[("q", "e")]), &held.store.snapshot()),
            Err(Failure::NotFound(_))
        ));
    }
}
