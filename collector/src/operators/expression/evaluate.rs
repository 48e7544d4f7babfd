//! What an expression gives for an entry.

use std::{borrow::Cow, cmp::Ordering};

use super::{
    each::each,
    parser::{Binary, Known, Node, Root},
};
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
    Pairs(Vec<(Cow<'e, str>, Operand<'e>)>),
}

/// So much may be reckoned for one line: parts of an expression, items of lists, 64 bytes of texts each.
const STEPS_MAX: usize = 1_000_000;

/// What an expression is asked of, and what is known at a place of it.
pub(super) struct Scope<'e> {
    entry: &'e Entry<'e>,
    variables: Vec<Operand<'e>>,
    /// What predicates are asked about, the innermost last.
    pub(super) items: Vec<Asked<'e>>,
    steps_left: usize,
}

/// What a predicate is asked about.
pub(super) struct Asked<'e> {
    pub(super) item: Operand<'e>,
    pub(super) index: i64,
    pub(super) sum: Operand<'e>,
}

impl<'e> Scope<'e> {
    pub(super) fn of(entry: &'e Entry<'e>) -> Self {
        Self { entry, variables: Vec::new(), items: Vec::new(), steps_left: STEPS_MAX }
    }

    /// So much is reckoned.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), String> {
        let left = self.steps_left.checked_sub(steps);
        self.steps_left = left.ok_or_else(|| format!("more than {STEPS_MAX} steps"))?;
        Ok(())
    }
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

    /// One of its own.
    pub(super) fn of_owned(value: Value<'static>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(number) => Self::Int(number),
            Value::Float(number) => Self::Float(number),
            Value::Text(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Text(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
            Value::List(items) => Self::List(items.into_iter().map(Self::of_owned).collect()),
            Value::Map(mut fields) => {
                Self::Pairs(fields.drain().map(|(name, value)| (name, Self::of_owned(value))).collect())
            }
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
            Self::Map(_) | Self::Pairs(_) => "a map",
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
            Self::Map(_) | Self::Pairs(_) => "map",
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
            Self::Pairs(pairs) => Some(pairs.len()),
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

    /// As Go prints it.
    pub(super) fn printed(&self) -> String {
        let all = |parts: Vec<String>| parts.join(" ");
        match self {
            Self::Null => "<nil>".to_owned(),
            Self::List(_) | Self::Items(_) => format!("[{}]", all(self.items().iter().map(Self::printed).collect())),
            Self::Map(_) | Self::Pairs(_) => {
                let mut pairs = self.pairs();
                pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
                let parts = pairs.iter().map(|(name, value)| format!("{name}:{}", value.printed())).collect();
                format!("map[{}]", all(parts))
            }
            other => other.shown(),
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
            Self::Pairs(pairs) => {
                let owned =
                    |(name, value): (Cow<'_, str>, Operand<'_>)| (Cow::Owned(name.into_owned()), value.into_value());
                Value::Map(pairs.into_iter().map(owned).collect())
            }
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_) | Self::Pairs(_))
    }

    /// Of a map, names with their values.
    pub(super) fn pairs(&self) -> Vec<(Cow<'e, str>, Operand<'e>)> {
        match self {
            Self::Map(fields) => fields.iter().map(|(name, value)| (Cow::Borrowed(name), Self::of(value))).collect(),
            Self::Pairs(pairs) => pairs.clone(),
            _ => Vec::new(),
        }
    }

    /// Of a map, what a name has.
    pub(super) fn get(&self, name: &str) -> Option<Operand<'e>> {
        match self {
            Self::Map(fields) => fields.get(name).map(Self::of),
            Self::Pairs(pairs) => pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
            _ => None,
        }
    }

    /// Its bytes, and items, about.
    fn steps(&self) -> usize {
        match self {
            Self::Text(text) => text.len() / 64,
            Self::List(items) => items.len(),
            Self::Items(items) => items.len(),
            Self::Map(fields) => fields.len(),
            Self::Pairs(pairs) => pairs.len(),
            _ => 0,
        }
    }

    pub(super) fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (one, other) if one.is_map() && other.is_map() => {
                let has_same = |(name, value): &(Cow<'_, str>, Operand<'_>)| {
                    other.get(name).is_some_and(|other| value.is_equal(&other))
                };
                one.len() == other.len() && one.pairs().iter().all(has_same)
            }
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
pub(super) fn evaluate<'e>(node: &'e Node, scope: &mut Scope<'e>) -> Result<Operand<'e>, String> {
    scope.spend(1)?;
    Ok(match node {
        Node::Null => Operand::Null,
        Node::Bool(value) => Operand::Bool(*value),
        Node::Int(number) => Operand::Int(*number),
        Node::Float(number) => Operand::Float(*number),
        Node::Text(text) => Operand::Text(Cow::Borrowed(text)),
        Node::List(items) => Operand::List(all(items, scope)?),
        Node::Map(pairs) => map(pairs, scope)?,
        Node::Range(from, to) => range(&evaluate(from, scope)?, &evaluate(to, scope)?, scope)?,
        Node::Root(root) => of_root(*root, scope.entry),
        Node::Item(known) => of_asked(*known, scope),
        Node::Variable(at) => scope.variables[*at].clone(),
        Node::Let(value, rest) => {
            let value = evaluate(value, scope)?;
            scope.variables.push(value);
            let made = evaluate(rest, scope)?;
            scope.variables.pop();
            made
        }
        Node::Member(of, key, is_optional) => match evaluate(of, scope)? {
            Operand::Null if *is_optional => Operand::Null,
            of => member(of, &evaluate(key, scope)?)?,
        },
        Node::Slice(of, from, to) => {
            let of = evaluate(of, scope)?;
            let mut bound = |node: &'e Option<Box<Node>>| match node.as_ref().map(|node| evaluate(node, scope)) {
                None => Ok(None),
                Some(Ok(Operand::Int(at))) => Ok(Some(at)),
                Some(Ok(other)) => Err(format!("{} is no place of a list", other.kind())),
                Some(Err(problem)) => Err(problem),
            };
            let (from, to) = (bound(from)?, bound(to)?);
            slice(of, from, to)?
        }
        Node::Not(of) => Operand::Bool(!truth(evaluate(of, scope)?)?),
        Node::Minus(of) => match evaluate(of, scope)? {
            Operand::Int(number) => Operand::Int(number.wrapping_neg()),
            Operand::Float(number) => Operand::Float(-number),
            other => return Err(format!("{} has no sign", other.kind())),
        },
        Node::And(left, right) => Operand::Bool(truth(evaluate(left, scope)?)? && truth(evaluate(right, scope)?)?),
        Node::Or(left, right) => Operand::Bool(truth(evaluate(left, scope)?)? || truth(evaluate(right, scope)?)?),
        Node::Else(left, right) => match evaluate(left, scope)? {
            Operand::Null => evaluate(right, scope)?,
            some => some,
        },
        Node::Choice(parts) => {
            let chosen = if truth(evaluate(&parts[0], scope)?)? { &parts[1] } else { &parts[2] };
            evaluate(chosen, scope)?
        }
        Node::Matches(of, pattern) => Operand::Bool(matches(&evaluate(of, scope)?, pattern)?),
        Node::Binary(operator, left, right) => {
            let (left, right) = (evaluate(left, scope)?, evaluate(right, scope)?);
            scope.spend(left.steps() + right.steps())?;
            binary(*operator, left, right)?
        }
        Node::Call(function, arguments) => {
            let given = all(arguments, scope)?;
            scope.spend(given.iter().map(Operand::steps).sum())?;
            let made = (function.make)(&given)?;
            scope.spend(made.steps())?;
            made
        }
        Node::Each(what, list, predicate, with) => {
            let list = evaluate(list, scope)?;
            let with = with.as_ref().map(|with| evaluate(with, scope)).transpose()?;
            each(*what, list, predicate.as_deref(), with, scope)?
        }
    })
}

