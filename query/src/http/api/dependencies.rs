//! `/api/v1/dependencies`: who calls whom, how often, with what success, and how long it takes.

use serde::Serialize;

use super::range::range;
use crate::{
    dependencies::{self, Dependency},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// How far back when `from` is not given: a day.
const BACK_DEFAULT_NS: u64 = 24 * 3600 * 1_000_000_000;

#[derive(Debug, Serialize)]
struct Body {
    /// Spans looked at.
    spans: u64,
    /// Above 1, calls and errors are estimates from one in so many traces.
    traces_one_in: u64,
    /// Spans stand for others that sampling left out: calls, errors and percentiles are estimates.
    weighted: bool,
    /// The deadline or a bound left something out, or data could not be read.
    partial: bool,
    /// By caller and callee.
    dependencies: Vec<Dependency>,
}

/// Calls of spans that start between `from` and `to`; of `service` only, as caller or callee, if given.
pub(in crate::http) fn dependencies(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let batches = view.scan(&call.tenant, dependencies::request(range(call, BACK_DEFAULT_NS)?, true));
    let found = dependencies::dependencies(batches.as_ref(), call.deadline);
    let mut dependencies = found.dependencies;
    if let Some(service) = call.first("service") {
        dependencies.retain(|one| one.caller == service || one.callee == service);
    }
    let (spans, traces_one_in, weighted, partial) = (found.spans, found.traces_one_in, found.weighted, found.partial);
    let body = Body { spans, traces_one_in, weighted, partial, dependencies };
    let mut answer = Answer::json(&body, false)?;
    answer.partial = found.partial;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        drawn,
        http::fixtures::{self, Held},
    };

    fn ask(query: &[(&str, &str)]) -> String {
        let rows = drawn::rows(
            "
            web/GET 0..90 server
              web/call 10..80 client
                cart/GET 20..70 server error
                  cart/sql 30..40 client db.system=postgresql",
        );
        let answer = dependencies(&fixtures::call(&[], query), &Held { rows, ..Held::default() });
        String::from_utf8(answer.expect("answers").body).expect("UTF-8")
    }

    #[test]
    fn answers_as_documented() {
        let sql = concat!(
            r#"{"caller":"cart","callee":"postgresql","callee_kind":"database","#,
            r#""calls":1,"calls_seen":1,"errors":0,"p50_ns":10,"p99_ns":10}"#
        );
        let cart = concat!(
            r#"{"caller":"web","callee":"cart","callee_kind":"service","#,
            r#""calls":1,"calls_seen":1,"errors":1,"p50_ns":50,"p99_ns":50}"#
        );
        let from = ("from", "0");
        assert_eq!(
            ask(&[from]),
            format!(
                r#"{{"spans":4,"traces_one_in":1,"weighted":false,"partial":false,"dependencies":[{sql},{cart}]}}"#
            )
        );
        let of_web =
            format!(r#"{{"spans":4,"traces_one_in":1,"weighted":false,"partial":false,"dependencies":[{cart}]}}"#);
        assert_eq!(ask(&[from, ("service", "web")]), of_web);
        assert_eq!(
            ask(&[("to", "5"), from]),
            r#"{"spans":1,"traces_one_in":1,"weighted":false,"partial":false,"dependencies":[]}"#
        );
        let bad = dependencies(&fixtures::call(&[], &[("from", "x")]), &Held::default());
        assert!(matches!(bad, Err(Failure::BadRequest(_))));
    }
}
