//! Comparisons, and what looks into values.

use std::cmp::Ordering;

use super::{ANY, Function, Lenient};
use crate::{gotemplate::Value, logql::template::json};

pub(super) const FUNCTIONS: &[Function] = &[
    ("contains", (2, 2), |arguments, _| Ok(Value::Bool(arguments[1].text().contains(&arguments[0].text())))),
    ("hasPrefix", (2, 2), |arguments, _| Ok(Value::Bool(arguments[1].text().starts_with(&arguments[0].text())))),
    ("hasSuffix", (2, 2), |arguments, _| Ok(Value::Bool(arguments[1].text().ends_with(&arguments[0].text())))),
    ("not", (1, 1), |arguments, _| Ok(Value::Bool(!arguments[0].is_true()))),
    ("eq", (2, ANY), |arguments, _| {
        for other in &arguments[1..] {
            if is_equal(&arguments[0], other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    ("ne", (2, 2), |arguments, _| Ok(Value::Bool(!is_equal(&arguments[0], &arguments[1])?))),
    ("lt", (2, 2), |arguments, _| Ok(Value::Bool(order(arguments)? == Ordering::Less))),
    ("le", (2, 2), |arguments, _| Ok(Value::Bool(order(arguments)? != Ordering::Greater))),
    ("gt", (2, 2), |arguments, _| Ok(Value::Bool(order(arguments)? == Ordering::Greater))),
    ("ge", (2, 2), |arguments, _| Ok(Value::Bool(order(arguments)? != Ordering::Less))),
    ("len", (1, 1), |arguments, _| match &arguments[0] {
        Value::Text(text) => Ok(Value::Int(text.len() as i64)),
        Value::List(values) => Ok(Value::Int(values.len() as i64)),
        Value::Map(members) => Ok(Value::Int(members.len() as i64)),
        Value::Labels(labels) => Ok(Value::Int(labels.len() as i64)),
        other => Err(format!("len of type {}", other.kind())),
    }),
    ("index", (1, ANY), |arguments, _| {
        let mut value = arguments[0].clone();
        for at in &arguments[1..] {
            value = match &value {
                Value::List(values) => {
                    let found = usize::try_from(at.int()).ok().and_then(|at| values.get(at));
                    found.cloned().ok_or_else(|| format!("index out of range: {}", at.int()))?
                }
                Value::Map(members) => members.get(&at.text()).cloned().unwrap_or(Value::Nil),
                Value::Labels(labels) => Value::Text(labels.get(&at.text()).cloned().unwrap_or_default()),
                Value::Text(text) => {
                    let found = usize::try_from(at.int()).ok().and_then(|at| text.as_bytes().get(at));
                    Value::Int(i64::from(*found.ok_or_else(|| format!("index out of range: {}", at.int()))?))
                }
                other => return Err(format!("can't index item of type {}", other.kind())),
            };
        }
        Ok(value)
    }),
    ("slice", (1, 3), |arguments, _| {
        let len = match &arguments[0] {
            Value::Text(text) => text.len(),
            Value::List(values) => values.len(),
            other => return Err(format!("can't slice item of type {}", other.kind())),
        };
        let bound = |number: usize, default: usize| -> Result<usize, String> {
            let Some(at) = arguments.get(number) else {
                return Ok(default);
            };
            let found = usize::try_from(at.int()).ok().filter(|at| *at <= len);
            found.ok_or_else(|| format!("index out of range: {}", at.int()))
        };
        let (begin, end) = (bound(1, 0)?, bound(2, len)?);
        if begin > end {
            return Err(format!("invalid slice index: {begin} > {end}"));
        }
        Ok(match &arguments[0] {
            Value::Text(text) => Value::Text(String::from_utf8_lossy(&text.as_bytes()[begin..end]).into_owned()),
            Value::List(values) => Value::List(values[begin..end].to_vec()),
            other => other.clone(),
        })
    }),
    ("fromJson", (1, 1), |arguments, _| {
        Ok(json::value(&arguments[0].text()).unwrap_or_else(|| Value::Text(String::new())))
    }),
];

fn is_equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => Ok(left.float() == right.float()),
        (Value::Nil, _) | (_, Value::Nil) => Ok(left == right),
        _ if left.kind() == right.kind() => Ok(left == right),
        _ => Err(format!("incompatible types for comparison: {} and {}", left.kind(), right.kind())),
    }
}

fn order(arguments: &[Value]) -> Result<Ordering, String> {
    match (&arguments[0], &arguments[1]) {
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (left @ (Value::Int(_) | Value::Float(_)), right @ (Value::Int(_) | Value::Float(_))) => {
            Ok(left.float().total_cmp(&right.float()))
        }
        (left, right) => Err(format!("incompatible types for comparison: {} and {}", left.kind(), right.kind())),
    }
}
