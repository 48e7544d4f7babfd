//! `json_array_parser` and `assign_keys`: lists, and maps of what is in them.

use std::borrow::Cow;

use super::{Entry, Field, Fields, Next, Operator, OperatorConfig, Value, json, parser::Parsing};

pub(super) const ARRAY_KEYS: &[&str] = &["header"];
pub(super) const ASSIGN_KEYS: &[&str] = &["field", "keys"];

struct JsonArrayParser {
    parsing: Parsing,
    /// With names it gives a map.
    names: Option<Vec<String>>,
}

pub(super) fn json_array(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let names = config.settings.header.as_deref().filter(|header| !header.is_empty());
    let names: Option<Vec<String>> = names.map(|header| header.split(',').map(str::to_owned).collect());
    let to = config.settings.parse_to.clone().unwrap_or(Field::ATTRIBUTES);
    if names.is_none() && to.takes_maps_only() {
        return Err(format!("a list cannot take the place of {to}: parse_to is body or something in {to}"));
    }
    Ok(Box::new(JsonArrayParser { parsing: Parsing::new(config)?, names }))
}

impl Operator for JsonArrayParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let names = self.names.as_deref();
        self.parsing.apply_any(entry, |text| {
            let Value::List(mut items) = json::parse(text)? else { return Err("not a JSON list".into()) };
            items.iter_mut().for_each(flat);
            match names {
                None => Ok(Value::List(items)),
                Some(names) => named(names, items).map(Value::Map),
            }
        })?;
        Ok(Next::On)
    }
}

/// What is nested becomes its text, as the Collector has it.
fn flat(value: &mut Value<'_>) {
    if matches!(value, Value::Map(_) | Value::List(_)) {
        let mut text = String::new();
        json::print(value, &mut text);
        *value = Value::Text(Cow::Owned(text));
    }
}

/// A map of a list's values by these names, of which there are as many.
fn named<'v>(names: &[String], items: Vec<Value<'v>>) -> Result<Fields<'v>, String> {
    if names.len() != items.len() {
        return Err(format!("{} names, and {} values in the list", names.len(), items.len()));
    }
    let mut fields = Fields::with_capacity(names.len());
    for (name, value) in names.iter().zip(items) {
        fields.push(Cow::Owned(name.clone()), value);
    }
    fields.dedupe();
    Ok(fields)
}

struct AssignKeys {
    field: Field,
    keys: Vec<String>,
}

pub(super) fn assign_keys(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let field = settings.field.clone().ok_or("the key `field` is missing")?;
    if settings.keys.is_empty() {
        return Err("the key `keys` is missing".into());
    }
    if let Some(twice) = settings.keys.iter().enumerate().find(|(at, key)| settings.keys[..*at].contains(key)) {
        return Err(format!("`{}` is twice among the keys", twice.1));
    }
    Ok(Box::new(AssignKeys { field, keys: settings.keys.clone() }))
}

impl Operator for AssignKeys {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let Self { field, keys } = self;
        let fields = match field.get(entry) {
            Some(Value::List(items)) => named(keys, items.clone())?,
            Some(other) => return Err(format!("{field} is {}, not a list", other.kind())),
            None => return Err(format!("there is no {field}")),
        };
        field.set(entry, Value::Map(fields))?;
        Ok(Next::On)
    }
}
