//! Attributes as Jaeger's typed tags.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Number, Value as Json};
use weir_proto::otlp::messages::common::v1::{AnyValue, KeyValue, any_value::Value};

use super::model::{Tag, TagValue};
use crate::trace::{by_key, non_finite};

/// JavaScript reads integers beyond this wrongly: they are written as text, as Jaeger does.
const JS_SAFE_MAX: i64 = (1 << 53) - 1;

/// Attributes as tags, by key.
pub(super) fn tags(attributes: &[KeyValue]) -> Vec<Tag<'_>> {
    by_key(attributes).into_iter().map(tag).collect()
}

/// A tag of text.
pub(super) fn text<'a>(key: &'a str, value: impl Into<Cow<'a, str>>) -> Tag<'a> {
    Tag { key, kind: "string", value: TagValue::Text(value.into()) }
}

/// A tag of a number.
pub(super) fn int(key: &str, value: i64) -> Tag<'_> {
    let safe = (-JS_SAFE_MAX..=JS_SAFE_MAX).contains(&value);
    let value = if safe { TagValue::Int(value) } else { TagValue::Text(value.to_string().into()) };
    Tag { key, kind: "int64", value }
}

/// A tag of a number with a fraction.
pub(super) fn double(key: &str, value: f64) -> Tag<'_> {
    Tag { key, kind: "float64", value: float(value) }
}

fn tag(attribute: &KeyValue) -> Tag<'_> {
    let key = attribute.key.as_str();
    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
    match value {
        Some(Value::StringValue(value)) => text(key, value.as_str()),
        Some(Value::BoolValue(value)) => Tag { key, kind: "bool", value: TagValue::Bool(*value) },
        Some(Value::IntValue(value)) => int(key, *value),
        Some(Value::DoubleValue(value)) => double(key, *value),
        Some(Value::BytesValue(bytes)) => {
            Tag { key, kind: "binary", value: TagValue::Text(BASE64_STANDARD.encode(bytes).into()) }
        }
        Some(value @ (Value::ArrayValue(_) | Value::KvlistValue(_))) => text(key, json(Some(value)).to_string()),
        Some(Value::StringValueStrindex(_)) | None => text(key, ""),
    }
}

/// JSON has no NaN and no infinity: they are written as text.
fn float(value: f64) -> TagValue<'static> {
    non_finite(value).map_or(TagValue::Float(value), |name| TagValue::Text(name.into()))
}

/// A value as plain JSON, as the Collector writes lists and maps into text.
fn json(value: Option<&Value>) -> Json {
    let of = |value: &AnyValue| json(value.value.as_ref());
    match value {
        None | Some(Value::StringValueStrindex(_)) => Json::Null,
        Some(Value::StringValue(text)) => Json::String(text.clone()),
        Some(Value::BoolValue(value)) => Json::Bool(*value),
        Some(Value::IntValue(value)) => Json::Number((*value).into()),
        Some(Value::DoubleValue(value)) => {
            non_finite(*value).map_or_else(|| Number::from_f64(*value).into(), |name| Json::String(name.into()))
        }
        Some(Value::BytesValue(bytes)) => Json::String(BASE64_STANDARD.encode(bytes)),
        Some(Value::ArrayValue(array)) => Json::Array(array.values.iter().map(of).collect()),
        Some(Value::KvlistValue(list)) => {
            let mut map = Map::new();
            for entry in &list.values {
                map.insert(entry.key.clone(), entry.value.as_ref().map_or(Json::Null, of));
            }
            Json::Object(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_proto::otlp::messages::common::v1::{ArrayValue, KeyValueList};

    use super::*;
    use crate::http::fixtures::{attribute, double, string};

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn every_type_has_its_tag() {
        let array = ArrayValue {
            values: vec![any(Value::IntValue(1)), any(Value::StringValue("a\"b".into())), AnyValue::default()],
        };
        let list = KeyValueList { values: vec![double("z", 0.5), attribute("a", Value::BytesValue(vec![1, 2]))] };
        for (before, after) in [
            (string("k", "v"), r#"{"key":"k","type":"string","value":"v"}"#),
            (attribute("k", Value::BoolValue(true)), r#"{"key":"k","type":"bool","value":true}"#),
            (attribute("k", Value::IntValue(-5)), r#"{"key":"k","type":"int64","value":-5}"#),
            (attribute("k", Value::IntValue(JS_SAFE_MAX)), r#"{"key":"k","type":"int64","value":9007199254740991}"#),
            (attribute("k", Value::IntValue(i64::MIN)), r#"{"key":"k","type":"int64","value":"-9223372036854775808"}"#),
            (double("k", 0.25), r#"{"key":"k","type":"float64","value":0.25}"#),
            (double("k", f64::NAN), r#"{"key":"k","type":"float64","value":"NaN"}"#),
            (double("k", f64::NEG_INFINITY), r#"{"key":"k","type":"float64","value":"-Infinity"}"#),
            (attribute("k", Value::BytesValue(vec![0, 255])), r#"{"key":"k","type":"binary","value":"AP8="}"#),
            (attribute("k", Value::ArrayValue(array)), r#"{"key":"k","type":"string","value":"[1,\"a\\\"b\",null]"}"#),
            (
                attribute("k", Value::KvlistValue(list)),
                r#"{"key":"k","type":"string","value":"{\"a\":\"AQI=\",\"z\":0.5}"}"#,
            ),
            (KeyValue { key: "k".into(), ..KeyValue::default() }, r#"{"key":"k","type":"string","value":""}"#),
        ] {
            assert_eq!(serde_json::to_string(&tag(&before)).expect("writes"), after);
        }
    }
}
