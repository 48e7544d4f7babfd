//! `unquote`: a text without its quotes and escapes.

use std::borrow::Cow;

use super::{Entry, Field, Next, Operator, OperatorConfig, Value, json};

struct Unquote(Field);

pub(super) fn unquote(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let field = config.settings.field.clone().ok_or("the key `field` is missing")?;
    Ok(Box::new(Unquote(field)))
}

impl Operator for Unquote {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let field = &self.0;
        let text = field.get(entry).and_then(Value::as_text).ok_or_else(|| format!("{field} is no text"))?;
        let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let unquoted = match (inner('`'), inner('\'')) {
            (Some(raw), _) => raw.to_owned(),
            (_, Some(single)) if single.chars().count() == 1 => single.to_owned(),
            _ => match json::parse(text)? {
                Value::Text(text) => text.into_owned(),
                _ => return Err(format!("{field} has no quotes")),
            },
        };
        field.set(entry, Value::Text(Cow::Owned(unquoted)))?;
        Ok(Next::On)
    }
}
