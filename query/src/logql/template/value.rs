//! Values of templates, as Go prints them.

use std::collections::BTreeMap;

use super::layout;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Nil,
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    /// Unix ns, and how many seconds east of UTC it is shown.
    Time(i64, i32),
}

impl Value {
    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Text(text) => !text.is_empty(),
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Bool(value) => *value,
            Self::List(values) => !values.is_empty(),
            Self::Map(members) => !members.is_empty(),
            Self::Time(..) => true,
        }
    }

    /// As `{{ . }}` writes it.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<no value>"),
            Self::Text(text) => out.push_str(text),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&shortest(*value)),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::List(values) => {
                out.push('[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        out.push(' ');
                    }
                    value.write_within(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push_str("map[");
                for (number, (name, value)) in members.iter().enumerate() {
                    if number > 0 {
                        out.push(' ');
                    }
                    out.push_str(name);
                    out.push(':');
                    value.write_within(out);
                }
                out.push(']');
            }
            Self::Time(ns, zone) => {
                out.push_str(&layout::format(*ns, *zone, "2006-01-02 15:04:05.999999999 -0700 MST"))
            }
        }
    }

    fn write_within(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<nil>"),
            value => value.write(out),
        }
    }

    /// As text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            value => {
                let mut out = String::new();
                value.write(&mut out);
                out
            }
        }
    }

    /// As a whole number: of texts what they read as, else 0.
    pub(super) fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Float(value) => *value as i64,
            Self::Bool(value) => i64::from(*value),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |value| value as i64))
            }
            _ => 0,
        }
    }

    /// As a number: of texts what they read as, else 0.
    pub(super) fn float(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Text(text) => text.trim().parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// What kind it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Text(_) => "string",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Bool(_) => "bool",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Time(..) => "time",
        }
    }

    /// The member of a name: of a map without it an empty text, as labels have it.
    pub(super) fn field(&self, name: &str) -> Result<Value, String> {
        match self {
            Self::Map(members) => Ok(members.get(name).cloned().unwrap_or(Self::Nil)),
            Self::Nil => Ok(Self::Nil),
            other => Err(format!("can't evaluate field {name} in type {}", other.kind())),
        }
    }
}

/// A float as Go's `%v` has it.
pub(super) fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// What JSON says; `None` when it is none.
pub(super) fn from_json(text: &str) -> Option<Value> {
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
