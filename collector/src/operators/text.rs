//! `unquote` and `sanitize_utf8`: texts without quotes and escapes, and without what is no text.

use std::borrow::Cow;

use super::{Entry, Field, Next, Operator, OperatorConfig, Value, json};

struct Unquote(Field);

pub(super) fn unquote(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let field = config.settings.field.clone().ok_or("the key `field` is missing")?;
    Ok(Box::new(Unquote(field)))
}

struct SanitizeUtf8(Field);

pub(super) fn sanitize_utf8(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(SanitizeUtf8(config.settings.field.clone().unwrap_or(Field::BODY))))
}

impl Operator for SanitizeUtf8 {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let field = &self.0;
        let text = match field.get(entry) {
            // Texts are, whoever made them.
            Some(Value::Text(_)) => return Ok(Next::On),
            Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(other) => return Err(format!("{field} is {}, not a text", other.kind())),
            None => return Err(format!("there is no {field}")),
        };
        field.set(entry, Value::Text(Cow::Owned(text)))?;
        Ok(Next::On)
    }
}

impl Operator for Unquote {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let field = &self.0;
        // What is not there has no quotes.
        let Some(value) = field.get(entry) else { return Ok(Next::On) };
        let text = value.as_text().ok_or_else(|| format!("{field} is no text"))?;
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