fn all<'e>(nodes: &'e [Node], scope: &mut Scope<'e>) -> Result<Vec<Operand<'e>>, String> {
    nodes.iter().map(|node| evaluate(node, scope)).collect()
}

fn map<'e>(pairs: &'e [(Node, Node)], scope: &mut Scope<'e>) -> Result<Operand<'e>, String> {
    let mut made: Vec<(Cow<'e, str>, Operand<'e>)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let Operand::Text(name) = evaluate(key, scope)? else { return Err("a map's keys are texts".into()) };
        let value = evaluate(value, scope)?;
        match made.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => made.push((name, value)),
        }
    }
    Ok(Operand::Pairs(made))
}

fn range<'e>(from: &Operand<'_>, to: &Operand<'_>, scope: &mut Scope<'e>) -> Result<Operand<'e>, String> {
    let (Operand::Int(from), Operand::Int(to)) = (from, to) else {
        return Err(format!("expected whole numbers, not {} and {}", from.kind(), to.kind()));
    };
    let items = to.saturating_sub(*from).saturating_add(1).max(0);
    scope.spend(usize::try_from(items).unwrap_or(usize::MAX))?;
    Ok(Operand::List((*from..=*to).map(Operand::Int).collect()))
}

fn of_asked<'e>(known: Known, scope: &Scope<'e>) -> Operand<'e> {
    let asked = scope.items.last().expect("it is read in predicates only");
    match known {
        Known::Item => asked.item.clone(),
        Known::Index => Operand::Int(asked.index),
        Known::Sum => asked.sum.clone(),
    }
}

