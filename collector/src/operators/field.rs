//! Names a place in an entry: `body`, `attributes.user`, `resource["k8s.pod.name"]`, `body.a.b`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::{Entry, Fields, Value};

/// Most keys of one field.
const KEYS_MAX: usize = 64;

/// Where a field begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The body.
    Body,
    /// The attributes.
    Attributes,
    /// The resource.
    Resource,
}

/// A place in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it begins.
    pub root: Root,
    /// The way from there.
    pub keys: Vec<String>,
}

/// An attribute, also one that is not written out.
fn attribute<'e, 'a>(entry: &'e Entry<'a>, name: &str) -> Option<&'e Value<'a>> {
    let unwritten = || entry.unwritten.as_ref()?.looked_at.get(name);
    entry.attributes.get(name).or_else(unwritten)
}

impl Field {
    /// The body.
    pub const BODY: Self = Self { root: Root::Body, keys: Vec::new() };
    /// All attributes.
    pub const ATTRIBUTES: Self = Self { root: Root::Attributes, keys: Vec::new() };

    /// An attribute.
    pub fn attribute(name: &str) -> Self {
        Self { root: Root::Attributes, keys: vec![name.to_owned()] }
    }

    /// Reads `attributes.a["b.c"]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            let shown: String = text.chars().take(80).collect();
            format!("`{shown}` is no field: {what}; write it like body, attributes.user or resource[\"k8s.pod.name\"]")
        };
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let root = match &text[..end] {
            "body" | "$body" | "$" => Root::Body,
            "attributes" | "$attributes" => Root::Attributes,
            "resource" | "$resource" => Root::Resource,
            _ => return Err(wrong("it begins with none of body, attributes, resource")),
        };
        let mut keys = Vec::new();
        let mut rest = &text[end..];
        while !rest.is_empty() {
            if keys.len() == KEYS_MAX {
                return Err(wrong("it has too many keys"));
            }
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(wrong("a key is empty"));
                }
                keys.push(after[..end].to_owned());
                rest = &after[end..];
            } else if let Some(after) = rest.strip_prefix('[') {
                let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''));
                let quote = quote.ok_or_else(|| wrong("a key in brackets has no quotes"))?;
                let (key, after) = after[1..].split_once(quote).ok_or_else(|| wrong("a quote is not closed"))?;
                keys.push(key.to_owned());
                rest = after.strip_prefix(']').ok_or_else(|| wrong("a bracket is not closed"))?;
            } else {
                return Err(wrong("something stands between its keys"));
            }
        }
        Ok(Self { root, keys })
    }

    /// Whether nothing but a map can be there.
    pub(super) fn takes_maps_only(&self) -> bool {
        self.root != Root::Body && self.keys.is_empty()
    }

    /// What is there.
    pub fn get<'e, 'a>(&self, entry: &'e Entry<'a>) -> Option<&'e Value<'a>> {
        let (mut value, keys) = match (self.root, self.keys.split_first()) {
            (Root::Body, _) => (&entry.body, &self.keys[..]),
            (Root::Attributes, Some((first, keys))) => (attribute(entry, first)?, keys),
            (Root::Resource, Some((first, keys))) => (entry.resource.get(first)?, keys),
            (Root::Attributes | Root::Resource, None) => return None,
        };
        for key in keys {
            let Value::Map(fields) = value else { return None };
            value = fields.get(key)?;
        }
        // A body that is nothing is not there; elsewhere nothing is a value.
        (*value != Value::Null || !self.keys.is_empty()).then_some(value)
    }

    /// A copy of what is there; of all attributes, a map.
    pub fn copy<'a>(&self, entry: &Entry<'a>) -> Option<Value<'a>> {
        match (self.root, self.keys.is_empty()) {
            (Root::Attributes, true) => Some(Value::Map(entry.attributes.clone())),
            (Root::Resource, true) => Some(Value::Map(entry.resource.clone())),
            _ => self.get(entry).cloned(),
        }
    }

    /// Takes out what is there.
    pub fn take<'a>(&self, entry: &mut Entry<'a>) -> Option<Value<'a>> {
        let Some((last, way)) = self.keys.split_last() else {
            return match self.root {
                Root::Body => Some(std::mem::take(&mut entry.body)),
                Root::Attributes => Some(Value::Map(std::mem::take(&mut entry.attributes))),
                Root::Resource => Some(Value::Map(std::mem::take(&mut entry.resource))),
            };
        };
        let mut fields = match self.root {
            Root::Body => match &mut entry.body {
                Value::Map(fields) => fields,
                _ => return None,
            },
            Root::Attributes => &mut entry.attributes,
            Root::Resource => &mut entry.resource,
        };
        for key in way {
            let Some(Value::Map(inner)) = fields.get_mut(key) else { return None };
            fields = inner;
        }
        fields.remove(last)
    }

    /// Puts a value there, on a way that is made where it is not. A map is merged into a map; attributes and resource themselves take
    /// nothing but maps.
    pub fn set<'a>(&self, entry: &mut Entry<'a>, value: Value<'a>) -> Result<(), String> {
        let mut fields = match self.root {
            Root::Body if self.keys.is_empty() => {
                match (&mut entry.body, value) {
                    (Value::Map(fields), Value::Map(others)) => fields.merge(others),
                    (body, value) => *body = value,
                }
                return Ok(());
            }
            Root::Body => map_of(&mut entry.body),
            Root::Attributes => &mut entry.attributes,
            Root::Resource => &mut entry.resource,
        };
        let Some((last, way)) = self.keys.split_last() else {
            let Value::Map(others) = value else {
                return Err(format!("{} cannot take the place of {self}", value.kind()));
            };
            fields.merge(others);
            return Ok(());
        };
        for key in way {
            if fields.get(key).is_none() {
                fields.push(key.clone(), Value::Null);
            }
            fields = map_of(fields.get_mut(key).expect("just made"));
        }
        match (fields.get_mut(last), value) {
            (Some(Value::Map(known)), Value::Map(others)) => known.merge(others),
            (Some(known), value) => *known = value,
            (None, value) => fields.push(last.clone(), value),
        }
        Ok(())
    }
}

