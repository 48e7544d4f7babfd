//! `/jaeger/api/dependencies`: who calls whom, as Jaeger counts it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::Serialize;

use super::model::{Envelope, Problem};
use crate::{
    dependencies::{self, Callee},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// `lookback` when it is not given, in ms: a day, as in Jaeger.
const LOOKBACK_DEFAULT_MS: u64 = 24 * 3600 * 1000;

/// Nanoseconds of a millisecond.
const MS_NS: u64 = 1_000_000;

/// Jaeger's `DependencyLink`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    parent: &'a str,
    child: &'a str,
    call_count: u64,
    /// Not Jaeger's: how many calls the count, which is then an estimate, rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_seen: Option<u64>,
}

/// Calls between different services, of spans that start within `lookback` before `endTs`; of `service` only if given.
pub(in crate::http) fn dependencies(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let batches = view.scan(&call.tenant, dependencies::request(range(call)?, false));
    let found = dependencies::dependencies(batches.as_ref(), call.deadline);
    let of_service =
        |caller: &str, callee: &str| call.first("service").is_none_or(|service| service == caller || service == callee);
    let mut counts: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for one in &found.dependencies {
        let (caller, callee) = (one.caller.as_str(), one.callee.as_str());
        if one.callee_kind == Callee::Service && caller != callee && of_service(caller, callee) {
            let (calls, seen) = counts.entry((caller, callee)).or_default();
            *calls = calls.saturating_add(one.calls);
            *seen += one.calls_seen;
        }
    }
    let links: Vec<_> = counts
        .into_iter()
        .map(|((parent, child), (call_count, seen))| Link {
            parent,
            child,
            call_count,
            calls_seen: found.weighted.then_some(seen),
        })
        .collect();
    let mut problems = Vec::new();
    if found.partial {
        let msg = "partial: query.timeout, a bound or damaged data left spans out".into();
        problems.push(Problem { msg, trace_id: None });
    }
    problems.extend(Problem::missing(call));
    if found.traces_one_in > 1 {
        let msg = format!("estimated: one in {} traces was counted", found.traces_one_in);
        problems.push(Problem { msg, trace_id: None });
    }
    let mut answer = Answer::json(&Envelope::new(links, 0, problems), call.flag("prettyPrint")?)?;
    answer.partial = found.partial;
    Ok(answer)
}

/// Unix ns of `endTs` (now, unless given) and `lookback`, both in ms.
fn range(call: &Call) -> Result<RangeInclusive<u64>, Failure> {
    let millis = |name: &str| -> Result<Option<u64>, Failure> {
        let Some(text) = call.first(name) else { return Ok(None) };
        let unreadable = || Failure::BadRequest(format!("parameter '{name}' is not a number of milliseconds"));
        text.parse::<i64>().map(|ms| Some(u64::try_from(ms).unwrap_or(0))).map_err(|_| unreadable())
    };
    let end_ms = millis("endTs")?.unwrap_or(call.now_ns / MS_NS);
    let lookback_ms = millis("lookback")?.unwrap_or(LOOKBACK_DEFAULT_MS);
    let start_ns = end_ms.saturating_sub(lookback_ms).saturating_mul(MS_NS);
    // The last millisecond belongs to the range as a whole.
    Ok(start_ns..=end_ms.saturating_mul(MS_NS).saturating_add(MS_NS - 1))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        drawn,
        http::fixtures::{self, Held},
    };

    fn held() -> Held {
        let rows = drawn::rows(
            "
            web/GET 0..90 server
              web/call 10..80 client
                cart/GET 20..70 server error
                  cart/sql 30..40 client db.system=x
                  cart/again 50..60 client
                    cart/GET 52..58 server
              web/call 80..85 client
                cart/GET 81..84 server
            cart/later 2000000..3000000 server parent=1001",
        );
        Held { rows, ..Held::default() }
    }

    fn ask(query: &[(&str, &str)]) -> String {
        String::from_utf8(dependencies(&fixtures::call(&[], query), &held()).expect("answers").body).expect("UTF-8")
    }

    #[test]
    fn answers_in_jaegers_shape() {
        let expected = concat!(
            r#"{"data":[{"parent":"web","child":"cart","callCount":3}],"#,
            r#""total":0,"limit":0,"offset":0,"errors":null}"#
        );
        assert_eq!(ask(&[("endTs", "1000000"), ("lookback", "1000000")]), expected);
        assert_eq!(ask(&[("service", "cart"), ("lookback", "1000000")]), expected);
        let none = r#"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#;
        assert_eq!(ask(&[("service", "stock"), ("lookback", "1000000")]), none);
    }

    #[test]
    fn sampled_calls_are_weighted_and_say_so() {
        let drawn = "web/GET 0..9 client count=20.5\n  cart/GET 2..7 server count=20.5";
        let held = Held { rows: drawn::rows(drawn), ..Held::default() };
        let body = dependencies(&fixtures::call(&[], &[]), &held).expect("answers").body;
        let expected = r#"{"data":[{"parent":"web","child":"cart","callCount":21,"callsSeen":1}],"#;
        assert!(body.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn the_range_is_in_milliseconds() {
        assert!(ask(&[("endTs", "0"), ("lookback", "5")]).contains(r#""callCount":2"#));
        assert!(ask(&[("endTs", "2"), ("lookback", "5")]).contains(r#""callCount":3"#));
        // It is 1000 s past the epoch, and a day is more.
        assert!(ask(&[]).contains(r#""callCount":3"#));
        assert!(ask(&[("lookback", "5")]).contains(r#""data":[]"#));
        for bad in [[("endTs", "x")], [("lookback", "1h")]] {
            let answer = dependencies(&fixtures::call(&[], &bad), &held());
            assert!(matches!(answer, Err(Failure::BadRequest(_))), "{bad:?}");
        }
    }

    #[test]
    fn no_time_left_is_said() {
        let mut call = fixtures::call(&[], &[]);
        call.deadline = Instant::now();
        let answer = dependencies(&call, &held()).expect("answers");
        assert!(answer.partial);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body["data"], serde_json::json!([]));
        assert!(body["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("partial")), "{body}");
    }
}
