//! What an expression gives for an entry.

use std::{borrow::Cow, cmp::Ordering};

use super::parser::{Binary, Node, Root};
use crate::operators::{Entry, Fields, Value, pattern::Pattern};

/// A value on the way, borrowed from the entry or the expression.
#[derive(Debug, Clone)]
pub(super) enum Operand<'e> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'e, str>),
    List(Vec<Operand<'e>>),
    Items(&'e [Value<'e>]),
    Map(&'e Fields<'e>),
}

impl<'e> Operand<'e> {
    fn of(value: &'e Value<'e>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Self::Text(String::from_utf8_lossy(bytes)),
            Value::List(items) => Self::Items(items),
            Value::Map(fields) => Self::Map(fields),
        }
    }

    /// In words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) | Self::Items(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// In expr-lang's words.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::List(_) | Self::Items(_) => "array",
            Self::Map(_) => "map",
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::List(items) => Some(items.len()),
            Self::Items(items) => Some(items.len()),
            Self::Map(fields) => Some(fields.len()),
            _ => None,
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone().into_owned(),
            other => {
                let mut shown = String::new();
                crate::operators::json::print(&other.clone().into_value(), &mut shown);
                shown
            }
        }
    }

    pub(super) fn into_value(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(number) => Value::Int(number),
            Self::Float(number) => Value::Float(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => Value::List(items.into_iter().map(Operand::into_value).collect()),
            Self::Items(items) => Value::List(items.iter().map(|item| item.clone().into_owned()).collect()),
            Self::Map(fields) => Value::Map(fields.clone().into_owned()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => one == other,
            (Self::List(_) | Self::Items(_), Self::List(_) | Self::Items(_)) => {
                let (one, other) = (self.items(), other.items());
                one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| one.is_equal(other))
            }
            _ => match (self.number(), other.number()) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            },
        }
    }

    pub(super) fn items(&self) -> Vec<Operand<'e>> {
        match self {
            Self::List(items) => items.clone(),
            Self::Items(items) => items.iter().map(Operand::of).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, String> {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => Ok(Some(one.cmp(other))),
            (Self::Text(one), Self::Text(other)) => Ok(Some(one.cmp(other))),
            _ => match (self.number(), other.number()) {
                (Some(one), Some(other)) => Ok(one.partial_cmp(&other)),
                _ => Err(format!("{} cannot be compared with {}", self.kind(), other.kind())),
            },
        }
    }
}

/// What `node` gives.
pub(super) fn evaluate<'e>(node: &'e Node, entry: &'e Entry<'e>) -> Result<Operand<'e>, String> {
    Ok(match node {
        Node::Null => Operand::Null,
        Node::Bool(value) => Operand::Bool(*value),
        Node::Int(number) => Operand::Int(*number),
        Node::Float(number) => Operand::Float(*number),
        Node::Text(text) => Operand::Text(Cow::Borrowed(text)),
        Node::List(items) => {
            Operand::List(items.iter().map(|item| evaluate(item, entry)).collect::<Result<Vec<_>, _>>()?)
        }
        Node::Root(root) => of_root(*root, entry),
        Node::Member(of, key, is_optional) => match evaluate(of, entry)? {
            Operand::Null if *is_optional => Operand::Null,
            of => member(of, &evaluate(key, entry)?)?,
        },
        Node::Not(of) => Operand::Bool(!truth(evaluate(of, entry)?)?),
        Node::Minus(of) => match evaluate(of, entry)? {
            Operand::Int(number) => Operand::Int(number.wrapping_neg()),
            Operand::Float(number) => Operand::Float(-number),
            other => return Err(format!("{} has no sign", other.kind())),
        },
        Node::And(left, right) => Operand::Bool(truth(evaluate(left, entry)?)? && truth(evaluate(right, entry)?)?),
        Node::Or(left, right) => Operand::Bool(truth(evaluate(left, entry)?)? || truth(evaluate(right, entry)?)?),
        Node::Else(left, right) => match evaluate(left, entry)? {
            Operand::Null => evaluate(right, entry)?,
            some => some,
        },
        Node::Choice(parts) => {
            let chosen = if truth(evaluate(&parts[0], entry)?)? { &parts[1] } else { &parts[2] };
            evaluate(chosen, entry)?
        }
        Node::Matches(of, pattern) => Operand::Bool(matches(&evaluate(of, entry)?, pattern)?),
        Node::Binary(operator, left, right) => binary(*operator, evaluate(left, entry)?, evaluate(right, entry)?)?,
        Node::Call(function, arguments) => {
            let given = arguments.iter().map(|argument| evaluate(argument, entry)).collect::<Result<Vec<_>, _>>()?;
            (function.make)(&given)?
        }
    })
}

fn of_root<'e>(root: Root, entry: &'e Entry<'e>) -> Operand<'e> {
    match root {
        Root::Body => Operand::of(&entry.body),
        Root::Attributes => Operand::Map(&entry.attributes),
        Root::Resource => Operand::Map(&entry.resource),
        Root::Timestamp => Operand::Int(entry.time_ns as i64),
        Root::SeverityText => Operand::Text(Cow::Borrowed(&entry.severity_text)),
        Root::SeverityNumber => Operand::Int(i64::from(entry.severity_number)),
    }
}