/// From `from` on up to before `to`; below zero they count from the end.
fn slice<'e>(of: Operand<'e>, from: Option<i64>, to: Option<i64>) -> Result<Operand<'e>, String> {
    let len = match &of {
        // Of texts bytes are counted, as Go does.
        Operand::Text(text) => text.len(),
        Operand::List(_) | Operand::Items(_) => of.len().unwrap_or(0),
        other => return Err(format!("{} has no parts", other.kind())),
    };
    let place = |at: i64| {
        let at = if at < 0 { at.saturating_add(len as i64).max(0) } else { at };
        usize::try_from(at).unwrap_or(len).min(len)
    };
    let (from, to) = (from.map_or(0, place), to.map_or(len, place));
    let part = from.min(to)..to;
    Ok(match of {
        Operand::Text(text) => {
            let bytes = &text.as_bytes()[part];
            Operand::Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
        list => Operand::List(list.items()[part].to_vec()),
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

pub(super) fn truth(operand: Operand<'_>) -> Result<bool, String> {
    match operand {
        Operand::Bool(value) => Ok(value),
        other => Err(format!("{} is neither true nor false", other.kind())),
    }
}

pub(super) fn member<'e>(of: Operand<'e>, key: &Operand<'e>) -> Result<Operand<'e>, String> {
    Ok(match (of, key) {
        (map @ (Operand::Map(_) | Operand::Pairs(_)), Operand::Text(name)) => map.get(name).unwrap_or(Operand::Null),
        (Operand::Map(_) | Operand::Pairs(_), Operand::Null) => Operand::Null,
        (Operand::Items(items), Operand::Int(at)) => {
            let at = if *at < 0 { *at + items.len() as i64 } else { *at };
            let item = usize::try_from(at).ok().and_then(|at| items.get(at));
            item.map(Operand::of).ok_or("the list has no such item")?
        }
        (Operand::List(items), Operand::Int(at)) => {
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
        (Operand::Text(name), map) if map.is_map() => Ok(map.get(name).is_some()),
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
