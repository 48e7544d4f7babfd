//! `/api/v1/bottlenecks`: where the time of an operation goes, summed over its newest traces.

use serde::Serialize;
use weir_store::{ScanFilter, TraceRows};

use super::range::{Understood, range};
use crate::{
    bottlenecks::{Bottlenecks, Calls, Found},
    explore::newest,
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    trace::fold_resends,
};

/// Traces when `limit` is not given.
const LIMIT_DEFAULT: usize = 200;

/// Traces that are read in one pass.
const TRACES_AT_ONCE: usize = 64;

#[derive(Debug, Serialize)]
struct Body<'a> {
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    range: Understood,
    /// The deadline or a bound left something out.
    partial: bool,
    #[serde(flatten)]
    found: Found,
}

/// The newest `limit` traces with a span of `service`, of the name `operation` if given, that starts between `from` and `to`: where the time
/// of these spans goes.
pub(in crate::http) fn bottlenecks(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let service = call.first("service").ok_or_else(|| Failure::BadRequest("parameter 'service' is required".into()))?;
    let operation = call.first("operation");
    let traces_max = call.limit(LIMIT_DEFAULT)?;
    let start_ns = range(call, u64::MAX)?;
    let filter = ScanFilter {
        services: Some(vec![service.into()]),
        names: operation.map(|name| vec![name.into()]),
        start_ns: start_ns.clone(),
        ..ScanFilter::default()
    };
    let scan = |request| view.scan(&call.tenant, request);
    let found = newest::traces(filter, traces_max, &scan, call.deadline);
    let mut partial = found.is_partial;
    let range = Understood::of(&start_ns);
    let mut bottlenecks = Bottlenecks::new(Calls { service, operation, start_ns });
    let mut left = &found.traces[..];
    while !left.is_empty() {
        if call.is_late() {
            partial = true;
            break;
        }
        let room = &mut |bytes| call.has_room(bytes);
        let some = &left[..left.len().min(TRACES_AT_ONCE)];
        let mut taken = 0;
        for TraceRows { rows, is_damaged, is_cut } in view.traces(&call.tenant, some, call.rows_max(), room)? {
            // Others took its room: by itself it may have enough.
            if is_cut && taken > 0 {
                break;
            }
            taken += 1;
            // Of a trace that is not read whole nobody knows what it waited for: better left out than wrong.
            if is_damaged || is_cut || rows.len() >= call.rows_max() {
                partial = true;
            } else {
                bottlenecks.add(&fold_resends(rows));
            }
        }
        left = &left[taken.max(1)..];
        call.let_rows_go();
    }
    let mut answer = Answer::json(&Body { service, operation, range, partial, found: bottlenecks.found() }, false)?;
    answer.partial = partial;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        drawn,
        http::fixtures::{self, Held},
    };

    /// Two traces.
    fn held(partial: bool) -> Held {
        let mut rows = drawn::rows("shop/order 0..100 trace=1\n  shop/sql 10..90 client db.system=x");
        rows.extend(drawn::rows("shop/order 0..200 trace=2"));
        Held { rows, scans_are_partial: partial, ..Held::default() }
    }

    fn ask(call: &Call, held: &Held) -> (bool, serde_json::Value) {
        let answer = bottlenecks(call, held).expect("answers");
        (answer.partial, serde_json::from_slice(&answer.body).expect("JSON"))
    }

    #[test]
    fn answers_as_documented() {
        let call = fixtures::call(&[], &[("service", "shop"), ("operation", "order")]);
        let (partial, body) = ask(&call, &held(false));
        assert!(!partial);
        let none = |category: &str| serde_json::json!({"category": category, "share": 0.0, "total_ns": 0, "p50_ns": 0, "p95_ns": 0, "p99_ns": 0});
        let expected = serde_json::json!({
            "service": "shop", "operation": "order", "range": {"start": null, "end": null}, "partial": false, "traces": 2, "calls": 2, "calls_seen": 2,
            "weighted": false,
            "duration": {"total_ns": 300, "p50_ns": 100, "p95_ns": 200, "p99_ns": 200},
            "categories": [
                {"category": "own", "share": 220.0 / 300.0, "total_ns": 220, "p50_ns": 20, "p95_ns": 200, "p99_ns": 200},
                {"category": "database", "share": 80.0 / 300.0, "total_ns": 80, "p50_ns": 0, "p95_ns": 80, "p99_ns": 80},
                none("external"), none("queue"), none("cache"),
            ],
            "contributors": [
                {"service": "shop", "operation": "order", "category": "own", "share": 220.0 / 300.0, "total_ns": 220, "spans": 2},
                {"service": "shop", "operation": "sql", "category": "database", "share": 80.0 / 300.0, "total_ns": 80, "spans": 1},
            ],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_was_left_out_is_said() {
        let mut call = fixtures::call(&[], &[("service", "shop")]);
        assert!(ask(&call, &held(true)).0);
        call.spans_max = 1;
        let (partial, body) = ask(&call, &held(false));
        assert!(partial);
        // The larger trace has as many rows as are read at most.
        assert_eq!((body["partial"].as_bool(), body["traces"].as_u64()), (Some(true), Some(1)));
        call.deadline = Instant::now();
        let (partial, body) = ask(&call, &held(false));
        assert!(partial);
        assert_eq!(body["traces"], 0);
    }

    #[test]
    fn parameters_are_checked() {
        for query in [&[][..], &[("service", "a"), ("limit", "0")], &[("service", "a"), ("from", "x")]] {
            let answer = bottlenecks(&fixtures::call(&[], query), &Held::default());
            assert!(matches!(answer, Err(Failure::BadRequest(_))), "{query:?}");
        }
    }
}
