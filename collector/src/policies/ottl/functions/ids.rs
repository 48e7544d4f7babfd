//! Ids from literals, and hex digits.

use super::{super::value::hex, Arguments, Call, Value};

pub(super) fn hex_of<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let digits = match value {
        Value::Text(bytes) | Value::Bytes(bytes) => hex(&bytes),
        Value::Int(value) => hex(&value.to_be_bytes()),
        Value::Float(value) => hex(&value.to_be_bytes()),
        Value::Bool(value) => hex(&[value.into()]),
        _ => return Value::Fault,
    };
    Value::Text(digits.into_bytes().into())
}

pub(super) fn trace_id<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    id(value, 16)
}

pub(super) fn span_id<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    id(value, 8)
}

/// So many bytes, or their hex digits in a text.
fn id(value: Value<'_>, len: usize) -> Value<'_> {
    match value {
        Value::Bytes(bytes) if bytes.len() == len => Value::Bytes(bytes),
        Value::Text(text) if text.len() == 2 * len => {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            let bytes = text.chunks(2).map(|pair| Some((digit(&pair[0])? * 16 + digit(&pair[1])?) as u8));
            bytes.collect::<Option<Vec<u8>>>().map_or(Value::Fault, |bytes| Value::Bytes(bytes.into()))
        }
        _ => Value::Fault,
    }
}
