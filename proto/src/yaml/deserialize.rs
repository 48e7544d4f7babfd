//! Values for serde, as lenient as the Collector: a text is split into a list at commas, numbers and booleans may stand in quotes, a
//! number may stand where a text is meant.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        self, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::StringDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    Entry, Node, Position, Step, Value,
    scalar::{boolean, float, integer},
};
use crate::nearest::unknown;

/// Why a value cannot be read, and where it is.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    pub(super) at: Option<Position>,
    /// The way to it, last step first.
    pub(super) steps: Vec<Step>,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// A key that says itself which one it is.
    Key,
    /// A key that is not there.
    Missing,
    /// A value.
    Value,
    /// Nothing stands where a value is meant: as good as left out.
    Null,
}

impl ReadError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), at: None, steps: Vec::new() }
    }

    fn expected(what: &str) -> Self {
        Self::new(ErrorKind::Value, format!("expected {what}"))
    }

    /// At the first place that it comes by.
    fn placed(mut self, at: Position) -> Self {
        self.at = self.at.or(Some(at));
        self
    }

    fn under(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Value, message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(in_words(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(in_words(&expected.to_string()))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::Key, unknown("key", field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::Value, unknown("value", variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(ErrorKind::Missing, format!("the key `{field}` is missing"))
    }
}

/// What serde's visitors say that they expect, in words.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more, that is not too large",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number that is not too large",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        other if other.starts_with("a nonzero ") => "a whole number, 1 or more",
        other => other,
    }
}

/// Reads one value.
pub(super) struct Reader<'n>(pub(super) &'n Node);

impl<'n> Reader<'n> {
    /// Its text, for what is read from one.
    fn text(&self) -> Result<&'n str, ReadError> {
        match &self.0.value {
            Value::Scalar { text, .. } => Ok(text),
            Value::Null => Err(ReadError::new(ErrorKind::Null, "expected a value here")),
            Value::List(_) | Value::Map(_) => Err(ReadError::expected("a single value here")),
        }
    }

    fn placed<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| error.placed(self.0.at))
    }

    fn whole<'de, V: Visitor<'de>>(self, visitor: V, words: &str) -> Result<V::Value, ReadError> {
        let read = |text: &str| {
            let number = integer(text).ok_or_else(|| ReadError::expected(in_words(words)))?;
            match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => Err(ReadError::expected(in_words(words))),
            }
        };
        self.placed(self.text().and_then(read))
    }

    fn double<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let read = |text| float(text).ok_or_else(|| ReadError::expected("a number"));
        self.placed(self.text().and_then(read).and_then(|number| visitor.visit_f64(number)))
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.0.value {
            Value::Map(entries) => visitor.visit_map(Keys { entries: entries.iter(), current: None }),
            Value::Null => Err(ReadError::new(ErrorKind::Null, "expected keys and values here")),
            Value::Scalar { .. } | Value::List(_) => Err(ReadError::expected("keys and values here")),
        };
        self.placed(result)
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.0.value {
            Value::List(items) => visitor.visit_seq(Items { items, next: 0, is_split: false }),
            Value::Scalar { text, is_plain } => {
                let items = split(text, *is_plain, self.0);
                visitor.visit_seq(Items { items: &items, next: 0, is_split: true })
            }
            Value::Null => Err(ReadError::new(ErrorKind::Null, "expected a list here")),
            Value::Map(_) => Err(ReadError::expected("a list here")),
        };
        self.placed(result)
    }
}

/// A text as the list that confmap's StringToSlice makes of it: cut at commas, blanks and all; nothing of nothing.
pub fn split(text: &str, is_plain: bool, node: &Node) -> Vec<Node> {
    if text.is_empty() {
        return Vec::new();
    }
    let part = |part: &str| Node {
        is_unset: node.is_unset,
        ..Node::new(node.at, Value::Scalar { text: part.to_owned(), is_plain })
    };
    text.split(',').map(part).collect()
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Map(_) => return self.map(visitor),
            Value::List(_) => return self.list(visitor),
            Value::Scalar { text, is_plain: false } => visitor.visit_str(text),
            Value::Scalar { text, is_plain: true } => match (boolean(text), integer(text), float(text)) {
                (Some(value), ..) => visitor.visit_bool(value),
                (_, Some(number), _) if i64::try_from(number).is_ok() => visitor.visit_i64(number as i64),
                (_, _, Some(number)) => visitor.visit_f64(number),
                _ => visitor.visit_str(text),
            },
        };
        self.placed(result)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let read = |text: &str| boolean(text.trim()).ok_or_else(|| ReadError::expected("true or false"));
        self.placed(self.text().and_then(read).and_then(|value| visitor.visit_bool(value)))
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "u8")
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "u16")
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "u32")
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "u64")
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "i8")
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "i16")
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "i32")
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.whole(visitor, "i64")
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.double(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.double(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.placed(self.text().and_then(|text| visitor.visit_str(text)))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if matches!(self.0.value, Value::Null) {
            return self.placed(visitor.visit_none());
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let read = |text: &str| {
            let variant: StringDeserializer<ReadError> = text.to_owned().into_deserializer();
            visitor.visit_enum(variant)
        };
        self.placed(self.text().and_then(read))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

/// The keys of a map, those left out apart.
struct Keys<'n> {
    entries: std::slice::Iter<'n, Entry>,
    current: Option<&'n Entry>,
}

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.current = self.entries.find(|entry| !entry.node.is_gone);
        let Some(entry) = self.current else { return Ok(None) };
        let key: StringDeserializer<ReadError> = entry.key.clone().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.placed(entry.at).under(Step::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let entry = self.current.take().expect("a key comes before its value");
        seed.deserialize(Reader(&entry.node))
            .map_err(|error| error.placed(entry.node.at).under(Step::Key(entry.key.clone())))
    }
}

/// The items of a list, those left out apart.
struct Items<'n> {
    items: &'n [Node],
    next: usize,
    /// They are parts of one text.
    is_split: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        while let Some(item) = self.items.get(self.next) {
            self.next += 1;
            if item.is_gone {
                continue;
            }
            let step = (!self.is_split).then_some(Step::Item(self.next - 1));
            return seed.deserialize(Reader(item)).map(Some).map_err(|error| {
                let error = error.placed(item.at);
                match step {
                    Some(step) => error.under(step),
                    None => error,
                }
            });
        }
        Ok(None)
    }
}
