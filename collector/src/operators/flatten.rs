//! `flatten`: puts what is in a map in the map's place.

use super::{Entry, Field, Next, Operator, OperatorConfig, Value};

pub(super) const KEYS: &[&str] = &["field"];

struct Flatten(Field, Field);

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let field = config.settings.field.clone().ok_or("the key `field` is missing")?;
    let mut parent = field.clone();
    if parent.keys.pop().is_none() {
        return Err(format!("{field} is in nothing that it could be flattened into"));
    }
    Ok(Box::new(Flatten(field, parent)))
}

impl Operator for Flatten {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let Self(field, parent) = self;
        match field.get(entry) {
            Some(Value::Map(_)) => {}
            Some(other) => return Err(format!("{field} is {}, not a map", other.kind())),
            None => return Err(format!("there is no {field}")),
        }
        let inner = field.take(entry).expect("just seen");
        parent.set(entry, inner)?;
        Ok(Next::On)
    }
}
