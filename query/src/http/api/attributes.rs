//! `/api/v1/attributes`: the keys that spans have and their frequent values, for completion.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    asked::{Asked, Because, HOUR_NS, number},
    range::Understood,
};
use crate::{
    explore::attributes::{KeyCounts, Value, count},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// Spans that are looked at.
const SPANS_MAX: usize = 20_000;
const KEYS_DEFAULT: usize = 200;
const KEYS_MAX: usize = 5000;
const VALUES_DEFAULT: usize = 20;
const VALUES_OF_ONE: usize = 200;
/// Characters of a value.
const VALUE_CHARS: usize = 200;

#[derive(Debug, Serialize)]
struct Body {
    range: Understood,
    spans: u64,
    partial: bool,
    partial_because: Because,
    keys_left_out: u64,
    attributes: Vec<AttributeBody>,
}

#[derive(Debug, Serialize)]
struct AttributeBody {
    key: String,
    field: bool,
    types: BTreeSet<&'static str>,
    spans: u64,
    distinct: usize,
    /// Not all values were told apart.
    distinct_more: bool,
    values: Vec<ValueBody>,
}

#[derive(Debug, Serialize)]
struct ValueBody {
    value: serde_json::Value,
    spans: u64,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
}

fn is_false(is: &bool) -> bool {
    !is
}

/// Of spans that fulfil `q`, a sample if there are many; of keys that begin with `prefix`, or of `key` alone.
pub(in crate::http) fn attributes(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let asked = Asked::of(call, HOUR_NS)?;
    let key = call.first("key");
    let (keys_max, values_max) = match key {
        None => (number(call, "limit", KEYS_DEFAULT, KEYS_MAX)?, VALUES_DEFAULT),
        Some(_) => (1, number(call, "limit", VALUES_OF_ONE, KEYS_MAX)?),
    };
    let values_max = if call.first("values") == Some("false") { 0 } else { values_max };
    let prefix = call.first("prefix").unwrap_or_default().to_lowercase();
    let value_prefix = call.first("value_prefix").unwrap_or_default().to_lowercase();
    let scan = |request| view.scan(&call.tenant, request);
    let found = count(&asked.plan, None, SPANS_MAX, &scan, call.deadline);
    let mut because = Because::default();
    because.late(found.is_late);
    because.damaged(found.is_damaged, call);
    because.add(found.keys_left_out > 0, "too many keys");
    let is_wanted = |name: &str| match key {
        Some(key) => name == key,
        None => name.to_lowercase().starts_with(&prefix),
    };
    let mut keys: Vec<(String, KeyCounts)> = found.keys.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    keys.sort_by(|a, b| b.1.spans.cmp(&a.1.spans).then_with(|| a.0.cmp(&b.0)));
    let keys_left_out = found.keys_left_out + keys.len().saturating_sub(keys_max) as u64;
    keys.truncate(keys_max);
    let attributes = keys.into_iter().map(|(key, counts)| AttributeBody::of(key, counts, &value_prefix, values_max));
    let body = Body {
        range: Understood::of(&asked.start_ns),
        spans: found.spans,
        partial: because.is_partial(),
        partial_because: because,
        keys_left_out,
        attributes: attributes.collect(),
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

impl AttributeBody {
    fn of(key: String, counts: KeyCounts, value_prefix: &str, values_max: usize) -> Self {
        let types = counts.values.keys().map(type_of).collect();
        let distinct = counts.values.len();
        let is_wanted = |value: &Value| match value {
            Value::Text(text) | Value::Number(text) => text.to_lowercase().starts_with(value_prefix),
            Value::Bool(is) => is.to_string().starts_with(value_prefix),
            Value::Other => false,
        };
        let mut values: Vec<(Value, (u64, f64))> =
            counts.values.into_iter().filter(|(value, _)| is_wanted(value)).collect();
        values.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(&b.0)));
        let values = values.into_iter().take(values_max).map(|(value, (spans, _))| {
            let (value, cut) = json_of(&value);
            ValueBody { value, spans, cut }
        });
        let values = values.collect();
        Self { key, field: counts.is_field, types, spans: counts.spans, distinct, distinct_more: counts.is_cut, values }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::Text(_) => "text",
        Value::Other => "other",
    }
}

/// A value as answers show it, and whether it was cut.
pub(super) fn json_of(value: &Value) -> (serde_json::Value, bool) {
    match value {
        Value::Bool(is) => ((*is).into(), false),
        // A number of a size that JSON's readers round stays a text.
        Value::Number(text) => match text.parse::<i64>() {
            Ok(number) if number.unsigned_abs() < 1 << 53 => (number.into(), false),
            Ok(_) => (text.clone().into(), false),
            Err(_) => (text.parse::<f64>().map_or_else(|_| text.clone().into(), Into::into), false),
        },
        Value::Text(text) => {
            let cut = text.char_indices().nth(VALUE_CHARS).map(|(at, _)| at);
            (text[..cut.unwrap_or(text.len())].into(), cut.is_some())
        }
        Value::Other => (serde_json::Value::Null, false),
    }
}

#[cfg(test)]
mod tests;
