//! One kind of value from another. Of nothing, and of a text that is none of the kind, nothing comes.

use super::{Arguments, Call, Value};

pub(super) fn int<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match value {
        Value::Int(_) | Value::Nil => value,
        Value::Bool(value) => Value::Int(value.into()),
        Value::Float(value) => Value::Int(value as i64),
        Value::Text(text) => parsed(&text).map_or(Value::Nil, Value::Int),
        _ => Value::Fault,
    }
}

pub(super) fn double<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match value {
        Value::Float(_) | Value::Nil => value,
        Value::Bool(value) => Value::Float(f64::from(u8::from(value))),
        Value::Int(value) => Value::Float(value as f64),
        Value::Text(text) => parsed(&text).map_or(Value::Nil, Value::Float),
        _ => Value::Fault,
    }
}

pub(super) fn bool<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match value {
        Value::Bool(_) | Value::Nil => value,
        Value::Int(value) => Value::Bool(value != 0),
        Value::Float(value) => Value::Bool(value != 0.0),
        Value::Text(text) => match &*text {
            b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Value::Bool(true),
            b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Value::Bool(false),
            _ => Value::Fault,
        },
        _ => Value::Fault,
    }
}

pub(super) fn string<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match value.into_text() {
        Ok(Some(text)) => Value::Text(text),
        Ok(None) => Value::Nil,
        Err(()) => Value::Fault,
    }
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
