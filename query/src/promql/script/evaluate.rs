//! Asks what a script asks, and again in ways that must not change the answer.

use super::{check, command::Eval, samples::Loaded};
use crate::promql::{
    engine::{self, Options, Outcome, QueryError, Times, Unstopped},
    syntax::{
        self,
        ast::{At, Expr, Node, Shift},
    },
    value::{Point, Value},
};

const OPTIONS: Options = Options {
    lookback_ms: 5 * 60_000,
    subquery_step_ms: 60_000,
    samples_max: 50_000_000,
    bytes_max: 1 << 30,
    threads: 1,
};

const MINUTE_MS: i64 = 60_000;

/// Whether it gives what is expected.
pub(super) fn evaluate(eval: &Eval, loaded: &Loaded) -> Result<(), String> {
    if eval.is_range {
        let outcome = range(&eval.query, (eval.start_ms, eval.end_ms, eval.step_ms), loaded);
        let Some(outcome) = checked_outcome(eval, outcome)? else { return Ok(()) };
        check::notes(eval, &eval.query, &outcome.notes)?;
        return check::value(eval, &outcome.value);
    }
    instant(eval, &eval.query, eval.end_ms, loaded)?;
    for (query, time) in fixed(&eval.query, eval.end_ms) {
        instant(eval, &query, time, loaded).map_err(|reason| format!("asked as {query} at {time} ms: {reason}"))?;
    }
    Ok(())
}

fn range(query: &str, (start_ms, end_ms, step_ms): (i64, i64, i64), loaded: &Loaded) -> Result<Outcome, QueryError> {
    engine::range(loaded, query, Times { start_ms, end_ms, step_ms }, &OPTIONS, &Unstopped)
}

/// What there is to compare; nothing when it failed as expected.
fn checked_outcome(eval: &Eval, outcome: Result<Outcome, QueryError>) -> Result<Option<Outcome>, String> {
    match outcome {
        Ok(_) if eval.fails => Err("it was expected to fail, and did not".to_owned()),
        Ok(outcome) => Ok(Some(outcome)),
        Err(error) if eval.fails => {
            let message = error.to_string();
            match &eval.failure {
                Some(words) if !words.fit(&message) => Err(format!("it failed with other words: {message}")),
                _ => Ok(None),
            }
        }
        Err(error) => Err(format!("it failed: {error}")),
    }
}

fn instant(eval: &Eval, query: &str, at_ms: i64, loaded: &Loaded) -> Result<(), String> {
    let outcome = engine::instant(loaded, query, at_ms, &OPTIONS, &Unstopped);
    let Some(outcome) = checked_outcome(eval, outcome)? else { return Ok(()) };
    check::notes(eval, query, &outcome.notes)?;
    check::value(eval, &outcome.value)?;
    let depends_on_range = ["start()", "end()", "range()", "step()"].iter().any(|call| query.contains(call));
    if eval.once || depends_on_range {
        return Ok(());
    }
    // The same as the middle one of three steps.
    let times = (at_ms - MINUTE_MS, at_ms + MINUTE_MS, MINUTE_MS);
    let within = range(query, times, loaded).map_err(|error| format!("as a range it failed: {error}"))?;
    if eval.is_ordered {
        return Ok(());
    }
    let Value::Matrix(matrix) = within.value else { return Err("a range gave no matrix".to_owned()) };
    check::sorted(&matrix)?;
    let mut vector = Vec::new();
    for series in matrix {
        let float = series.floats.iter().find(|(time, _)| *time == at_ms).map(|(_, value)| Point::Float(*value));
        let histogram = series.histograms.into_iter().find(|(time, _)| *time == at_ms);
        let point = float.or(histogram.map(|(_, histogram)| Point::Histogram(histogram)));
        vector.extend(point.map(|point| (series.labels, at_ms, point)));
    }
    let value = match (&outcome.value, vector.first()) {
        (Value::Scalar { .. }, Some((_, time_ms, Point::Float(value)))) => {
            Value::Scalar { time_ms: *time_ms, value: *value }
        }
        _ => Value::Vector(vector),
    };
    check::value(eval, &value).map_err(|reason| format!("as a range: {reason}"))
}

/// The query with `@` on every selector, and times at which it must give the same.
fn fixed(query: &str, at_ms: i64) -> Vec<(String, i64)> {
    let Ok(mut expr) = syntax::parse(query) else { return Vec::new() };
    if !fix(&mut expr, at_ms, false) {
        return Vec::new();
    }
    let query = expr.text();
    let times = if at_ms == 0 { vec![-1_000, 0, 1_000] } else { vec![-10 * at_ms, 0, at_ms / 5, at_ms, 10 * at_ms] };
    times.into_iter().map(|time| (query.clone(), time)).collect()
}

/// False when something in it depends on time nevertheless.
fn fix(expr: &mut Expr, at_ms: i64, in_fixed: bool) -> bool {
    let set = |shift: &mut Shift| {
        if shift.at.is_none() && !in_fixed {
            shift.at = Some(At::Time(at_ms));
        }
    };
    match &mut expr.node {
        Node::Number(_) | Node::Text(_) => true,
        Node::Selector(selector) => {
            set(&mut selector.shift);
            true
        }
        Node::Range(range) => {
            set(&mut range.selector.shift);
            true
        }
        Node::Subquery(subquery) => {
            set(&mut subquery.shift);
            fix(&mut subquery.operand, at_ms, true)
        }
        Node::Paren(inner) | Node::Unary { operand: inner, .. } => fix(inner, at_ms, in_fixed),
        Node::Binary(binary) => {
            let left = fix(&mut binary.left, at_ms, in_fixed);
            fix(&mut binary.right, at_ms, in_fixed) && left
        }
        Node::Call(call) => {
            let mut are_fixed = true;
            for argument in &mut call.arguments {
                are_fixed &= fix(argument, at_ms, in_fixed);
            }
            let is_of_query = matches!(call.function.name, "start" | "end" | "range" | "step");
            are_fixed && !is_of_query && !call.function.depends_on_time()
        }
        Node::Aggregate(aggregate) => {
            let parameter = aggregate.parameter.as_mut().is_none_or(|parameter| fix(parameter, at_ms, in_fixed));
            fix(&mut aggregate.operand, at_ms, in_fixed) && parameter
        }
    }
}
