//! Values while a condition is asked, with OTTL's ways to compare them and to make one kind of another.

use std::{borrow::Cow, cmp::Ordering, collections::HashMap};

use weir_proto::otlp::traces::{Attributes, ValueView, array_values, key_values};

use super::expression::{Comparison, Index, Operator};

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value<'v> {
    /// What the Collector calls an error: a condition that comes by it does not hold, nor does its contrary.
    Fault,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, [u8]>),
    Bytes(Cow<'v, [u8]>),
    List(List<'v>),
    Map(Map<'v>),
}

/// A list.
#[derive(Debug, Clone)]
pub(super) enum List<'v> {
    /// An encoded ArrayValue.
    Encoded(&'v [u8]),
    Made(Vec<Value<'v>>),
}

/// A map.
#[derive(Debug, Clone)]
pub(super) enum Map<'v> {
    /// An encoded KeyValueList.
    Encoded(&'v [u8]),
    Attributes(Attributes<'v>),
    Made(Vec<Entry<'v>>),
}

/// A key and what is behind it.
pub(super) type Entry<'v> = (Cow<'v, [u8]>, Value<'v>);

impl<'v> From<ValueView<'v>> for Value<'v> {
    fn from(view: ValueView<'v>) -> Self {
        match view {
            ValueView::Empty => Self::Nil,
            ValueView::Str(text) => Self::Text(text.into()),
            ValueView::Bool(value) => Self::Bool(value),
            ValueView::Int(value) => Self::Int(value),
            ValueView::Double(value) => Self::Float(value),
            ValueView::Bytes(bytes) => Self::Bytes(bytes.into()),
            ValueView::Array(array) => Self::List(List::Encoded(array)),
            ValueView::KvList(list) => Self::Map(Map::Encoded(list)),
        }
    }
}

impl<'v> List<'v> {
    /// All items.
    pub(super) fn items(&self) -> Vec<Value<'v>> {
        match self {
            Self::Encoded(array) => array_values(array).map(Value::from).collect(),
            Self::Made(values) => values.clone(),
        }
    }
}

impl<'v> Map<'v> {
    /// How many keys.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Encoded(list) => key_values(list).count(),
            Self::Attributes(attributes) => attributes.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    /// What is behind a key, nil when it is not there; of several the first.
    pub(super) fn get(&self, key: &[u8]) -> Value<'v> {
        let found = match self {
            Self::Made(entries) => {
                let found = entries.iter().find(|(known, _)| **known == *key);
                return found.map_or(Value::Nil, |(_, value)| value.clone());
            }
            Self::Encoded(list) => key_values(list).find(|entry| entry.key == key).map(|entry| entry.value),
            Self::Attributes(attributes) => {
                let raw = attributes.raw().find(|attribute| attribute.key == key);
                raw.and_then(|attribute| attribute.view()).map(|attribute| attribute.value)
            }
        };
        found.map_or(Value::Nil, Value::from)
    }

    /// All keys, with what is behind them.
    pub(super) fn entries(&self) -> Vec<Entry<'v>> {
        match self {
            Self::Encoded(list) => key_values(list).map(|entry| (entry.key.into(), entry.value.into())).collect(),
            Self::Attributes(attributes) => {
                attributes.iter().map(|entry| (entry.key.into(), entry.value.into())).collect()
            }
            Self::Made(entries) => entries.clone(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // Of several values of a key the first counts. A table: a sender may put thousands of keys into one map.
        let mut others = HashMap::with_capacity(other.len());
        for (key, value) in other.entries() {
            others.entry(key).or_insert(value);
        }
        self.entries().iter().all(|(key, value)| value.is(others.get(key).unwrap_or(&Value::Nil)))
    }
}

impl<'v> Value<'v> {
    /// What is behind a key or at a position. Of nothing there is nothing; of what is no map or list, and beyond a
    /// list's ends, it is a fault.
    pub(super) fn at(&self, index: &Index) -> Self {
        match (self, index) {
            (Self::Nil, _) => Self::Nil,
            (Self::Map(map), Index::Key(key)) => map.get(key.as_bytes()),
            (Self::List(list), Index::Position(position)) => {
                let found = usize::try_from(*position).ok().and_then(|position| match list {
                    List::Encoded(array) => array_values(array).nth(position).map(Value::from),
                    List::Made(values) => values.get(position).cloned(),
                });
                found.unwrap_or(Self::Fault)
            }
            _ => Self::Fault,
        }
    }

    /// Numbers reckon with numbers; anything else, and a division by 0, is a fault.
    pub(super) fn reckon(self, operator: Operator, other: Self) -> Self {
        let (left, right) = match (self, other) {
            (Self::Int(left), Self::Int(right)) => {
                return match operator {
                    Operator::Plus => Self::Int(left.saturating_add(right)),
                    Operator::Minus => Self::Int(left.saturating_sub(right)),
                    Operator::Times => Self::Int(left.saturating_mul(right)),
                    Operator::By if right == 0 => Self::Fault,
                    Operator::By => Self::Int(left.saturating_div(right)),
                };
            }
            (Self::Int(left), Self::Float(right)) => (left as f64, right),
            (Self::Float(left), Self::Int(right)) => (left, right as f64),
            (Self::Float(left), Self::Float(right)) => (left, right),
            _ => return Self::Fault,
        };
        match operator {
            Operator::Plus => Self::Float(left + right),
            Operator::Minus => Self::Float(left - right),
            Operator::Times => Self::Float(left * right),
            Operator::By if right == 0.0 => Self::Fault,
            Operator::By => Self::Float(left / right),
        }
    }

    /// Values of different kinds are unequal, and neither is less; `None` for a fault.
    pub(super) fn compare(&self, comparison: Comparison, other: &Self) -> Option<bool> {
        let order = match (self, other) {
            (Self::Fault, _) | (_, Self::Fault) => return None,
            (Self::Nil, Self::Nil) => Some(Ordering::Equal),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Float(right)) => (*left as f64).partial_cmp(right),
            (Self::Float(left), Self::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Text(left), Self::Text(right)) | (Self::Bytes(left), Self::Bytes(right)) => Some(left.cmp(right)),
            (Self::List(left), Self::List(right)) => {
                let (left, right) = (left.items(), right.items());
                let same = left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| left.is(right));
                same.then_some(Ordering::Equal)
            }
            (Self::Map(left), Self::Map(right)) => left.is(right).then_some(Ordering::Equal),
            _ => None,
        };
        let is_map = matches!(self, Self::List(_) | Self::Map(_));
        Some(match comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Unequal => order != Some(Ordering::Equal),
            _ if is_map => false,
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    /// Whether it is the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.compare(Comparison::Equal, other) == Some(true)
    }

    /// What OTTL makes a text of: everything but nothing (`None`), and a fault (`Err`).
    pub(super) fn into_text(self) -> Result<Option<Cow<'v, [u8]>>, ()> {
        Ok(Some(match self {
            Self::Fault => return Err(()),
            Self::Nil => return Ok(None),
            Self::Text(text) => text,
            Self::Bytes(bytes) => hex(&bytes).into_bytes().into(),
            Self::Bool(value) => value.to_string().into_bytes().into(),
            Self::Int(value) => value.to_string().into_bytes().into(),
            Self::Float(value) => value.to_string().into_bytes().into(),
            value @ (Self::List(_) | Self::Map(_)) => value.into_json().to_string().into_bytes().into(),
        }))
    }

    fn into_json(self) -> serde_json::Value {
        match self {
            Self::Fault | Self::Nil => serde_json::Value::Null,
            Self::Bool(value) => value.into(),
            Self::Int(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Text(text) => String::from_utf8_lossy(&text).into(),
            Self::Bytes(bytes) => hex(&bytes).into(),
            Self::List(list) => list.items().into_iter().map(Value::into_json).collect(),
            Self::Map(map) => {
                let entries = map.entries().into_iter();
                entries.map(|(key, value)| (String::from_utf8_lossy(&key).into_owned(), value.into_json())).collect()
            }
        }
    }
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}
