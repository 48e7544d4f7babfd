//! Whether an attribute's value is the one that a filter names.

use weir_proto::otlp::messages::common::v1::{AnyValue, any_value::Value};

use super::schema::Kind;
use crate::AttributeText;

/// A filter's value, ready to be compared with values of each type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted<'f> {
    /// Equal strings match.
    pub(super) text: Option<&'f str>,
    /// Equal booleans match.
    pub(super) bool: Option<bool>,
    /// Equal integers match.
    pub(super) int: Option<i64>,
    /// Doubles of the same number match.
    pub(super) double: Option<f64>,
}

impl<'f> Wanted<'f> {
    /// Of a filter's value. A text matches the string, the boolean or the integer that is written so, and the double of that number.
    pub(super) fn of(value: &'f AttributeText) -> Self {
        let nothing = Self { text: None, bool: None, int: None, double: None };
        match value {
            AttributeText::Text(text) => Self {
                text: Some(text),
                bool: text.parse().ok(),
                int: text.parse().ok().filter(|int: &i64| int.to_string() == *text),
                double: text.parse().ok(),
            },
            AttributeText::Str(text) => Self { text: Some(text), ..nothing },
            AttributeText::Bool(value) => Self { bool: Some(*value), ..nothing },
            AttributeText::Int(value) => Self { int: Some(*value), ..nothing },
            AttributeText::Double(value) => Self { double: Some(*value), ..nothing },
        }
    }

    /// Whether a value matches; arrays, lists, bytes and nothing never do.
    pub(super) fn matches(&self, value: &AnyValue) -> bool {
        match &value.value {
            Some(Value::StringValue(text)) => self.text == Some(text),
            Some(Value::BoolValue(value)) => self.bool == Some(*value),
            Some(Value::IntValue(value)) => self.int == Some(*value),
            Some(Value::DoubleValue(value)) => self.double == Some(*value),
            _ => false,
        }
    }

    /// Whether a column's number matches.
    pub(super) fn matches_word(&self, kind: Kind, word: u64) -> bool {
        match kind {
            Kind::Bool => self.bool == Some(word != 0),
            Kind::Int64 => self.int == Some(word as i64),
            Kind::Double => self.double == Some(f64::from_bits(word)),
            _ => false,
        }
    }

    /// Whether a column of this kind can match at all.
    pub(super) fn may_match(&self, kind: Kind) -> bool {
        match kind {
            Kind::Text => self.text.is_some(),
            Kind::Bool => self.bool.is_some(),
            Kind::Int64 => self.int.is_some(),
            Kind::Double => self.double.is_some(),
            _ => false,
        }
    }

    /// Whether residual values of this kind (as manifests name it) can match at all.
    pub(super) fn may_match_named(&self, kind: &str) -> bool {
        match kind {
            "text" => self.text.is_some(),
            "bool" => self.bool.is_some(),
            "int" => self.int.is_some(),
            "double" => self.double.is_some(),
            _ => false,
        }
    }
}

/// Whether a value is the one that the filter names: the rule that head and segments share.
pub fn value_matches(wanted: &AttributeText, value: &AnyValue) -> bool {
    Wanted::of(wanted).matches(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_matches_what_is_written_so() {
        let matches = |wanted: &str, value: Value| {
            value_matches(&AttributeText::Text(wanted.into()), &AnyValue { value: Some(value) })
        };
        assert!(matches("500", Value::StringValue("500".into())));
        assert!(matches("500", Value::IntValue(500)));
        assert!(matches("500", Value::DoubleValue(500.0)));
        assert!(!matches("0500", Value::IntValue(500)));
        assert!(!matches("+5", Value::IntValue(5)));
        assert!(matches("true", Value::BoolValue(true)));
        assert!(!matches("1", Value::BoolValue(true)));
        assert!(matches("0.5", Value::DoubleValue(0.5)));
        assert!(!matches("NaN", Value::DoubleValue(f64::NAN)));
        assert!(!matches("AA==", Value::BytesValue(vec![0])));
    }

    #[test]
    fn a_typed_value_matches_its_type_only() {
        let int = AttributeText::Int(5);
        assert!(value_matches(&int, &AnyValue { value: Some(Value::IntValue(5)) }));
        assert!(!value_matches(&int, &AnyValue { value: Some(Value::StringValue("5".into())) }));
        assert!(!value_matches(&int, &AnyValue { value: Some(Value::DoubleValue(5.0)) }));
        assert!(!value_matches(&int, &AnyValue { value: None }));
    }
}
