//! `add`, `copy`, `move`, `remove`, `retain` and `noop`: what changes an entry's fields one by one.

use super::{Entry, Field, Fields, Next, Operator, OperatorConfig, Value, config::AnyValue, field::Root};

pub(super) const ADD_KEYS: &[&str] = &["field", "value"];
pub(super) const MOVE_KEYS: &[&str] = &["from", "to"];
pub(super) const REMOVE_KEYS: &[&str] = &["field"];
pub(super) const RETAIN_KEYS: &[&str] = &["fields"];

enum Edit {
    Noop,
    Add(Field, AnyValue),
    Copy(Field, Field),
    Move(Field, Field),
    Remove(Field),
    Retain(Vec<Field>),
}

pub(super) fn noop(_: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(Edit::Noop))
}

pub(super) fn add(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let value = config.settings.value.clone().ok_or("the key `value` is missing")?;
    Ok(Box::new(Edit::Add(field(config)?, value)))
}

pub(super) fn copy(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let (from, to) = from_to(config)?;
    Ok(Box::new(Edit::Copy(from, to)))
}

pub(super) fn moved(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let (from, to) = from_to(config)?;
    Ok(Box::new(Edit::Move(from, to)))
}

pub(super) fn remove(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(Edit::Remove(field(config)?)))
}

pub(super) fn retain(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    if config.settings.fields.is_empty() {
        return Err("the key `fields` is missing".into());
    }
    Ok(Box::new(Edit::Retain(config.settings.fields.clone())))
}

fn field(config: &OperatorConfig) -> Result<Field, String> {
    config.settings.field.clone().ok_or_else(|| "the key `field` is missing".into())
}

fn from_to(config: &OperatorConfig) -> Result<(Field, Field), String> {
    let from = config.settings.from.clone().ok_or("the key `from` is missing")?;
    let to = config.settings.to.clone().ok_or("the key `to` is missing")?;
    Ok((from, to))
}

impl Operator for Edit {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        match self {
            Self::Noop => {}
            Self::Add(field, AnyValue::Fixed(value)) => field.set(entry, value.clone())?,
            Self::Add(field, AnyValue::Reckoned(expression)) => {
                let value = expression.value(entry)?;
                field.set(entry, value)?;
            }
            Self::Copy(from, to) => {
                let value = from.copy(entry).ok_or_else(|| format!("there is no {from}"))?;
                to.set(entry, value)?;
            }
            Self::Move(from, to) => {
                // Out first: a field may be moved to what it is in.
                let value = from.take(entry).ok_or_else(|| format!("there is no {from}"))?;
                if *to == Field::BODY {
                    entry.body = Value::Null;
                }
                to.set(entry, value)?;
            }
            Self::Remove(field) => drop(field.take(entry).ok_or_else(|| format!("there is no {field}"))?),
            Self::Retain(fields) => keep_only(entry, fields),
        }
        Ok(Next::On)
    }
}

/// Of each root that a field names, nothing else stays.
fn keep_only(entry: &mut Entry<'_>, fields: &[Field]) {
    for root in [Root::Body, Root::Attributes, Root::Resource] {
        let of_root: Vec<&Field> = fields.iter().filter(|field| field.root == root).collect();
        if of_root.is_empty() || of_root.iter().any(|field| field.keys.is_empty()) {
            continue;
        }
        let kept: Vec<(&Field, Value<'_>)> =
            of_root.into_iter().filter_map(|field| Some((field, field.take(entry)?))).collect();
        match root {
            Root::Body => entry.body = Value::Null,
            Root::Attributes => entry.attributes = Fields::default(),
            Root::Resource => entry.resource = Fields::default(),
        }
        for (field, value) in kept {
            field.set(entry, value).expect("it has a key, where any value can be");
        }
    }
}
