//! Operators between two operands.

mod element;
mod matching;
mod scalar;
mod sets;

pub(super) use element::of_scalars;

use std::sync::Arc;

use weir_proto::metrics::Histogram;

use super::{Evaluator, QueryError, Sink, Steps};
use crate::promql::{
    histogram::arithmetic,
    syntax::{
        ast::{Binary, ValueType},
        token::{Extent, Operator},
    },
    value::{Row, is_absent},
};

impl Evaluator<'_> {
    /// An operator of which one operand at least is a vector.
    pub(super) fn binary(
        &self,
        binary: &Binary,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        match (binary.left.value_type(), binary.right.value_type()) {
            (ValueType::Vector, ValueType::Vector) => match binary.operator {
                Operator::And => self.intersection(binary, steps, sink),
                Operator::Or => self.union(binary, steps, sink),
                Operator::Unless => self.difference(binary, steps, sink),
                _ => self.matched(binary, extent, steps, sink),
            },
            _ => self.with_scalar(binary, extent, steps, sink),
        }
    }
}

/// The same below zero.
pub(super) fn negated(mut row: Row<'_>) -> Row<'_> {
    row.floats.iter_mut().filter(|value| !is_absent(**value)).for_each(|value| *value = -*value);
    for histogram in row.histograms.iter_mut().flatten() {
        let mut negated = Histogram::clone(histogram);
        arithmetic::scale(&mut negated, -1.0);
        *histogram = Arc::new(negated);
    }
    row.drops_name = true;
    row
}
