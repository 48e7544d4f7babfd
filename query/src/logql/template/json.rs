//! Values of JSON, as templates have them.

use crate::gotemplate::Value;

/// What JSON says; `None` when it is none.
pub(super) fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(of_json)
}

fn of_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        // Go reads every number as a float.
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(values) => Value::List(values.into_iter().map(of_json).collect()),
        serde_json::Value::Object(members) => {
            Value::Map(members.into_iter().map(|(name, value)| (name, of_json(value))).collect())
        }
    }
}
