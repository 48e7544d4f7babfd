//! `/api/v1/red`: rate, errors and durations of spans, by service, operation or any attribute, in steps of time.

use std::sync::Arc;

use serde::Serialize;

use super::{
    asked::{Asked, Because, HOUR_NS, counted, number, rounded},
    range::Understood,
};
use crate::{
    explore::{
        groups::GroupBy,
        red::{Counted, Figures, Group, Question, Steps, red as ask},
    },
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

const STEPS_DEFAULT: usize = 60;
const STEPS_MAX: usize = 500;
const GROUPS_DEFAULT: usize = 100;
const GROUPS_MAX: usize = 10_000;

#[derive(Debug, Serialize)]
struct Body {
    by: Vec<String>,
    /// What was read: spans that sampling kept, or that wait for their verdict.
    source: &'static str,
    range: Understood,
    start_ns: String,
    step_ns: u64,
    steps: u32,
    partial: bool,
    partial_because: Because,
    /// Some span stands for more than itself: figures are estimates.
    weighted: bool,
    spans: u64,
    groups: Vec<GroupBody>,
    groups_left_out: usize,
}

#[derive(Debug, Serialize)]
struct GroupBody {
    keys: Vec<Option<Arc<str>>>,
    spans: u64,
    calls: f64,
    errors: f64,
    /// Calls a second.
    rate: f64,
    error_share: f64,
    p50_ns: Option<u64>,
    p95_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<StepsBody>,
}

/// Each with a value for each step.
#[derive(Debug, Serialize)]
struct StepsBody {
    calls: Vec<f64>,
    errors: Vec<f64>,
    p50_ns: Vec<Option<u64>>,
    p95_ns: Vec<Option<u64>>,
    p99_ns: Vec<Option<u64>>,
}

/// Spans of the range that fulfil `q`, grouped by one or two keys.
pub(in crate::http) fn red(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let by: Vec<String> = call.first("by").unwrap_or("service").split(',').map(|key| key.trim().to_owned()).collect();
    if by.len() > 2 || by.iter().any(String::is_empty) {
        return Err(Failure::BadRequest("parameter 'by' is one key or two, separated by a comma".into()));
    }
    let asked = Asked::of(call, HOUR_NS)?.until_now(call);
    let steps = number(call, "steps", STEPS_DEFAULT, STEPS_MAX)? as u32;
    let groups_max = number(call, "limit", GROUPS_DEFAULT, GROUPS_MAX)?;
    let counted = counted(call, if asked.plan.asks_for_entries { Counted::All } else { Counted::Entries })?;
    let steps = steps_of(call, view, &asked, steps);
    let keys: Vec<GroupBy> = by.iter().map(|key| GroupBy::of(key)).collect();
    let question = Question { plan: &asked.plan, by: &keys, steps, counted, deadline: call.deadline };
    let found = ask(&question, &|request| view.scan(&call.tenant, request));
    let mut because = Because::default();
    because.late(found.is_late);
    because.add(found.is_full, "too many groups or durations");
    because.damaged(found.is_damaged, call);
    let groups_left_out = found.groups.len().saturating_sub(groups_max);
    let range_s = steps.all_ns() as f64 / 1e9;
    let body = Body {
        by,
        source: "kept_spans",
        range: Understood::of(&asked.start_ns),
        start_ns: steps.start_ns.to_string(),
        step_ns: steps.length_ns,
        steps: steps.count,
        partial: because.is_partial(),
        partial_because: because,
        weighted: found.weighted,
        spans: found.spans,
        groups: found.groups.into_iter().take(groups_max).map(|group| GroupBody::of(group, range_s)).collect(),
        groups_left_out,
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

/// Steps of the range; where it has no beginning, from the first span on.
pub(super) fn steps_of(call: &Call, view: &dyn View, asked: &Asked, count: u32) -> Steps {
    let (mut first_ns, last_ns) = (*asked.start_ns.start(), *asked.start_ns.end());
    if first_ns == 0 {
        let batches = view.scan(&call.tenant, asked.plan.request(&[]));
        let starts = (0..batches.parts_rows_max().len()).map(|part| batches.part_start_ns(part).0);
        first_ns = starts.min().unwrap_or(0).min(last_ns);
    }
    Steps::between(first_ns, last_ns, count)
}

impl GroupBody {
    fn of(group: Group, range_s: f64) -> Self {
        let Figures { calls, errors, percentiles_ns } = group.total;
        let [p50_ns, p95_ns, p99_ns] = apart(percentiles_ns);
        Self {
            keys: group.key,
            spans: group.spans,
            calls: rounded(calls),
            errors: rounded(errors),
            rate: calls / range_s,
            error_share: if calls > 0.0 { errors / calls } else { 0.0 },
            p50_ns,
            p95_ns,
            p99_ns,
            max_ns: group.max_ns,
            steps: (group.steps.len() > 1).then(|| StepsBody::of(&group.steps)),
        }
    }
}

impl StepsBody {
    fn of(steps: &[Figures]) -> Self {
        let percentile = |at: usize| steps.iter().map(|figures| apart(figures.percentiles_ns)[at]).collect();
        Self {
            calls: steps.iter().map(|figures| rounded(figures.calls)).collect(),
            errors: steps.iter().map(|figures| rounded(figures.errors)).collect(),
            p50_ns: percentile(0),
            p95_ns: percentile(1),
            p99_ns: percentile(2),
        }
    }
}

fn apart(percentiles_ns: Option<[u64; 3]>) -> [Option<u64>; 3] {
    percentiles_ns.map_or([None; 3], |all| all.map(Some))
}

#[cfg(test)]
mod tests;
