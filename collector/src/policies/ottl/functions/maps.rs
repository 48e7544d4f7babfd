//! Maps: what is in them, and what becomes one.

use regex::bytes::Regex;

use super::{
    super::{
        expression::Operand,
        value::{List, Map, Value},
    },
    Arguments, Call,
};

/// How deep JSON may be nested that is read here.
const DEPTH_MAX: u32 = 32;

pub(super) fn keys<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match target {
        Value::Map(map) => {
            let keys = map.entries().into_iter().map(|(key, _)| Value::Text(key));
            Value::List(List::Made(keys.collect()))
        }
        _ => Value::Fault,
    }
}

pub(super) fn values<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match target {
        Value::Map(map) => Value::List(List::Made(map.entries().into_iter().map(|(_, value)| value).collect())),
        _ => Value::Fault,
    }
}

/// JSON's numbers are floats, as in the Collector.
pub(super) fn parse_json<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let Value::Text(text) = target else { return Value::Fault };
    match serde_json::from_slice(&text) {
        Ok(parsed @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => of_json(parsed, 0),
        _ => Value::Fault,
    }
}

fn of_json<'v>(json: serde_json::Value, depth: u32) -> Value<'v> {
    use serde_json::Value as Json;
    if depth == DEPTH_MAX {
        return Value::Nil;
    }
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::Text(text.into_bytes().into()),
        Json::Array(items) => Value::List(List::Made(items.into_iter().map(|item| of_json(item, depth + 1)).collect())),
        Json::Object(entries) => {
            let made = entries.into_iter().map(|(key, value)| (key.into_bytes().into(), of_json(value, depth + 1)));
            Value::Map(Map::Made(made.collect()))
        }
    }
}

/// What the pattern's named groups found.
pub(super) fn extract_patterns<'v>([target, ..]: Arguments<'v>, call: &'v Call) -> Value<'v> {
    let (Value::Text(text), Some(regex)) = (target, &call.regex) else { return Value::Fault };
    let mut found = Vec::new();
    if let Some(groups) = regex.captures(&text) {
        for name in regex.capture_names().flatten() {
            let group = groups.name(name).map(|group| group.as_bytes().to_vec()).unwrap_or_default();
            found.push((name.as_bytes().into(), Value::Text(group.into())));
        }
    }
    Value::Map(Map::Made(found))
}

pub(super) fn check_groups(_: &[Operand], pattern: Option<&Regex>) -> Result<(), String> {
    if pattern.is_some_and(|pattern| pattern.capture_names().flatten().next().is_none()) {
        return Err("the pattern needs a group with a name, as in (?P<code>[0-9]+)".to_owned());
    }
    Ok(())
}

/// The natural logarithm.
pub(super) fn log<'v>([value, ..]: Arguments<'v>, call: &'v Call) -> Value<'v> {
    let [one, two, three] = [value, Value::Nil, Value::Nil];
    match super::convert::double([one, two, three], call) {
        Value::Float(number) if number > 0.0 => Value::Float(number.ln()),
        _ => Value::Fault,
    }
}
