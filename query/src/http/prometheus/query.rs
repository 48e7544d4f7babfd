//! `query`, `query_range`, `query_exemplars` and `format_query`.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use weir_proto::metrics::{Exemplar, LabelMatcher, Labels};

use super::{
    Success,
    limits::{Deadline, options},
    params::{self, invalid},
    written::{Metric, Seconds, Text, Written},
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    promql::{
        engine::{self, Outcome, Times},
        notes::{Note, Severity},
        syntax::{
            self,
            ast::{Expr, Node},
            number::parse_float,
            regex,
        },
        value::Value,
    },
};

/// Warnings and remarks of each kind in an answer.
const NOTES_MAX: usize = 10;

/// What a query gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: &'static str,
    result: Written,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
}

#[derive(Debug, Serialize)]
struct Stats {
    timings: Timings,
    samples: Samples,
}

/// In seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    /// With `stats=all`, of a query at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_queryable_samples_per_step: Option<[(Seconds, u64); 1]>,
    total_queryable_samples: u64,
    peak_samples: u64,
}

/// `/prometheus/api/v1/query`.
pub(in crate::http) fn query(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = params::limit(call, "limit")?;
    let time = params::optional_time(call, "time", (call.now_ns / 1_000_000) as i64)?;
    let deadline = Deadline::of(call)?;
    let options = options(call)?;
    let query = call.first("query").unwrap_or_default();
    let metrics = view.metrics(&call.tenant);
    let begin = Instant::now();
    let outcome = engine::instant(&*metrics, query, time, &options, &deadline)?;
    answer(call, (query, Some(time)), outcome, limit, begin)
}

