//! Values of templates, as Go prints them.

use std::collections::BTreeMap;

use super::{methods, printf};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    Nil,
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Value>),
    /// What it has no key for is nothing.
    Map(BTreeMap<String, Value>),
    /// What it has no key for is an empty text.
    Labels(BTreeMap<String, String>),
    /// Its type, and its fields; it has no others.
    Record(&'static str, Vec<(&'static str, Value)>),
    /// Unix ns, and how many seconds east of UTC it is shown.
    Time(i64, i32),
    /// ns
    Duration(i64),
    /// Its type, and what it looks like.
    Opaque(&'static str, String),
    /// What the host knows the fields of.
    Root,
}

impl Value {
    /// Whether `if` takes it for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Text(text) => !text.is_empty(),
            Self::Int(value) | Self::Duration(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Bool(value) => *value,
            Self::List(values) => !values.is_empty(),
            Self::Map(members) => !members.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Record(..) | Self::Time(..) | Self::Opaque(..) | Self::Root => true,
        }
    }

    /// As `{{ . }}` writes it.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<no value>"),
            Self::Text(text) => out.push_str(text),
            value => printf::value(value, out),
        }
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            value => {
                let mut out = String::new();
                value.write(&mut out);
                out
            }
        }
    }

    /// Its type, as Go calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Text(_) => "string",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Bool(_) => "bool",
            Self::List(values) => match values.first() {
                Some(Self::Record(..)) => "template.queryResult",
                _ => "[]interface {}",
            },
            Self::Map(_) => "map[string]interface {}",
            Self::Labels(_) => "map[string]string",
            Self::Record(name, _) | Self::Opaque(name, _) => name,
            Self::Time(..) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Root => "struct",
        }
    }

    /// The member of a name.
    pub(crate) fn field(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Map(members) => Ok(members.get(name).cloned().unwrap_or(Self::Nil)),
            Self::Labels(labels) => Ok(Self::Text(labels.get(name).cloned().unwrap_or_default())),
            Self::Nil => Ok(Self::Nil),
            Self::Record(_, fields) => match fields.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => Ok(value.clone()),
                None => Err(self.no_field(name)),
            },
            _ => methods::call(self, name, &[]).unwrap_or_else(|| Err(self.no_field(name))),
        }
    }

    fn no_field(&self, name: &str) -> String {
        format!("can't evaluate field {name} in type {}", self.kind())
    }
}
