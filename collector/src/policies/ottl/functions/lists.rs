//! Lists, and how long things are.

use std::borrow::Cow;

use super::{
    super::value::{List, Value},
    Arguments, Call,
};

pub(super) fn contains_value<'v>([target, item, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match target {
        Value::List(list) => Value::Bool(list.items().iter().any(|one| one.is(&item))),
        _ => Value::Fault,
    }
}

/// Bytes of a text, items of a list, keys of a map.
pub(super) fn len<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let len = match target {
        Value::Text(bytes) | Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        _ => return Value::Fault,
    };
    Value::Int(len as i64)
}

pub(super) fn split<'v>([target, delimiter, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let (Value::Text(text), Value::Text(delimiter)) = (target, delimiter) else { return Value::Fault };
    let (text, delimiter) = (String::from_utf8_lossy(&text), String::from_utf8_lossy(&delimiter));
    let text_of = |part: &str| Value::Text(Cow::Owned(part.as_bytes().to_vec()));
    let parts = if delimiter.is_empty() {
        text.chars().map(|letter| text_of(letter.encode_utf8(&mut [0; 4]))).collect()
    } else {
        text.split(&*delimiter).map(text_of).collect()
    };
    Value::List(List::Made(parts))
}

pub(super) fn concat<'v>([values, delimiter, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let (Value::List(list), Value::Text(delimiter)) = (values, delimiter) else { return Value::Fault };
    let mut joined = Vec::new();
    for (index, item) in list.items().into_iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(&delimiter);
        }
        match item.into_text() {
            Ok(Some(text)) => joined.extend_from_slice(&text),
            // As the Collector writes it.
            Ok(None) => joined.extend_from_slice(b"<nil>"),
            Err(()) => return Value::Fault,
        }
    }
    Value::Text(joined.into())
}
