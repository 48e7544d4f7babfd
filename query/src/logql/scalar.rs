//! Operators on two numbers, and those whose operands are both written as numbers.

use super::ast::{BinaryOp, Metric, Modifier};

/// The value of an arithmetic operator; of a comparison 1 or 0.
pub(crate) fn compute(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        // As Prometheus has it: no error, but infinity or NaN.
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Compare(compare) => f64::from(u8::from(compare.holds(left, right))),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => f64::NAN,
    }
}

/// The operation, computed at once where both operands are numbers.
pub(crate) fn combine(op: BinaryOp, modifier: Modifier, left: Metric, right: Metric) -> Result<Metric, String> {
    if op.is_set() {
        for (side, operand) in [("left", &left), ("right", &right)] {
            if let Metric::Number(value) = operand {
                return Err(format!(
                    "unexpected literal for {side} side of logical/set binary operation ({}): {value}",
                    op.text()
                ));
            }
        }
    }
    match (&left, &right) {
        (Metric::Number(left), Metric::Number(right)) => Ok(Metric::Number(compute(op, *left, *right))),
        _ => Ok(Metric::Binary { op, modifier, left: Box::new(left), right: Box::new(right) }),
    }
}
