//! `/api/v1/heatmap`: spans by time and duration.

use serde::Serialize;

use super::{
    asked::{Asked, Because, HOUR_NS, counted, number, rounded},
    range::Understood,
    red::steps_of,
};
use crate::{
    explore::{heatmap::heatmap as ask, red::Counted},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

const STEPS_DEFAULT: usize = 120;
const STEPS_MAX: usize = 500;
const ROWS_DEFAULT: usize = 40;
const ROWS_MAX: usize = 100;

#[derive(Debug, Serialize)]
struct Body {
    range: Understood,
    start_ns: String,
    step_ns: u64,
    steps: u32,
    durations_ns: Vec<u64>,
    partial: bool,
    partial_because: Because,
    weighted: bool,
    spans: u64,
    cells: Cells,
    /// Calls of the fullest.
    calls_max: f64,
}

/// Those that are not empty.
#[derive(Debug, Default, Serialize)]
struct Cells {
    step: Vec<u32>,
    row: Vec<u32>,
    calls: Vec<f64>,
    errors: Vec<f64>,
}

/// Spans of the range that fulfil `q`: entries where it says nothing of which spans, else all.
pub(in crate::http) fn heatmap(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let mut asked = Asked::of(call, HOUR_NS)?.until_now(call);
    let is_broad = asked.conditions.iter().all(|condition| matches!(condition.key.as_str(), "service" | "operation"));
    if counted(call, if is_broad { Counted::Entries } else { Counted::All })? == Counted::Entries {
        asked.plan.of_entries();
    }
    let steps = number(call, "steps", STEPS_DEFAULT, STEPS_MAX)? as u32;
    let rows = number(call, "rows", ROWS_DEFAULT, ROWS_MAX)?;
    let steps = steps_of(call, view, &asked, steps);
    let found = ask(&asked.plan, steps, rows, &|request| view.scan(&call.tenant, request), call.deadline);
    let mut because = Because::default();
    because.late(found.is_late);
    because.damaged(found.is_damaged, call);
    let mut cells = Cells::default();
    for (&(step, row), &(calls, errors)) in &found.cells {
        cells.step.push(step);
        cells.row.push(row);
        cells.calls.push(rounded(calls));
        cells.errors.push(rounded(errors));
    }
    let body = Body {
        range: Understood::of(&asked.start_ns),
        start_ns: steps.start_ns.to_string(),
        step_ns: steps.length_ns,
        steps: steps.count,
        durations_ns: found.bounds_ns,
        partial: because.is_partial(),
        partial_because: because,
        weighted: found.weighted,
        spans: found.spans,
        calls_max: cells.calls.iter().copied().fold(0.0, f64::max),
        cells,
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{explore::held, http::fixtures::call};

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_by_time_and_duration() {
        let drawn = "
web/GET 100..1100 server trace=1
  web/call 110..120 client
web/GET 150..1150 server error trace=2
web/GET 250..100250 server trace=3";
        for sealed in [false, true] {
            let held = held::drawn(drawn, sealed).await;
            let ask = |query: &[(&str, &str)]| -> Value {
                let mut all = vec![
                    ("from", "1970-01-01T00:00:00.0000001Z"),
                    ("to", "1970-01-01T00:00:00.000000299Z"),
                    ("steps", "2"),
                    ("rows", "2"),
                ];
                all.extend_from_slice(query);
                let answer = heatmap(&call(&[], &all), &held.store.snapshot()).expect("answers");
                serde_json::from_slice(&answer.body).expect("JSON")
            };
            let body = ask(&[]);
            assert_eq!(
                body["cells"],
                json!({"step": [0, 1], "row": [0, 1], "calls": [2.0, 1.0], "errors": [1.0, 0.0]})
            );
            let bounds: Vec<u64> =
                body["durations_ns"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
            assert!(
                bounds.len() == 3 && (900..=1000).contains(&bounds[0]) && (100_000..110_000).contains(&bounds[2]),
                "{bounds:?}"
            );
            assert_eq!((&body["spans"], &body["calls_max"], &body["step_ns"]), (&json!(3), &json!(2.0), &json!(100)));
            assert_eq!(ask(&[("q", "kind=client")])["spans"], json!(1));
            assert_eq!(ask(&[("spans", "all")])["spans"], json!(4));
            let nothing = ask(&[("service", "nobody")]);
            assert_eq!((&nothing["durations_ns"], &nothing["cells"]["step"]), (&json!([]), &json!([])));
        }
    }
}