fn truth(operand: Operand<'_>) -> Result<bool, String> {
    match operand {
        Operand::Bool(value) => Ok(value),
        other => Err(format!("{} is neither true nor false", other.kind())),
    }
}

fn member<'e>(of: Operand<'e>, key: &Operand<'e>) -> Result<Operand<'e>, String> {
    Ok(match (of, key) {
        (Operand::Map(fields), Operand::Text(name)) => fields.get(name).map_or(Operand::Null, Operand::of),
        (Operand::Map(_), Operand::Null) => Operand::Null,
        (list @ (Operand::List(_) | Operand::Items(_)), Operand::Int(at)) => {
            let items = list.items();
            let at = if *at < 0 { *at + items.len() as i64 } else { *at };
            let item = usize::try_from(at).ok().and_then(|at| items.get(at).cloned());
            item.ok_or("the list has no such item")?
        }
        (of, key) => return Err(format!("{} has no member by {}", of.kind(), key.kind())),
    })
}

fn matches(operand: &Operand<'_>, pattern: &Pattern) -> Result<bool, String> {
    match operand {
        Operand::Text(text) => Ok(pattern.regex.is_match(text)),
        Operand::Null => Ok(false),
        other => Err(format!("{} cannot match a pattern", other.kind())),
    }
}

fn binary<'e>(operator: Binary, left: Operand<'e>, right: Operand<'e>) -> Result<Operand<'e>, String> {
    let ordered = |holds: fn(Ordering) -> bool| Ok(Operand::Bool(left.compare(&right)?.is_some_and(holds)));
    let texts = |holds: fn(&str, &str) -> bool| match (&left, &right) {
        (Operand::Text(text), Operand::Text(part)) => Ok(Operand::Bool(holds(text, part))),
        (Operand::Null, Operand::Text(_)) => Ok(Operand::Bool(false)),
        _ => Err(format!("expected two texts, not {} and {}", left.kind(), right.kind())),
    };
    match operator {
        Binary::Equal => Ok(Operand::Bool(left.is_equal(&right))),
        Binary::Unequal => Ok(Operand::Bool(!left.is_equal(&right))),
        Binary::Less => ordered(Ordering::is_lt),
        Binary::LessOrEqual => ordered(Ordering::is_le),
        Binary::Greater => ordered(Ordering::is_gt),
        Binary::GreaterOrEqual => ordered(Ordering::is_ge),
        Binary::In => is_in(&left, &right).map(Operand::Bool),
        Binary::Contains => texts(|text, part| text.contains(part)),
        Binary::StartsWith => texts(|text, part| text.starts_with(part)),
        Binary::EndsWith => texts(|text, part| text.ends_with(part)),
        Binary::MatchesAny => {
            let pattern = right.as_text().ok_or("a pattern is a text")?;
            let pattern = Pattern::new(pattern)?;
            matches(&left, &pattern).map(Operand::Bool)
        }
        Binary::Plus => match (&left, &right) {
            (Operand::Text(one), Operand::Text(other)) => Ok(Operand::Text(Cow::Owned(format!("{one}{other}")))),
            _ => arithmetic(operator, &left, &right),
        },
        _ => arithmetic(operator, &left, &right),
    }
}

fn is_in(left: &Operand<'_>, right: &Operand<'_>) -> Result<bool, String> {
    match (left, right) {
        (Operand::Text(name), Operand::Map(fields)) => Ok(fields.get(name).is_some()),
        (_, Operand::List(_) | Operand::Items(_)) => Ok(right.items().iter().any(|item| left.is_equal(item))),
        (_, Operand::Null) => Ok(false),
        _ => Err(format!("{} holds nothing", right.kind())),
    }
}

fn arithmetic<'e>(operator: Binary, left: &Operand<'_>, right: &Operand<'_>) -> Result<Operand<'e>, String> {
    if let (Operand::Int(one), Operand::Int(other)) = (left, right) {
        match operator {
            Binary::Plus => return Ok(Operand::Int(one.wrapping_add(*other))),
            Binary::Minus => return Ok(Operand::Int(one.wrapping_sub(*other))),
            Binary::Times => return Ok(Operand::Int(one.wrapping_mul(*other))),
            Binary::Modulo if *other != 0 => return Ok(Operand::Int(one.wrapping_rem(*other))),
            Binary::Modulo => return Err("division by zero".into()),
            _ => {}
        }
    }
    let (Some(one), Some(other)) = (left.number(), right.number()) else {
        return Err(format!("expected two numbers, not {} and {}", left.kind(), right.kind()));
    };
    Ok(Operand::Float(match operator {
        Binary::Plus => one + other,
        Binary::Minus => one - other,
        Binary::Times => one * other,
        Binary::Divide => one / other,
        Binary::Power => one.powf(other),
        _ => return Err("whole numbers are needed".into()),
    }))
}
