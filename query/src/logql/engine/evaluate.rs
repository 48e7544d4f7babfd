//! Evaluates a metric query at its moments.

use std::sync::Arc;

use super::{
    Limits, Lines, Progress, Series,
    aggregate::aggregate,
    binary::{self, Operand},
    groups::Key,
    series::{Labels, label, with_label},
    windows::{self, Moments, Windows},
};
use crate::logql::{
    LogqlError,
    ast::{Grouping, Metric, RangeOp, VectorOp},
    regex::{Pattern, replacement},
};

/// A metric query, and the moments that it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct MetricQuery<'q> {
    /// What.
    pub(crate) metric: &'q Metric,
    /// The first moment, Unix ns.
    pub(crate) start_ns: i64,
    /// The last moment, Unix ns.
    pub(crate) end_ns: i64,
    /// Between two, ns; 0 asks for the first only.
    pub(crate) step_ns: i64,
}

/// What a metric query gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Evaluated {
    /// A number, the same at all moments.
    Number(f64),
    /// Series; those of an instant query are in the order that `sort` and `topk` made.
    Series(Vec<Series>),
}

/// Evaluates it.
pub(crate) fn evaluate(
    query: &MetricQuery<'_>,
    lines: &dyn Lines,
    limits: &Limits,
    progress: &Progress,
) -> Result<Evaluated, LogqlError> {
    let is_instant = query.step_ns == 0;
    let count = if is_instant { 1 } else { (query.end_ns - query.start_ns) / query.step_ns + 1 };
    if count > limits.steps_max as i64 {
        return Err(LogqlError::TooMuch(format!(
            "exceeded maximum resolution of {} points per time series: take a larger step",
            limits.steps_max
        )));
    }
    let moments = Moments { start_ns: query.start_ns, step_ns: query.step_ns.max(1), count: count.max(0) as u32 };
    if !is_instant {
        check_range_query(query.metric)?;
    }
    let evaluation = Evaluation { lines, limits, progress, moments };
    match evaluation.operand(query.metric)? {
        Operand::Number(value) => Ok(Evaluated::Number(value)),
        Operand::Series(mut series) => {
            let is_sorted = matches!(
                query.metric,
                Metric::Vector {
                    op: VectorOp::Sort | VectorOp::SortDesc | VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk,
                    ..
                }
            );
            if !(is_instant && is_sorted) {
                series.sort_by(|left, right| left.labels.cmp(&right.labels));
            }
            Ok(Evaluated::Series(series))
        }
    }
}

/// Some aggregations are for one moment only.
fn check_range_query(metric: &Metric) -> Result<(), LogqlError> {
    match metric {
        Metric::Vector { op: op @ (VectorOp::Sort | VectorOp::SortDesc | VectorOp::ApproxTopk), .. } => {
            Err(LogqlError::Execution(format!("{} is only allowed in instant queries", op.text())))
        }
        Metric::Vector { inner, .. } | Metric::LabelReplace { inner, .. } => check_range_query(inner),
        Metric::Binary { left, right, .. } => {
            check_range_query(left)?;
            check_range_query(right)
        }
        Metric::Range { .. } | Metric::Number(_) | Metric::VectorOf(_) => Ok(()),
    }
}

struct Evaluation<'e> {
    lines: &'e dyn Lines,
    limits: &'e Limits,
    progress: &'e Progress,
    moments: Moments,
}

impl Evaluation<'_> {
    fn operand(&self, metric: &Metric) -> Result<Operand, LogqlError> {
        match metric {
            Metric::Number(value) => Ok(Operand::Number(*value)),
            other => self.series(other).map(Operand::Series),
        }
    }

    fn series(&self, metric: &Metric) -> Result<Vec<Series>, LogqlError> {
        self.limits.check_time()?;
        match metric {
            Metric::Number(value) | Metric::VectorOf(value) => Ok(vec![self.constant(*value)]),
            Metric::Range { .. } => self.range(metric, None),
            Metric::Vector { op, parameter, inner, grouping } => {
                let series = match pushed_down(*op, inner, grouping.as_ref()) {
                    Some(key) => self.range(inner, Some(key))?,
                    None => self.series(inner)?,
                };
                aggregate(*op, *parameter, grouping.as_ref(), series, self.limits)
            }
            Metric::Binary { op, modifier, left, right } => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                match (left, right) {
                    (Operand::Series(left), Operand::Series(right)) => binary::combine(*op, modifier, left, right),
                    (Operand::Series(series), Operand::Number(number)) => {
                        Ok(binary::with_number(*op, modifier.returns_bool, series, number, false))
                    }
                    (Operand::Number(number), Operand::Series(series)) => {
                        Ok(binary::with_number(*op, modifier.returns_bool, series, number, true))
                    }
                    (Operand::Number(left), Operand::Number(right)) => {
                        Ok(vec![self.constant(crate::logql::scalar::compute(*op, left, right))])
                    }
                }
            }
            Metric::LabelReplace { inner, target, replacement, source, regex } => {
                let series = self.series(inner)?;
                label_replace(series, target, replacement, source, regex)
            }
        }
    }

    fn constant(&self, value: f64) -> Series {
        Series { labels: Labels::from([]), points: (0..self.moments.count).map(|number| (number, value)).collect() }
    }

    fn range(&self, metric: &Metric, key: Option<Key>) -> Result<Vec<Series>, LogqlError> {
        let Metric::Range { op, parameter, range, grouping } = metric else {
            return self.series(metric);
        };
        let windows = Windows {
            op: *op,
            parameter: parameter.unwrap_or(f64::NAN),
            range,
            grouping: grouping.as_ref(),
            key,
            moments: self.moments,
        };
        windows::compute(&windows, self.lines, self.limits, self.progress)
    }
}

/// The series that a sum needs of the counts below it: summing lines at once gives the same as summing series of them.
fn pushed_down(op: VectorOp, inner: &Metric, grouping: Option<&Grouping>) -> Option<Key> {
    let Metric::Range { op: inner, grouping: None, .. } = inner else {
        return None;
    };
    let adds_up = op == VectorOp::Sum
        && matches!(inner, RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum);
    let picks = (op == VectorOp::Min && *inner == RangeOp::Min) || (op == VectorOp::Max && *inner == RangeOp::Max);
    if !(adds_up || picks) {
        return None;
    }
    Some(match grouping {
        None => Key::By(Vec::new()),
        Some(Grouping { without: false, labels }) => Key::By(labels.clone()),
        Some(Grouping { without: true, labels }) => Key::Without(labels.clone()),
    })
}

fn label_replace(
    series: Vec<Series>,
    target: &str,
    with: &str,
    source: &str,
    regex: &str,
) -> Result<Vec<Series>, LogqlError> {
    let pattern = Pattern::anchored(regex).map_err(LogqlError::Invalid)?;
    let with = replacement(with);
    let mut out = Vec::with_capacity(series.len());
    for one in series {
        let value = label(&one.labels, source).unwrap_or_default();
        let labels = match pattern.regex().captures(value) {
            Some(captures) => {
                let mut written = String::new();
                captures.expand(&with, &mut written);
                with_label(&one.labels, target, &written)
            }
            None => Arc::clone(&one.labels),
        };
        out.push(Series { labels, points: one.points });
    }
    let mut seen: std::collections::HashSet<&Labels> = std::collections::HashSet::new();
    if !out.iter().all(|one| seen.insert(&one.labels)) {
        return Err(LogqlError::Execution("vector cannot contain metrics with the same labelset".into()));
    }
    Ok(out)
}
