//! Values of an entry: borrowed from its line as long as they can be.

use std::borrow::Cow;

use weir_proto::otlp::wire::Writer;

use super::json;

/// A body, an attribute, or what is in one.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// Nothing.
    #[default]
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes that are no text.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    List(Vec<Value<'a>>),
    /// Values by name.
    Map(Fields<'a>),
}

/// Values by name, in the order in which they were set. Names are few: they are looked for one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Self::Map(fields) => Value::Map(fields.into_owned()),
        }
    }

    /// What kind of value, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// As text: a text itself, a number or a boolean as it is written.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(&**text),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(value) => Cow::Owned(value.to_string()),
            Self::Float(value) => Cow::Owned(value.to_string()),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
            Self::Null | Self::List(_) | Self::Map(_) => return None,
        })
    }

    /// Its bytes, without the few that say how it is parted.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.iter().map(|item| 2 + item.bytes()).sum(),
            Self::Map(fields) => fields.bytes(),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 8,
        }
    }

    /// Makes it so short; a list or a map becomes the beginning of its JSON text.
    pub fn cut(&mut self, bytes_max: usize) {
        if self.bytes() <= bytes_max {
            return;
        }
        if matches!(self, Self::List(_) | Self::Map(_)) {
            let mut text = String::new();
            json::print(self, &mut text);
            *self = Self::Text(text.into());
        }
        match self {
            Self::Text(text) => {
                let at = text.floor_char_boundary(bytes_max);
                text.to_mut().truncate(at);
            }
            Self::Bytes(bytes) => bytes.to_mut().truncate(bytes_max),
            _ => {}
        }
    }

    /// Writes an AnyValue's field.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Self::Null => {}
            Self::Text(text) => out.bytes(1, text.as_bytes()),
            Self::Bool(value) => out.varint(2, u64::from(*value)),
            Self::Int(value) => out.varint(3, *value as u64),
            Self::Float(value) => out.fixed64(4, value.to_bits()),
            Self::List(items) => {
                let list = out.begin(5, 1);
                for item in items {
                    let any = out.begin(1, 1);
                    item.write(out);
                    out.end(any);
                }
                out.end(list);
            }
            Self::Map(fields) => {
                let map = out.begin(6, 1);
                fields.write(out, 1);
                out.end(map);
            }
            Self::Bytes(bytes) => out.bytes(7, bytes),
        }
    }
}

impl<'a> Fields<'a> {
    /// Room for so many.
    pub fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of names and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| 8 + name.len() + value.bytes()).sum()
    }

    /// The values, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Value<'a>> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a name's value, in place of what it had.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        let name = name.into();
        match self.get_mut(&name) {
            Some(known) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a name that is known not to be there.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.0.push((name.into(), value));
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Sets all of `others`, whose names are different ones.
    pub fn merge(&mut self, others: Self) {
        if self.0.is_empty() {
            self.0 = others.0;
            return;
        }
        // Among themselves they are different: what is added here needs no second look.
        let known = self.0.len();
        self.0.reserve(others.0.len());
        for (name, value) in others.0 {
            match self.0[..known].iter().position(|(own, _)| *own == name) {
                Some(at) => self.0[at].1 = value,
                None => self.0.push((name, value)),
            }
        }
    }

    /// Keeps the first `fields` of them; answers how many went.
    pub fn cut(&mut self, fields: usize) -> usize {
        let surplus = self.0.len().saturating_sub(fields);
        self.0.truncate(fields);
        surplus
    }

    /// Of names that are there twice the last one counts, at the place of the first.
    pub fn dedupe(&mut self) {
        const FEW: usize = 24;
        let fields = &mut self.0;
        if fields.len() <= FEW {
            let mut at = 1;
            while at < fields.len() {
                let (before, rest) = fields.split_at_mut(at);
                match before.iter().position(|(name, _)| *name == rest[0].0) {
                    Some(first) => fields[first].1 = fields.remove(at).1,
                    None => at += 1,
                }
            }
            return;
        }
        let mut places = std::collections::HashMap::with_capacity(fields.len());
        let mut kept: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(fields.len());
        for (name, value) in fields.drain(..) {
            match places.get(&name) {
                Some(&at) => {
                    let place: &mut (Cow<'a, str>, Value<'a>) = &mut kept[at];
                    place.1 = value;
                }
                None => {
                    places.insert(name.clone(), kept.len());
                    kept.push((name, value));
                }
            }
        }
        *fields = kept;
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Takes all out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> {
        self.0.drain(..)
    }

    /// Keeps those that `keeps` says.
    pub fn retain(&mut self, mut keeps: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keeps(name));
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Fields<'static> {
        let owned = |(name, value): (Cow<'a, str>, Value<'a>)| (Cow::Owned(name.into_owned()), value.into_owned());
        Fields(self.0.into_iter().map(owned).collect())
    }

    /// Writes each as a KeyValue in this field.
    pub fn write(&self, out: &mut Writer, field: u32) {
        for (name, value) in &self.0 {
            if let Value::Text(text) = value {
                out.text_pair(field, name.as_bytes(), text.as_bytes());
                continue;
            }
            let pair = out.begin(field, 1);
            out.bytes(1, name.as_bytes());
            let any = out.begin(2, 1);
            value.write(out);
            out.end(any);
            out.end(pair);
        }
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts() {
        for n in [3, 100] {
            let mut fields: Fields<'_> =
                (0..n).chain(0..2).map(|at| (Cow::Owned(at.to_string()), Value::Int(at))).collect();
            fields.push("1", Value::Bool(true));
            fields.dedupe();
            assert_eq!(fields.len(), n as usize);
            assert_eq!(fields.get("1"), Some(&Value::Bool(true)));
        }
        let mut merged: Fields<'_> = [("a".into(), Value::Int(1))].into_iter().collect();
        merged.merge([("b".into(), Value::Int(2)), ("a".into(), Value::Int(3))].into_iter().collect());
        assert_eq!(merged.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(merged.get("a"), Some(&Value::Int(3)));
    }
}
