//! Aggregations: series folded into groups as they come, or chosen among.

mod choose;
mod count_values;
mod fold;
mod group;
mod hash;

use std::collections::HashMap;

use weir_proto::metrics::Labels;

use super::{Evaluator, QueryError, Sink, Steps, failed};
use crate::promql::{
    functions::quantile,
    syntax::{
        ast::{Aggregate, Expr},
        token::{Aggregator, Extent},
    },
    value::{Row, is_absent},
};
use fold::{Avg, Count, Deviation, Extremes, Fold, Group, Sum};

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        match aggregate.operator {
            Aggregator::Sum => self.fold(Sum, aggregate, steps, sink),
            Aggregator::Avg => self.fold(Avg, aggregate, steps, sink),
            Aggregator::Count => self.fold(Count, aggregate, steps, sink),
            Aggregator::Group => self.fold(Group, aggregate, steps, sink),
            Aggregator::Min => self.fold(Extremes::min(), aggregate, steps, sink),
            Aggregator::Max => self.fold(Extremes::max(), aggregate, steps, sink),
            Aggregator::Stddev => self.fold(Deviation::stddev(), aggregate, steps, sink),
            Aggregator::Stdvar => self.fold(Deviation::stdvar(), aggregate, steps, sink),
            Aggregator::Quantile => self.quantile(aggregate, steps, sink),
            Aggregator::CountValues => self.count_values(aggregate, steps, sink),
            Aggregator::Topk | Aggregator::Bottomk | Aggregator::Limitk => {
                self.choose_k(aggregate, extent, steps, sink)
            }
            Aggregator::LimitRatio => self.choose_ratio(aggregate, steps, sink),
        }
    }

    fn parameter<'e>(&self, aggregate: &'e Aggregate) -> Result<&'e Expr, QueryError> {
        aggregate.parameter.as_ref().ok_or_else(|| failed("a parameter is missing"))
    }

    /// Folds each series into its group.
    fn fold<F: Fold>(&self, fold: F, aggregate: &Aggregate, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut groups = Groups::new(aggregate);
        let extent = aggregate.operand.unwrapped().extent;
        self.rows(&aggregate.operand, steps, &mut |row| {
            let (group, is_new) = groups.of(&row, || vec![F::Cell::default(); steps.count]);
            if is_new {
                let cells = (steps.count * size_of::<F::Cell>()) as u64;
                self.budget.hold(cells + 2 * group.labels.as_bytes().len() as u64)?;
            }
            for (cell, &value) in group.state.iter_mut().zip(&row.floats) {
                if !is_absent(value) {
                    fold.float(cell, value);
                }
            }
            if !row.histograms.is_empty() {
                let mut notes = self.notes.borrow_mut();
                for (cell, histogram) in group.state.iter_mut().zip(&row.histograms) {
                    if let Some(histogram) = histogram {
                        fold.histogram(cell, histogram, row.labels.metric_name(), extent, &mut notes);
                    }
                }
            }
            Ok(())
        })?;
        for group in groups.list {
            let mut row = Row::empty(group.labels, steps.count);
            row.drops_name = group.drops_name;
            for (step, cell) in group.state.into_iter().enumerate() {
                if let Some(point) = fold.finish(cell, extent, &mut self.notes.borrow_mut()) {
                    row.set(step, point);
                }
            }
            if !row.is_empty() {
                sink(row)?;
            }
        }
        Ok(())
    }

    /// Quantiles need all values at once.
    fn quantile(&self, aggregate: &Aggregate, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let parameter = self.parameter(aggregate)?;
        let quantiles = self.scalars(parameter, steps)?;
        self.note_quantiles(&quantiles, parameter.extent);
        let mut groups = Groups::new(aggregate);
        let mut bytes = 0;
        self.rows(&aggregate.operand, steps, &mut |row| {
            if row.histograms.iter().any(Option::is_some) {
                self.notes.borrow_mut().ignored_in_aggregation(aggregate.operand.unwrapped().extent, "quantile");
            }
            let more = 8 * steps.count as u64;
            bytes += more;
            self.budget.hold(more)?;
            let (group, _) = groups.of(&row, || vec![Vec::new(); steps.count]);
            for (values, &value) in group.state.iter_mut().zip(&row.floats) {
                if !is_absent(value) {
                    values.push(value);
                }
            }
            Ok(())
        })?;
        for group in groups.list {
            let mut row = Row::empty(group.labels, steps.count);
            row.drops_name = group.drops_name;
            for (step, mut values) in group.state.into_iter().enumerate() {
                if !values.is_empty() {
                    row.floats[step] = quantile(quantiles[step], &mut values);
                }
            }
            if !row.is_empty() {
                sink(row)?;
            }
        }
        self.budget.release(bytes);
        Ok(())
    }

    fn note_quantiles(&self, quantiles: &[f64], extent: Extent) {
        let mut notes = self.notes.borrow_mut();
        if quantiles.iter().any(|quantile| quantile.is_nan()) {
            notes.bad_quantile(extent, f64::NAN);
        }
        let (low, high) = bounds(quantiles);
        if high > 1.0 {
            notes.bad_quantile(extent, high);
        }
        if low < 0.0 {
            notes.bad_quantile(extent, low);
        }
    }
}

/// The lowest and the highest number; no numbers where there are none.
fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::NAN, f64::NAN), |(low, high), &value| (low.min(value), high.max(value)))
}

/// Series with the same labels, of those that matter.
struct Groups<'a, S> {
    aggregate: &'a Aggregate,
    list: Vec<OneGroup<S>>,
    known: HashMap<Box<[u8]>, usize>,
    key: Vec<u8>,
}

struct OneGroup<S> {
    labels: Labels,
    drops_name: bool,
    state: S,
}

impl<'a, S> Groups<'a, S> {
    fn new(aggregate: &'a Aggregate) -> Self {
        Self { aggregate, list: Vec::new(), known: HashMap::new(), key: Vec::new() }
    }

    /// The group of a row, and whether it was made now.
    fn of(&mut self, row: &Row<'_>, new: impl FnOnce() -> S) -> (&mut OneGroup<S>, bool) {
        self.key.clear();
        group::key(&row.labels, self.aggregate, &mut self.key);
        let (at, is_new) = match self.known.get(self.key.as_slice()) {
            Some(&at) => (at, false),
            None => {
                self.known.insert(self.key.as_slice().into(), self.list.len());
                let labels = group::labels(&row.labels, self.aggregate);
                self.list.push(OneGroup { labels, drops_name: false, state: new() });
                (self.list.len() - 1, true)
            }
        };
        let group = &mut self.list[at];
        group.drops_name |= row.drops_name;
        (group, is_new)
    }
}
