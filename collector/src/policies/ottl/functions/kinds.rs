//! What kind of value something is.

use super::{Arguments, Call, Value};

pub(super) fn is_string<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::Text(_)))
}

pub(super) fn is_int<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::Int(_)))
}

pub(super) fn is_double<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::Float(_)))
}

pub(super) fn is_bool<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::Bool(_)))
}

pub(super) fn is_map<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::Map(_)))
}

pub(super) fn is_list<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    Value::Bool(matches!(value, Value::List(_)))
}
