//! Whether an attribute's value is shown as a wanted text: the one rule for head and segments.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value as Json;
use weir_proto::otlp::{
    messages::common::v1::{AnyValue, KeyValueList, any_value::Value},
    traces::ValueView,
};

use super::json::{self, BadJson};
use crate::columns::Kind;

/// A wanted text, ready to be compared with values of each type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted<'f> {
    /// Equal strings match.
    pub(super) text: &'f str,
    bool: Option<bool>,
    /// Equal integers match.
    pub(super) int: Option<i64>,
    /// Doubles of the same number match, and every NaN where this is one.
    double: Option<f64>,
    /// Lists and maps like this match.
    nested: Option<Json>,
    /// The text is base64: bytes may match.
    is_base64: bool,
}

impl<'f> Wanted<'f> {
    /// Of a text.
    pub(crate) fn of(text: &'f str) -> Self {
        let nested = matches!(text.trim_start().as_bytes().first(), Some(b'[' | b'{'));
        Self {
            text,
            bool: text.parse().ok(),
            int: text.parse().ok().filter(|int: &i64| int.to_string() == *text),
            double: text.parse().ok().filter(|double: &f64| !double.is_nan() || text == "NaN"),
            nested: nested.then(|| serde_json::from_str(text).ok()).flatten(),
            is_base64: STANDARD.decode(text).is_ok(),
        }
    }

    /// Whether nothing but a string (or bytes) is shown so: then its JSON text holds the text in quotes.
    pub(super) fn is_string_like(&self) -> bool {
        !self.text.is_empty()
            && self.bool.is_none()
            && self.int.is_none()
            && self.double.is_none()
            && self.nested.is_none()
    }

