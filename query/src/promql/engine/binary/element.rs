//! What an operator makes of two values.

use std::sync::Arc;

use weir_proto::metrics::{Histogram, ResetHint};

use crate::promql::{
    histogram::{self, arithmetic},
    notes::Notes,
    syntax::token::{Extent, Operator},
    value::Point,
};

/// Of two numbers; comparisons give 1 or 0.
pub(in crate::promql::engine) fn of_scalars(operator: Operator, left: f64, right: f64) -> f64 {
    match compare(operator, left, right) {
        Some(holds) => f64::from(u8::from(holds)),
        None => arithmetic_of(operator, left, right),
    }
}

/// Whether a comparison holds; `None` when it is none.
#[inline]
pub(super) fn compare(operator: Operator, left: f64, right: f64) -> Option<bool> {
    Some(match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterEqual => left >= right,
        _ => return None,
    })
}

#[inline]
pub(super) fn arithmetic_of(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div => left / right,
        Operator::Mod => left % right,
        Operator::Pow => left.powf(right),
        Operator::Atan2 => left.atan2(right),
        _ => f64::NAN,
    }
}

/// What two values give.
pub(super) struct Element {
    pub(super) point: Point,
    /// Whether a comparison holds; always for arithmetic.
    pub(super) holds: bool,
}

/// Of two values; `None` when the operator is not for them, which is noted.
pub(super) fn of_points(
    operator: Operator,
    left: &Point,
    right: &Point,
    extent: Extent,
    notes: &mut Notes,
) -> Option<Element> {
    let arithmetic = |point| Some(Element { point, holds: true });
    match (left, right) {
        (Point::Float(left), Point::Float(right)) => {
            if matches!(operator, Operator::TrimLower | Operator::TrimUpper) {
                notes.incompatible_types(extent, operator.text(), "float", "float");
                return None;
            }
            match compare(operator, *left, *right) {
                Some(holds) => Some(Element { point: Point::Float(*left), holds }),
                None => arithmetic(Point::Float(arithmetic_of(operator, *left, *right))),
            }
        }
        (Point::Float(left), Point::Histogram(right)) if operator == Operator::Mul => {
            arithmetic(changed(right, |histogram| arithmetic::scale(histogram, *left)))
        }
        (Point::Histogram(left), Point::Float(right)) => match operator {
            Operator::Mul => arithmetic(changed(left, |histogram| arithmetic::scale(histogram, *right))),
            Operator::Div => arithmetic(changed(left, |histogram| divide(histogram, *right))),
            Operator::TrimUpper => arithmetic(Point::Histogram(Arc::new(histogram::trim(left, *right, true)))),
            Operator::TrimLower => arithmetic(Point::Histogram(Arc::new(histogram::trim(left, *right, false)))),
            _ => {
                notes.incompatible_types(extent, operator.text(), "histogram", "float");
                None
            }
        },
        (Point::Float(_), Point::Histogram(_)) => {
            notes.incompatible_types(extent, operator.text(), "float", "histogram");
            None
        }
        (Point::Histogram(left), Point::Histogram(right)) => of_histograms(operator, left, right, extent, notes),
    }
}

fn of_histograms(
    operator: Operator,
    left: &Arc<Histogram>,
    right: &Histogram,
    extent: Extent,
    notes: &mut Notes,
) -> Option<Element> {
    let is_sum = match operator {
        Operator::Add => true,
        Operator::Sub => false,
        Operator::Equal | Operator::NotEqual => {
            let holds = histogram::equal(left, right) == (operator == Operator::Equal);
            return Some(Element { point: Point::Histogram(Arc::clone(left)), holds });
        }
        _ => {
            notes.incompatible_types(extent, operator.text(), "histogram", "histogram");
            return None;
        }
    };
    let mut result = Histogram::clone(left);
    let outcome = if is_sum { arithmetic::add(&mut result, right) } else { arithmetic::subtract(&mut result, right) };
    let what = if is_sum { "addition" } else { "subtraction" };
    let Ok(outcome) = outcome else {
        notes.incompatible_buckets(extent, operator.text());
        return None;
    };
    if outcome.conflicting {
        notes.conflicting_resets(extent, what);
    }
    if outcome.reconciled {
        notes.reconciled_buckets(extent, what);
    }
    if !is_sum {
        result.reset_hint = ResetHint::Gauge;
    }
    arithmetic::compact(&mut result);
    Some(Element { point: Point::Histogram(Arc::new(result)), holds: true })
}

fn changed(histogram: &Histogram, change: impl FnOnce(&mut Histogram)) -> Point {
    let mut histogram = histogram.clone();
    change(&mut histogram);
    arithmetic::compact(&mut histogram);
    Point::Histogram(Arc::new(histogram))
}

/// A division by zero leaves no buckets.
fn divide(histogram: &mut Histogram, divisor: f64) {
    arithmetic::divide(histogram, divisor);
    if divisor == 0.0 {
        for counts in [&mut histogram.positive_counts, &mut histogram.negative_counts] {
            counts.clear();
        }
        histogram.positive_spans.clear();
        histogram.negative_spans.clear();
    }
}
