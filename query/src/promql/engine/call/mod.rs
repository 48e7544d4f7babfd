//! Calls of functions.

mod buckets;
mod info;
mod relabel;
mod sort;

use weir_proto::metrics::Labels;

use super::{Evaluator, QueryError, Sink, Steps, failed, labels, select::Wanted};
use crate::promql::{
    functions::{Body, Own, date::Date},
    syntax::ast::{Call, Expr, Node},
    value::{ABSENT, Row, is_absent},
};

impl Evaluator<'_> {
    /// A call that gives a vector.
    pub(super) fn call(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        match call.function.body {
            Body::Each(body) => self.each(call, &[], &|value, _| Some(body(value)), steps, sink),
            Body::EachWith(body) => self.each(call, &call.arguments[1..], &body, steps, sink),
            Body::EachHistogram(body) => self.rows(&call.arguments[0], steps, &mut |mut row| {
                if row.histograms.is_empty() {
                    return Ok(());
                }
                for step in 0..steps.count {
                    row.floats[step] = row.histogram(step).map_or(ABSENT, |histogram| quiet(body(histogram)));
                }
                row.histograms = Vec::new();
                row.drops_name = true;
                sink(row)
            }),
            Body::Date(body) => match call.arguments.first() {
                Some(_) => self.each(call, &[], &|value, _| Some(body(Date::of_float(value))), steps, sink),
                None => {
                    let time = |step| body(Date::of(steps.time(step) / 1000));
                    sink(row_of((0..steps.count).map(time).collect()))
                }
            },
            Body::Range(_) => self.range_call(call, steps, sink),
            Body::Scalars(_) => Err(failed(format!("{} gives a scalar", call.function.name))),
            Body::Own(own) => self.own_call(own, call, steps, sink),
        }
    }

    fn own_call(&self, own: Own, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        match own {
            Own::Vector => sink(row_of(self.scalars(&call.arguments[0], steps)?)),
            Own::StartTimestamp => self.start_timestamp(&call.arguments[0], steps, sink),
            Own::Timestamp => self.timestamp(&call.arguments[0], steps, sink),
            Own::Absent => self.absent(&call.arguments[0], steps, sink),
            Own::AbsentOverTime => self.absent_over_time(call, steps, sink),
            Own::LabelReplace => self.label_replace(call, steps, sink),
            Own::LabelJoin => self.label_join(call, steps, sink),
            Own::Info => self.info(call, steps, sink),
            Own::Sort | Own::SortDesc | Own::SortByLabel | Own::SortByLabelDesc => self.sort(own, call, steps, sink),
            Own::HistogramQuantile => self.histogram_quantile(call, steps, sink),
            Own::HistogramQuantiles => self.histogram_quantiles(call, steps, sink),
            Own::HistogramFraction => self.histogram_fraction(call, steps, sink),
            Own::End | Own::QueryRange | Own::Scalar | Own::Start | Own::Step | Own::Time => {
                Err(failed(format!("{} gives a scalar", call.function.name)))
            }
        }
    }

    /// A call that gives a scalar.
    pub(super) fn scalar_call(&self, call: &Call, steps: Steps) -> Result<Vec<f64>, QueryError> {
        let seconds = |ms: i64| Ok(vec![ms as f64 / 1e3; steps.count]);
        match call.function.body {
            Body::Scalars(body) => {
                let arguments: Vec<_> =
                    call.arguments.iter().map(|argument| self.scalars(argument, steps)).collect::<Result<_, _>>()?;
                let at = |step: usize| arguments.iter().map(|values| values[step]).collect::<Vec<_>>();
                Ok((0..steps.count).map(|step| body(&at(step))).collect())
            }
            Body::Own(Own::Time) => Ok((0..steps.count).map(|step| steps.time(step) as f64 / 1e3).collect()),
            Body::Own(Own::Step) => seconds(self.times.step_ms),
            Body::Own(Own::QueryRange) => seconds(self.times.end_ms - self.times.start_ms),
            Body::Own(Own::Start) => seconds(self.times.start_ms),
            Body::Own(Own::End) => seconds(self.times.end_ms),
            Body::Own(Own::Scalar) => self.only_float(&call.arguments[0], steps),
            _ => Err(failed(format!("{} gives no scalar", call.function.name))),
        }
    }

    /// `scalar`: the float where there is one, no number where there are more or none.
    fn only_float(&self, argument: &Expr, steps: Steps) -> Result<Vec<f64>, QueryError> {
        let mut values = vec![ABSENT; steps.count];
        let mut counts = vec![0_u8; steps.count];
        self.rows(argument, steps, &mut |row| {
            for (step, &value) in row.floats.iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                values[step] = value;
                counts[step] = counts[step].saturating_add(1);
            }
            Ok(())
        })?;
        let one = |(value, count)| if count == 1 { value } else { f64::NAN };
        Ok(values.into_iter().zip(counts).map(one).collect())
    }

    /// Another number for each float.
    fn each(
        &self,
        call: &Call,
        scalars: &[Expr],
        body: &dyn Fn(f64, &[f64]) -> Option<f64>,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let scalars: Vec<_> = scalars.iter().map(|scalar| self.scalars(scalar, steps)).collect::<Result<_, _>>()?;
        let mut at = vec![0.0; scalars.len()];
        self.rows(&call.arguments[0], steps, &mut |mut row| {
            for (step, value) in row.floats.iter_mut().enumerate() {
                if is_absent(*value) {
                    continue;
                }
                at.iter_mut().zip(&scalars).for_each(|(at, values)| *at = values[step]);
                *value = body(*value, &at).map_or(ABSENT, quiet);
            }
            row.histograms = Vec::new();
            row.drops_name = true;
            if row.is_empty() { Ok(()) } else { sink(row) }
        })
    }

    /// `timestamp`: of a selector when the sample was taken, of anything else the step's time.
    fn timestamp(&self, argument: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let named = &mut |row: Row<'_>| sink(Row { drops_name: true, ..row });
        if let Node::Selector(selector) = &argument.unwrapped().node {
            return self.selector((selector, argument.extent), Wanted::Time, steps, named);
        }
        self.rows(argument, steps, &mut |mut row| {
            for step in 0..steps.count {
                row.floats[step] = if row.has(step) { steps.time(step) as f64 / 1e3 } else { ABSENT };
            }
            row.histograms = Vec::new();
            named(row)
        })
    }

    /// `start_timestamp`: of a selector when counting began. Anything else has no such time.
    fn start_timestamp(&self, argument: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        match &argument.unwrapped().node {
            Node::Selector(selector) => self.selector((selector, argument.extent), Wanted::Start, steps, &mut |row| {
                sink(Row { drops_name: true, ..row })
            }),
            _ => self.rows(argument, steps, &mut |_| Ok(())),
        }
    }

    /// `absent`: 1 where no series has anything.
    fn absent(&self, argument: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut missing = vec![1.0; steps.count];
        self.rows(argument, steps, &mut |row| {
            (0..steps.count).filter(|&step| row.has(step)).for_each(|step| missing[step] = ABSENT);
            Ok(())
        })?;
        let mut row = Row::empty(labels::of_absent(argument), 0);
        row.floats = missing;
        if row.is_empty() { Ok(()) } else { sink(row) }
    }

    /// A literal.
    fn text<'e>(&self, argument: &'e Expr) -> Result<&'e [u8], QueryError> {
        match &argument.unwrapped().node {
            Node::Text(bytes) => Ok(bytes),
            _ => Err(failed("a string literal is expected")),
        }
    }
}

fn row_of(values: Vec<f64>) -> Row<'static> {
    let mut row = Row::empty(Labels::default(), 0);
    row.floats = values.into_iter().map(quiet).collect();
    row
}

/// The marker of nothing is no value.
fn quiet(value: f64) -> f64 {
    if is_absent(value) { f64::NAN } else { value }
}