    /// The text, where nothing but a string of these bytes is shown so.
    pub(crate) fn only_string(&self) -> Option<&'f str> {
        (self.is_string_like() && !self.is_base64).then_some(self.text)
    }

    /// What occurs in every JSON text of attributes of which one with this key matches.
    pub(super) fn needle(&self, quoted_key: &[u8]) -> Vec<u8> {
        if self.is_string_like() {
            let mut needle = Vec::new();
            json::write_text(self.text.as_bytes(), &mut needle);
            return needle;
        }
        let mut needle = quoted_key.to_vec();
        needle.push(b':');
        needle
    }

    /// The JSON texts of all scalars that match; `None` when a value that matches may be written otherwise.
    pub(super) fn scalars(&self) -> Option<Vec<Vec<u8>>> {
        if self.text.is_empty() || self.nested.is_some() || self.double.is_some_and(|double| !double.is_finite()) {
            return None;
        }
        let mut quoted = Vec::new();
        json::write_text(self.text.as_bytes(), &mut quoted);
        let mut texts = Vec::new();
        if self.is_base64 {
            texts.push([&br#"{"$bytes":"#[..], &quoted, b"}"].concat());
        }
        texts.push(quoted);
        texts.extend(self.bool.map(|bool| bool.to_string().into_bytes()));
        texts.extend(self.int.map(|int| int.to_string().into_bytes()));
        for double in self.double.iter().flat_map(|&double| [double, if double == 0.0 { -double } else { double }]) {
            let mut text = Vec::new();
            json::write_double(double, &mut text);
            texts.push(text);
        }
        Some(texts)
    }

    /// Whether a value matches.
    pub(super) fn matches(&self, value: &AnyValue) -> bool {
        match &value.value {
            None | Some(Value::StringValueStrindex(_)) => self.text.is_empty(),
            Some(Value::StringValue(text)) => self.text == text,
            Some(Value::BoolValue(value)) => self.bool == Some(*value),
            Some(Value::IntValue(value)) => self.int == Some(*value),
            Some(Value::DoubleValue(value)) => self.matches_double(*value),
            Some(Value::BytesValue(bytes)) => self.is_base64 && STANDARD.encode(bytes) == self.text,
            Some(value @ (Value::ArrayValue(_) | Value::KvlistValue(_))) => {
                self.nested.as_ref().is_some_and(|wanted| is_shown_as(Some(value), wanted))
            }
        }
    }

    /// Whether a value, as the wire has it, matches.
    pub(crate) fn matches_view(&self, value: &ValueView<'_>) -> bool {
        match value {
            ValueView::Empty => self.text.is_empty(),
            ValueView::Str(text) => self.text.as_bytes() == *text,
            ValueView::Bool(value) => self.bool == Some(*value),
            ValueView::Int(value) => self.int == Some(*value),
            ValueView::Double(value) => self.matches_double(*value),
            ValueView::Bytes(bytes) => self.is_base64 && STANDARD.encode(bytes) == self.text,
            ValueView::Array(_) | ValueView::KvList(_) if self.nested.is_none() => false,
            ValueView::Array(_) | ValueView::KvList(_) => {
                let mut text = Vec::new();
                json::write_value(value, &mut text);
                self.matches_json(&text).unwrap_or(false)
            }
        }
    }

    /// Whether a value, as residuals have it, matches.
    pub(super) fn matches_json(&self, value: &[u8]) -> Result<bool, BadJson> {
        if value.first() == Some(&b'[') && self.nested.is_none() {
            return Ok(false);
        }
        json::read_value(value).map(|value| self.matches(&value))
    }

    /// Whether a column's number matches.
    pub(super) fn matches_word(&self, kind: Kind, word: u64) -> bool {
        match kind {
            Kind::Bool => self.bool == Some(word != 0),
            Kind::Int64 => self.int == Some(word as i64),
            Kind::Double => self.matches_double(f64::from_bits(word)),
            _ => false,
        }
    }

    /// Whether a column of this kind can match at all.
    pub(super) fn may_match(&self, kind: Kind) -> bool {
        match kind {
            Kind::Text => true,
            Kind::Bool => self.bool.is_some(),
            Kind::Int64 => self.int.is_some(),
            Kind::Double => self.double.is_some(),
            Kind::Json => self.nested.is_some() || self.is_base64,
            _ => false,
        }
    }

    /// Whether values of this kind (as manifests name it) can match at all.
    pub(super) fn may_match_named(&self, kind: &str) -> bool {
        match kind {
            "text" => true,
            "bool" => self.bool.is_some(),
            "int" => self.int.is_some(),
            "double" => self.double.is_some(),
            "json" => self.nested.is_some() || self.is_base64,
            "empty" => self.text.is_empty(),
            _ => true,
        }
    }

    fn matches_double(&self, value: f64) -> bool {
        self.double.is_some_and(|wanted| wanted == value || (wanted.is_nan() && value.is_nan()))
    }
}

/// Whether a value inside a list or map is shown as this JSON: NaN and the infinities as their names, bytes in base64, of a key that is
/// there twice the last value.
fn is_shown_as(value: Option<&Value>, wanted: &Json) -> bool {
    match value {
        None | Some(Value::StringValueStrindex(_)) => wanted.is_null(),
        Some(Value::StringValue(text)) => wanted.as_str() == Some(text),
        Some(Value::BoolValue(value)) => wanted.as_bool() == Some(*value),
        Some(Value::IntValue(value)) => match wanted.as_i64() {
            Some(wanted) => wanted == *value,
            None => wanted.as_f64().is_some_and(|wanted| wanted == *value as f64),
        },
        Some(Value::DoubleValue(value)) if value.is_nan() => wanted.as_str() == Some("NaN"),
        Some(Value::DoubleValue(value)) if value.is_infinite() => {
            wanted.as_str() == Some(if *value > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Some(Value::DoubleValue(value)) => wanted.as_f64() == Some(*value),
        Some(Value::BytesValue(bytes)) => wanted.as_str().is_some_and(|wanted| STANDARD.encode(bytes) == wanted),
        Some(Value::ArrayValue(list)) => wanted.as_array().is_some_and(|wanted| {
            let pairs = list.values.iter().zip(wanted);
            list.values.len() == wanted.len()
                && pairs.into_iter().all(|(value, wanted)| is_shown_as(value.value.as_ref(), wanted))
        }),
        Some(Value::KvlistValue(list)) => wanted.as_object().is_some_and(|wanted| {
            let last = last_values(list);
            last.len() == wanted.len()
                && last.into_iter().all(|(key, value)| wanted.get(key).is_some_and(|wanted| is_shown_as(value, wanted)))
        }),
    }
}

fn last_values(list: &KeyValueList) -> std::collections::BTreeMap<&str, Option<&Value>> {
    let values = list.values.iter();
    values.map(|entry| (entry.key.as_str(), entry.value.as_ref().and_then(|value| value.value.as_ref()))).collect()
}

#[cfg(test)]
mod tests {
    use weir_proto::otlp::messages::common::v1::{ArrayValue, KeyValue};

    use super::*;

    fn matches(wanted: &str, value: Value) -> bool {
        Wanted::of(wanted).matches(&AnyValue { value: Some(value) })
    }

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn a_scalar_is_found_by_how_it_is_shown() {
        for (wanted, value) in [
            ("500", Value::StringValue("500".into())),
            ("500", Value::IntValue(500)),
            ("-9223372036854775808", Value::IntValue(i64::MIN)),
            ("500", Value::DoubleValue(500.0)),
            ("5e2", Value::DoubleValue(500.0)),
            ("0", Value::DoubleValue(-0.0)),
            ("-0.0", Value::DoubleValue(0.0)),
            ("true", Value::BoolValue(true)),
            ("0.5", Value::DoubleValue(0.5)),
            ("NaN", Value::DoubleValue(f64::NAN)),
            ("-Infinity", Value::DoubleValue(f64::NEG_INFINITY)),
            ("AA==", Value::BytesValue(vec![0])),
            ("", Value::BytesValue(Vec::new())),
            ("", Value::StringValue(String::new())),
        ] {
            assert!(matches(wanted, value.clone()), "{wanted} {value:?}");
        }
        for (wanted, value) in [
            ("0500", Value::IntValue(500)),
            ("+5", Value::IntValue(5)),
            ("1", Value::BoolValue(true)),
            ("nan", Value::DoubleValue(f64::NAN)),
            ("Infinity", Value::DoubleValue(f64::NAN)),
            ("AA", Value::BytesValue(vec![0])),
            ("AA==", Value::BytesValue(vec![1])),
        ] {
            assert!(!matches(wanted, value.clone()), "{wanted} {value:?}");
        }
        assert!(
            Wanted::of("").matches(&AnyValue { value: None }) && !Wanted::of("null").matches(&AnyValue { value: None })
        );
    }

    #[test]
    fn lists_and_maps_are_found_by_their_json() {
        let values = vec![any(Value::StringValue("stop".into())), any(Value::IntValue(2)), AnyValue::default()];
        let list = Value::ArrayValue(ArrayValue { values });
        for wanted in [r#"["stop",2,null]"#, " [ \"stop\" , 2.0, null ] "] {
            assert!(matches(wanted, list.clone()), "{wanted}");
        }
        for wanted in [r#"["stop",2]"#, r#"["stop","2",null]"#, r#"["stop",2,null"#, "stop", "", r#"[2,"stop",null]"#] {
            assert!(!matches(wanted, list.clone()), "{wanted}");
        }
        let entry = |key: &str, value| KeyValue { key: key.into(), value: Some(any(value)), ..Default::default() };
        let map = Value::KvlistValue(KeyValueList {
            values: vec![
                entry("b", Value::DoubleValue(f64::INFINITY)),
                entry("a", Value::BytesValue(vec![1, 2])),
                entry("b", Value::DoubleValue(1.0)),
                entry("n", list),
            ],
        });
        assert!(matches(r#"{"b":1,"n":["stop",2,null],"a":"AQI="}"#, map.clone()));
        assert!(!matches(r#"{"b":"Infinity","n":["stop",2,null],"a":"AQI="}"#, map));
        assert!(matches("[]", Value::ArrayValue(ArrayValue::default())));
        assert!(matches("{ }", Value::KvlistValue(KeyValueList::default())));
        assert!(!matches("[]", Value::KvlistValue(KeyValueList::default())));
    }
}
