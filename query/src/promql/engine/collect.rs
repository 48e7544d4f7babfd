//! The end of a query: rows become its answer.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use weir_proto::metrics::Labels;

use super::{Evaluator, QueryError, SAME_LABELS, Sink, Steps, failed, labels, range};
use crate::promql::functions::Body;
use crate::promql::{
    functions::Own,
    source::Samples,
    syntax::ast::{Expr, Node, RangeSelector, Subquery, ValueType},
    value::{Point, Row, Stretch, Value, histogram_samples, is_absent},
};

impl Evaluator<'_> {
    /// The answer.
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, QueryError> {
        let steps = Steps::of(self.times);
        match expr.value_type() {
            ValueType::Text => {
                let Node::Text(bytes) = &expr.unwrapped().node else { return Err(failed("no string")) };
                Ok(Value::Text { time_ms: steps.start_ms, bytes: bytes.clone() })
            }
            ValueType::Scalar => {
                let values = self.scalars(expr, steps)?;
                if self.is_instant() {
                    return Ok(Value::Scalar { time_ms: steps.start_ms, value: values[0] });
                }
                let floats = values.into_iter().enumerate().map(|(step, value)| (steps.time(step), value)).collect();
                Ok(Value::Matrix(vec![Stretch { labels: Labels::default(), floats, histograms: Vec::new() }]))
            }
            ValueType::Vector => {
                let rows = self.held_rows(expr, steps)?;
                Ok(if self.is_instant() { vector(rows, steps, is_ordered(expr)) } else { matrix(rows, steps) })
            }
            ValueType::Matrix => match &expr.unwrapped().node {
                Node::Range(range) => self.stretches(range, steps),
                Node::Subquery(subquery) => self.subquery_matrix(subquery, steps),
                _ => Err(failed("no range vector")),
            },
        }
    }

    /// All rows, those of the same labels joined, names gone where they have to go.
    fn held_rows(&self, expr: &Expr, steps: Steps) -> Result<Vec<Row<'static>>, QueryError> {
        let mut joined = Joined::default();
        self.rows(expr, steps, &mut |mut row| {
            if row.drops_name {
                row.labels = Cow::Owned(labels::without_name(&row.labels));
                row.drops_name = false;
            }
            self.budget.hold(row.bytes())?;
            joined.add(row)
        })?;
        Ok(joined.rows)
    }

    /// Rows, those of the same labels joined where there can be such.
    pub(super) fn joined_rows(&self, expr: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        if !range::may_repeat_labels(expr) {
            return self.rows(expr, steps, sink);
        }
        let mut joined = Joined::default();
        let mut bytes = 0;
        self.rows(expr, steps, &mut |row| {
            bytes += row.bytes();
            self.budget.hold(row.bytes())?;
            joined.add(row)
        })?;
        for row in joined.rows {
            sink(row)?;
        }
        self.budget.release(bytes);
        Ok(())
    }

    /// A range selector alone: samples as they were stored.
    fn stretches(&self, range: &RangeSelector, steps: Steps) -> Result<Value, QueryError> {
        if range.selector.edges != crate::promql::syntax::ast::Edges::Plain {
            return self.edged_stretches(range, steps);
        }
        let to = range.selector.shift.apply(steps.start_ms);
        let from = to.saturating_sub(range.range.ms());
        let mut stretches = Vec::new();
        for series in self.series(&range.selector.matchers, from.saturating_add(1), to)? {
            self.budget.check()?;
            let mut samples = Samples::default();
            series.read(from.saturating_add(1), to, &mut samples)?;
            range::strip(&mut samples);
            self.add_stretch(series.labels(), samples, &mut stretches)?;
        }
        Ok(Value::Matrix(stretches))
    }

    /// The same with values at the range's edges.
    fn edged_stretches(&self, range: &RangeSelector, steps: Steps) -> Result<Value, QueryError> {
        use crate::promql::{functions::interpolated, syntax::ast::Edges};
        let to = range.selector.shift.apply(steps.start_ms);
        let from = to.saturating_sub(range.range.ms());
        let lookback = self.options.lookback_ms;
        let is_smoothed = range.selector.edges == Edges::Smoothed;
        let (first, last) = (from.saturating_sub(lookback), if is_smoothed { to.saturating_add(lookback) } else { to });
        let mut stretches = Vec::new();
        for series in self.series(&range.selector.matchers, first.saturating_add(1), last)? {
            let mut samples = Samples::default();
            series.read(first.saturating_add(1), last, &mut samples)?;
            range::strip(&mut samples);
            if !samples.histograms.is_empty() {
                return Err(failed("anchored modifier is not supported with histograms"));
            }
            let floats: Vec<_> = samples.times.iter().copied().zip(samples.values.iter().copied()).collect();
            let Some(mut end) = floats.len().checked_sub(1) else { continue };
            let mut begin = floats[..end].partition_point(|&(time, _)| time <= from).saturating_sub(1);
            if is_smoothed {
                end = floats[..end].partition_point(|&(time, _)| time < to);
            }
            if floats[end].0 <= from {
                continue;
            }
            let left = if is_smoothed && floats[begin].0 < from {
                interpolated(floats[begin], floats[begin + 1], from, false)
            } else {
                floats[begin].1
            };
            let right = if is_smoothed && end > 0 && floats[end].0 > to {
                interpolated(floats[end - 1], floats[end], to, false)
            } else {
                floats[end].1
            };
            begin += usize::from(floats[begin].0 <= from);
            let inner = if floats[end].0 >= to { end } else { end + 1 };
            let inner = floats.get(begin..inner).unwrap_or_default();
            let all: Vec<_> = [(from, left)].into_iter().chain(inner.iter().copied()).chain([(to, right)]).collect();
            let (times, values) = all.into_iter().unzip();
            let samples = Samples { times, values, ..Samples::default() };
            self.add_stretch(series.labels(), samples, &mut stretches)?;
        }
        Ok(Value::Matrix(stretches))
    }

    fn add_stretch(&self, labels: &Labels, samples: Samples, stretches: &mut Vec<Stretch>) -> Result<(), QueryError> {
        if samples.len() == 0 {
            return Ok(());
        }
        let histograms: Vec<_> =
            samples.histograms.into_iter().map(|sample| (sample.time_ms, sample.histogram)).collect();
        let count = samples.times.len() as u64
            + histograms.iter().map(|(_, histogram)| histogram_samples(histogram)).sum::<u64>();
        self.budget.take_samples(count)?;
        self.budget.hold(16 * count + labels.as_bytes().len() as u64)?;
        let floats = samples.times.into_iter().zip(samples.values).collect();
        stretches.push(Stretch { labels: labels.clone(), floats, histograms });
        Ok(())
    }

    /// A subquery alone.
    fn subquery_matrix(&self, subquery: &Subquery, steps: Steps) -> Result<Value, QueryError> {
        let Some(inner) = self.subquery_steps(subquery, steps) else { return Ok(Value::Matrix(Vec::new())) };
        let held = self.hold_steps(inner)?;
        let rows = self.held_rows(&subquery.operand, inner)?;
        self.budget.release(held);
        Ok(matrix(rows, inner))
    }
}

