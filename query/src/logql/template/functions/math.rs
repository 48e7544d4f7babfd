//! Functions on numbers: whole ones, and those with an `f` at their name's end.

use super::{ANY, Function, Lenient};
use crate::gotemplate::Value;

fn fold_int(arguments: &[Value], compute: fn(i64, i64) -> i64) -> Result<Value, String> {
    let mut values = arguments.iter().map(Lenient::int);
    let first = values.next().unwrap_or(0);
    Ok(Value::Int(values.fold(first, compute)))
}

fn fold_float(arguments: &[Value], compute: fn(f64, f64) -> f64) -> Result<Value, String> {
    let mut values = arguments.iter().map(Lenient::float);
    let first = values.next().unwrap_or(0.0);
    Ok(Value::Float(values.fold(first, compute)))
}

fn divided(arguments: &[Value], compute: fn(i64, i64) -> Option<i64>) -> Result<Value, String> {
    let value = compute(arguments[0].int(), arguments[1].int());
    value.map(Value::Int).ok_or_else(|| "integer divide by zero".to_owned())
}

pub(super) const FUNCTIONS: &[Function] = &[
    ("add", (1, ANY), |arguments, _| fold_int(arguments, i64::wrapping_add)),
    ("sub", (2, 2), |arguments, _| fold_int(arguments, i64::wrapping_sub)),
    ("mul", (1, ANY), |arguments, _| fold_int(arguments, i64::wrapping_mul)),
    ("div", (2, 2), |arguments, _| divided(arguments, i64::checked_div)),
    ("mod", (2, 2), |arguments, _| divided(arguments, i64::checked_rem)),
    ("max", (1, ANY), |arguments, _| fold_int(arguments, i64::max)),
    ("min", (1, ANY), |arguments, _| fold_int(arguments, i64::min)),
    ("addf", (1, ANY), |arguments, _| fold_float(arguments, |a, b| a + b)),
    ("subf", (1, ANY), |arguments, _| fold_float(arguments, |a, b| a - b)),
    ("mulf", (1, ANY), |arguments, _| fold_float(arguments, |a, b| a * b)),
    ("divf", (1, ANY), |arguments, _| fold_float(arguments, |a, b| a / b)),
    ("maxf", (1, ANY), |arguments, _| fold_float(arguments, f64::max)),
    ("minf", (1, ANY), |arguments, _| fold_float(arguments, f64::min)),
    ("ceil", (1, 1), |arguments, _| Ok(Value::Float(arguments[0].float().ceil()))),
    ("floor", (1, 1), |arguments, _| Ok(Value::Float(arguments[0].float().floor()))),
    ("round", (2, 3), |arguments, _| {
        let on = arguments.get(2).map_or(0.5, Lenient::float);
        let power = 10f64.powi(arguments[1].int().clamp(-300, 300) as i32);
        let digits = arguments[0].float() * power;
        let fraction = digits.fract().abs();
        // Away from zero, from `on` upwards.
        let rounded = if fraction >= on { digits.trunc() + digits.signum() } else { digits.trunc() };
        Ok(Value::Float(rounded / power))
    }),
    ("int", (1, 1), |arguments, _| Ok(Value::Int(arguments[0].int()))),
    ("float64", (1, 1), |arguments, _| Ok(Value::Float(arguments[0].float()))),
];
