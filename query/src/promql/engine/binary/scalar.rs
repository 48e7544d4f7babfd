//! Operators between a vector and a scalar.

use super::{
    super::{Evaluator, QueryError, Sink, Steps},
    element::{arithmetic_of, compare, of_points},
};
use crate::promql::{
    notes::Notes,
    syntax::{
        ast::{Binary, ValueType},
        token::{Extent, Operator},
    },
    value::{ABSENT, Point, Row, is_absent},
};

impl Evaluator<'_> {
    pub(super) fn with_scalar(
        &self,
        binary: &Binary,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let is_left = binary.left.value_type() == ValueType::Scalar;
        let (scalar, vector) = if is_left { (&binary.left, &binary.right) } else { (&binary.right, &binary.left) };
        let scalars = self.scalars(scalar, steps)?;
        self.rows(vector, steps, &mut |mut row| {
            let mut notes = Notes::default();
            apply(binary, &mut row, &scalars, is_left, extent, &mut notes);
            if !notes.is_empty() {
                self.notes.borrow_mut().merge(notes);
            }
            if row.is_empty() { Ok(()) } else { sink(row) }
        })
    }
}

fn apply(binary: &Binary, row: &mut Row<'_>, scalars: &[f64], is_left: bool, extent: Extent, notes: &mut Notes) {
    let operator = binary.operator;
    let is_trim = matches!(operator, Operator::TrimLower | Operator::TrimUpper);
    if !row.histograms.is_empty() || is_trim {
        for (step, &scalar) in scalars.iter().enumerate() {
            let Some(point) = row.point(step) else { continue };
            let scalar = Point::Float(scalar);
            let (left, right) = if is_left { (&scalar, &point) } else { (&point, &scalar) };
            let element = of_points(operator, left, right, extent, notes);
            match element {
                None => row.remove(step),
                Some(element) if binary.is_bool => {
                    row.set(step, Point::Float(f64::from(u8::from(element.holds))));
                }
                Some(element) if !element.holds => row.remove(step),
                // A comparison keeps the vector's value.
                Some(_) if operator.compares() => {}
                Some(element) => row.set(step, element.point),
            }
        }
    } else {
        for (value, &scalar) in row.floats.iter_mut().zip(scalars).filter(|(value, _)| !is_absent(**value)) {
            let (left, right) = if is_left { (scalar, *value) } else { (*value, scalar) };
            *value = match compare(operator, left, right) {
                Some(holds) if binary.is_bool => f64::from(u8::from(holds)),
                Some(true) => *value,
                Some(false) => ABSENT,
                None => arithmetic_of(operator, left, right),
            };
        }
    }
    row.drops_name |= binary.is_bool || operator.makes_another_metric();
}