/// Rows by their labels.
#[derive(Default)]
struct Joined {
    rows: Vec<Row<'static>>,
    known: HashMap<Labels, usize>,
}

impl Joined {
    fn add(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        let row = row.into_owned();
        let labels = row.labels.as_ref();
        let Some(&at) = self.known.get(labels) else {
            self.known.insert(labels.clone(), self.rows.len());
            self.rows.push(row);
            return Ok(());
        };
        let known = &mut self.rows[at];
        for step in 0..row.floats.len() {
            let Some(point) = row.point(step) else { continue };
            if known.has(step) {
                return Err(failed(SAME_LABELS));
            }
            known.set(step, point);
        }
        Ok(())
    }
}

/// Whether an expression says in which order its series come.
fn is_ordered(expr: &Expr) -> bool {
    match &expr.unwrapped().node {
        Node::Aggregate(aggregate) => aggregate.operator.chooses(),
        Node::Call(call) => {
            matches!(call.function.body, Body::Own(Own::Sort | Own::SortDesc | Own::SortByLabel | Own::SortByLabelDesc))
        }
        _ => false,
    }
}

fn vector(rows: Vec<Row<'static>>, steps: Steps, is_ordered: bool) -> Value {
    let one = |row: Row<'static>| {
        let point = row.point(0)?;
        Some((row.labels.into_owned(), steps.start_ms, point))
    };
    let mut vector: Vec<_> = rows.into_iter().filter_map(one).collect();
    if !is_ordered {
        vector.sort_by(|one, other| one.0.cmp(&other.0));
    }
    Value::Vector(vector)
}

fn matrix(rows: Vec<Row<'static>>, steps: Steps) -> Value {
    let one = |row: Row<'static>| {
        let mut stretch =
            Stretch { labels: row.labels.clone().into_owned(), floats: Vec::new(), histograms: Vec::new() };
        for step in 0..steps.count {
            if !is_absent(row.floats[step]) {
                stretch.floats.push((steps.time(step), row.floats[step]));
            } else if let Some(Point::Histogram(histogram)) = row.point(step) {
                stretch.histograms.push((steps.time(step), Arc::clone(&histogram)));
            }
        }
        (!stretch.floats.is_empty() || !stretch.histograms.is_empty()).then_some(stretch)
    };
    let mut matrix: Vec<_> = rows.into_iter().filter_map(one).collect();
    matrix.sort_by(|one, other| one.labels.cmp(&other.labels));
    Value::Matrix(matrix)
}
