//! `/jaeger/api/traces`: the newest traces that fit, or those with given ids.

use weir_proto::TraceId;
use weir_store::ReadError;

use super::{
    model::{Envelope, Problem},
    params::Search,
    spans,
    trace::{NOT_FOUND, Passes, Shown, TOO_LARGE},
};
use crate::{
    explore::newest,
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// Searches, then reads the whole of each trace found. Says in `errors` what the deadline or a bound left out.
pub(in crate::http) fn search(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let mut problems = Vec::new();
    let (ids, named, mut partial) = match Search::of(call)? {
        Search::Ids(ids) => (ids, true, false),
        Search::Like { filter, traces_max } => {
            let scan = |request| view.scan(&call.tenant, request);
            let found = newest::traces(*filter, traces_max, &scan, call.deadline);
            (found.traces, false, found.is_partial)
        }
        Search::Nothing => (Vec::new(), false, false),
    };
    if partial {
        problems.push(Problem {
            msg: "partial: the search was cut short by query.timeout, or something cannot be read".into(),
            trace_id: None,
        });
    }
    let mut traces_shown = read_all(call, view, &ids, named, &mut problems, &mut partial)?;
    problems.extend(Problem::missing(call));
    loop {
        let data: Vec<_> =
            traces_shown.iter().map(|shown| spans::trace(shown.id, &shown.rows, shown.warnings())).collect();
        let envelope = Envelope::new(data, 0, problems);
        if let Some(mut answer) = Answer::json_within(&call.allowance, &envelope, call.flag("prettyPrint")?)? {
            answer.partial = partial;
            return Ok(answer);
        }
        problems = envelope.into_problems();
        partial = true;
        problems.extend(leave_out_half(&mut traces_shown)?);
        call.keeps_rows(traces_shown.iter().map(Shown::row_bytes).sum());
    }
}

/// Leaves out half of the traces, or of the only one, since they are too large together.
fn leave_out_half(traces_shown: &mut Vec<Shown>) -> Result<Option<Problem>, Failure> {
    if let [only] = traces_shown.as_mut_slice() {
        return if only.halve() { Ok(None) } else { Err(Failure::Busy) };
    }
    let keep = traces_shown.len() / 2;
    let left_out = traces_shown.len() - keep;
    if left_out == 0 {
        return Err(Failure::Busy);
    }
    traces_shown.truncate(keep);
    let msg = format!("partial: {left_out} more traces are left out ({TOO_LARGE})");
    Ok(Some(Problem { msg, trace_id: None }))
}

/// Reads traces until the deadline or `query.spans_max` is reached.
fn read_all(
    call: &Call,
    view: &dyn View,
    ids: &[TraceId],
    named: bool,
    problems: &mut Vec<Problem>,
    partial: &mut bool,
) -> Result<Vec<Shown>, Failure> {
    let mut traces_shown = Vec::with_capacity(ids.len());
    let mut spans_left = call.spans_max;
    let mut passes = Passes::new(call, view, call.flag("raw")?);
    for (position, &id) in ids.iter().enumerate() {
        if spans_left == 0 || call.is_late() {
            let bound = if spans_left == 0 { "query.spans_max" } else { "query.timeout" };
            let left_out = ids.len() - position;
            problems.push(Problem {
                msg: format!("partial: {left_out} more traces are left out ({bound})"),
                trace_id: None,
            });
            *partial = true;
            break;
        }
        match passes.next(&ids[position..], spans_left) {
            Ok(Some(shown)) => {
                spans_left -= shown.rows.len();
                *partial |= shown.is_partial();
                traces_shown.push(shown);
            }
            Ok(None) if named => problems.push(Problem { msg: NOT_FOUND.into(), trace_id: Some(id.to_string()) }),
            Ok(None) => {}
            Err(Failure::Read(ReadError::Damaged(_))) => {
                let msg = "partial: a trace is in a segment that cannot be read".into();
                problems.push(Problem { msg, trace_id: Some(id.to_string()) });
                *partial = true;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(traces_shown)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::http::fixtures::{self, Held, TRACE, record};

    const OTHER: TraceId = TraceId([0xcd; 16]);

    /// Two traces of 3 spans.
    #[test]
    fn traces_that_cannot_be_read_are_named() {
        let scanned = Some(held(false).rows);
        let held = Held { is_damaged: true, scanned, ..Held::default() };
        let (partial, body) = ask(&fixtures::call(&[], &[("service", "cart")]), &held);
        assert!(partial);
        assert_eq!(body["errors"][0]["traceID"], OTHER.to_string(), "{body}");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(2));
    }

    fn held(partial: bool) -> Held {
        let mut rows: Vec<_> = (1..=3).map(|id| record("cart", id, 5)).collect();
        for id in 1..=3 {
            let mut row = record("cart", id, 9);
            row.span.trace_id = OTHER.0.to_vec();
            rows.push(row);
        }
        Held { rows, scans_are_partial: partial, ..Held::default() }
    }

    fn ask(call: &Call, held: &Held) -> (bool, serde_json::Value) {
        let answer = search(call, held).expect("answers");
        (answer.partial, serde_json::from_slice(&answer.body).expect("JSON"))
    }

    fn ids(body: &serde_json::Value) -> Vec<&str> {
        let traces = body["data"].as_array().expect("a list");
        traces.iter().map(|trace| trace["traceID"].as_str().expect("text")).collect()
    }

    #[test]
    fn whole_traces_newest_first() {
        let (partial, body) = ask(&fixtures::call(&[], &[("service", "cart")]), &held(false));
        assert!(!partial);
        assert_eq!(ids(&body), [OTHER.to_string(), TRACE.to_string()]);
        assert_eq!(body["data"][1]["spans"].as_array().map(Vec::len), Some(3));
        assert!(body["errors"].is_null());
    }

    #[test]
    fn a_search_cut_short_says_so() {
        let (partial, body) = ask(&fixtures::call(&[], &[("service", "cart")]), &held(true));
        assert!(partial);
        assert_eq!(ids(&body).len(), 2);
        assert!(body["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("partial")), "{body}");
    }

    #[test]
    fn no_time_left_says_what_is_missing() {
        let mut call = fixtures::call(&[], &[("service", "cart")]);
        call.deadline = Instant::now();
        let (partial, body) = ask(&call, &held(false));
        assert!(partial);
        assert_eq!(body["data"], serde_json::json!([]));
        assert!(body["errors"][0]["msg"].as_str().is_some_and(|msg| msg.contains("query.timeout")), "{body}");
    }

    #[test]
    fn spans_are_bounded_over_all_traces() {
        let mut call = fixtures::call(&[], &[("service", "cart")]);
        call.spans_max = 3;
        let (partial, body) = ask(&call, &held(false));
        assert!(partial);
        assert_eq!(ids(&body), [OTHER.to_string()]);
        assert_eq!(body["errors"][0]["msg"], "partial: 1 more traces are left out (query.spans_max)");
        call.spans_max = 4;
        let (partial, body) = ask(&call, &held(false));
        assert!(partial);
        assert_eq!(body["data"][1]["spans"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn ids_that_are_not_there_are_named() {
        let call = fixtures::call(&[], &[("traceID", "1"), ("traceID", &TRACE.to_string())]);
        let (partial, body) = ask(&call, &held(false));
        assert!(!partial);
        assert_eq!(ids(&body), [TRACE.to_string()]);
        let missing = serde_json::json!([{"msg": "trace not found", "traceID": format!("{:032x}", 1)}]);
        assert_eq!(body["errors"], missing);
    }
}