/// `/prometheus/api/v1/query_range`.
pub(in crate::http) fn query_range(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = params::limit(call, "limit")?;
    let start_ms = params::required_time(call, "start")?;
    let end_ms = params::required_time(call, "end")?;
    if end_ms < start_ms {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let step = call.first("step").unwrap_or_default();
    let step_ms = params::length(step).map_err(|error| invalid("step", &error))?;
    // Below what samples' times tell apart, and yet above zero.
    let is_tiny = step_ms == 0 && parse_float(step).is_some_and(|seconds| seconds * 1e9 >= 1.0);
    if step_ms <= 0 && !is_tiny {
        let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(invalid("step", message));
    }
    let points_max = call.promql.points_max.get() as i64;
    let step_ms = step_ms.max(1);
    let points = (i128::from(end_ms) - i128::from(start_ms)) / i128::from(step_ms);
    if points > i128::from(points_max) || (is_tiny && points > 0) {
        return Err(Failure::BadRequest(format!(
            "exceeded maximum resolution of {} points per timeseries. Try decreasing the query resolution (?step=XX)",
            with_commas(points_max)
        )));
    }
    let deadline = Deadline::of(call)?;
    let options = options(call)?;
    let query = call.first("query").unwrap_or_default();
    let metrics = view.metrics(&call.tenant);
    let begin = Instant::now();
    let outcome = engine::range(&*metrics, query, Times { start_ms, end_ms, step_ms }, &options, &deadline)?;
    answer(call, (query, None), outcome, limit, begin)
}

/// `11,000`
fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn answer(
    call: &Call,
    (query, time_ms): (&str, Option<i64>),
    outcome: Outcome,
    limit: Option<usize>,
    begin: Instant,
) -> Result<Answer, Failure> {
    let time_ms = time_ms.filter(|_| call.first("stats") == Some("all"));
    let seconds = begin.elapsed().as_secs_f64();
    let Outcome { mut value, notes, samples } = outcome;
    let mut warnings = sentences(notes.iter(), Severity::Warning, query);
    let infos = sentences(notes.iter(), Severity::Info, query);
    if let Some(limit) = limit {
        let length = match &mut value {
            Value::Vector(vector) => cut(vector, limit),
            Value::Matrix(matrix) => cut(matrix, limit),
            Value::Scalar { .. } | Value::Text { .. } => false,
        };
        if length {
            warnings.push("results truncated due to limit".to_owned());
        }
    }
    let stats = call.first("stats").map(|_| Stats {
        timings: Timings {
            eval_total_time: seconds,
            result_sort_time: 0.0,
            query_preparation_time: 0.0,
            inner_eval_time: seconds,
            exec_queue_time: 0.0,
            exec_total_time: seconds,
        },
        samples: Samples {
            total_queryable_samples_per_step: time_ms.map(|time_ms| [(Seconds(time_ms), samples)]),
            total_queryable_samples: samples,
            peak_samples: samples,
        },
    });
    let result_type = match &value {
        Value::Scalar { .. } => "scalar",
        Value::Text { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    let data =
        Data { result_type, result: Written { value, is_exact: call.first("histograms") == Some("exact") }, stats };
    Success { warnings, infos, ..Success::of(data) }.answer(call)
}

/// Whether there was more.
fn cut<T>(list: &mut Vec<T>, limit: usize) -> bool {
    let is_longer = list.len() > limit;
    list.truncate(limit);
    is_longer
}

fn sentences<'n>(notes: impl Iterator<Item = &'n Note>, severity: Severity, query: &str) -> Vec<String> {
    let mut sentences: Vec<_> = notes.filter(|note| note.severity == severity).map(|note| note.text(query)).collect();
    if sentences.len() > NOTES_MAX {
        let kind = if severity == Severity::Warning { "warning" } else { "info" };
        let more = sentences.len() - NOTES_MAX;
        sentences.truncate(NOTES_MAX);
        sentences.push(format!("{more} more {kind} annotations omitted"));
    }
    sentences
}

/// `/prometheus/api/v1/format_query`.
pub(in crate::http) fn format_query(call: &Call, _: &dyn View) -> Result<Answer, Failure> {
    let query = call.first("query").unwrap_or_default();
    let expr = syntax::parse(query).map_err(|error| invalid("query", &error.to_string()))?;
    Success::of(expr.pretty()).answer(call)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Examples {
    series_labels: Metric,
    exemplars: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Example {
    labels: Metric,
    value: Text,
    timestamp: Seconds,
}

/// `/prometheus/api/v1/query_exemplars`: of all series that the query's selectors match.
pub(in crate::http) fn query_exemplars(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let start = params::optional_time(call, "start", params::TIME_MIN)?;
    let end = params::optional_time(call, "end", params::TIME_MAX)?;
    if end < start {
        return Err(Failure::BadRequest("end timestamp must not be before start timestamp".into()));
    }
    let query = call.first("query").unwrap_or_default();
    let expr = syntax::parse(query).map_err(|error| Failure::BadRequest(error.to_string()))?;
    let mut selectors = Vec::new();
    collect_selectors(&expr, &mut selectors);
    if selectors.is_empty() {
        // As Prometheus does: no data at all.
        return Answer::json(&json!({"status": "success"}), false);
    }
    let metrics = view.metrics(&call.tenant);
    let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
    for matchers in selectors {
        let matchers = regex::translated(matchers).map_err(|error| invalid("query", &error))?;
        found.extend(metrics.exemplars(&matchers, start, end)?);
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found.dedup_by(|one, other| one.0 == other.0);
    let example = |exemplar: Exemplar| Example {
        labels: Metric(exemplar.labels),
        value: Text(exemplar.value),
        timestamp: Seconds(exemplar.time_ms),
    };
    let series = |(labels, exemplars): (Labels, Vec<Exemplar>)| Examples {
        series_labels: Metric(labels),
        exemplars: exemplars.into_iter().map(example).collect(),
    };
    Success::of(found.into_iter().map(series).collect::<Vec<_>>()).answer(call)
}

/// The matchers of all selectors in it.
fn collect_selectors<'e>(expr: &'e Expr, into: &mut Vec<&'e [LabelMatcher]>) {
    match &expr.node {
        Node::Number(_) | Node::Text(_) => {}
        Node::Selector(selector) => into.push(&selector.matchers),
        Node::Range(range) => into.push(&range.selector.matchers),
        Node::Subquery(subquery) => collect_selectors(&subquery.operand, into),
        Node::Paren(inner) | Node::Unary { operand: inner, .. } => collect_selectors(inner, into),
        Node::Binary(binary) => {
            collect_selectors(&binary.left, into);
            collect_selectors(&binary.right, into);
        }
        Node::Call(call) => call.arguments.iter().for_each(|argument| collect_selectors(argument, into)),
        Node::Aggregate(aggregate) => {
            aggregate.parameter.iter().for_each(|parameter| collect_selectors(parameter, into));
            collect_selectors(&aggregate.operand, into);
        }
    }
}