/// The map that a value is, or is from now on.
fn map_of<'v, 'a>(value: &'v mut Value<'a>) -> &'v mut Fields<'a> {
    if !matches!(value, Value::Map(_)) {
        *value = Value::Map(Fields::default());
    }
    match value {
        Value::Map(fields) => fields,
        _ => unreachable!("made a map above"),
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Body => "body",
            Root::Attributes => "attributes",
            Root::Resource => "resource",
        })?;
        for key in &self.keys {
            if key.contains(['.', '[', '"']) { write!(f, "[{key:?}]")? } else { write!(f, ".{key}")? }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Field {
        Field::parse(text).expect("a field")
    }

    #[test]
    fn fields_as_written() {
        for text in ["body", "attributes", "resource.a", "body.a.b", r#"attributes["a.b"].c"#] {
            assert_eq!(field(text).to_string(), text);
        }
        assert_eq!(field("body['x'].y"), field("body.x.y"));
        for text in ["", "bdy.a", "body.", "body..a", "body[a]", "body[\"a\"", "body[\"a]", "attributes[\"a\"]b"] {
            assert!(Field::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_set_is_there() {
        let mut entry = Entry::of_body(Value::text("line"), 1);
        field("attributes.a.b").set(&mut entry, Value::Int(1)).expect("set");
        field("attributes.a")
            .set(&mut entry, Value::Map([("c".into(), Value::Int(2))].into_iter().collect()))
            .expect("");
        assert_eq!(field("attributes.a.b").get(&entry), Some(&Value::Int(1)));
        assert_eq!(field("attributes.a.c").get(&entry), Some(&Value::Int(2)));
        assert!(field("attributes").set(&mut entry, Value::Int(1)).is_err());
        assert_eq!(field("attributes.a.b").take(&mut entry), Some(Value::Int(1)));
        assert_eq!(field("attributes.a.b").take(&mut entry), None);
        // What was a text becomes a map.
        field("body.x").set(&mut entry, Value::Bool(true)).expect("set");
        assert_eq!(field("body.x").get(&entry), Some(&Value::Bool(true)));
        assert_eq!(field("body.y").get(&entry), None);
    }
}
