//! Where each key of a configuration and its value are written: what serde's values do not say.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::{Location, Spanned, options::NonFiniteFloatPolicy};

/// Every key and every item of a list of a file, in the order written.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Entry>);

/// A key, or an item of its list.
#[derive(Debug)]
struct Entry {
    /// `query.endpoint`: itself behind the keys that it is in. Lists are passed through.
    path: String,
    /// `None` for an item.
    key: Option<Location>,
    value: Location,
}

impl Places {
    /// Reads a text whose YAML is sound; of another nothing is known.
    pub(super) fn read(text: &str) -> Self {
        let options = serde_saphyr::options! {
            with_snippet: false,
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        };
        let mut places = Self::default();
        if let Ok(root) = serde_saphyr::from_str_with_options::<Node>(text, options) {
            places.add("", &root);
        }
        places
    }

    fn add(&mut self, above: &str, node: &Node) {
        match node {
            Node::Value => {}
            Node::List(items) => {
                for item in items {
                    self.0.push(Entry { path: above.to_owned(), key: None, value: item.referenced });
                    self.add(above, &item.value);
                }
            }
            Node::Keys(pairs) => {
                for (key, value) in pairs {
                    let dot = if above.is_empty() { "" } else { "." };
                    let path = format!("{above}{dot}{}", key.value);
                    self.0.push(Entry { path: path.clone(), key: Some(key.referenced), value: value.referenced });
                    self.add(&path, &value.value);
                }
            }
        }
    }

    /// The value of this path, or the innermost key of it that is written: what is left out has its default there.
    pub(super) fn of(&self, path: &[&str]) -> Option<Location> {
        for len in (1..=path.len()).rev() {
            let joined = path[..len].join(".");
            if let Some(entry) = self.0.iter().find(|entry| entry.path == joined) {
                return if len == path.len() { Some(entry.value) } else { entry.key };
            }
        }
        None
    }

    /// Whether this path is written.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.value_of(&path.join(".")).is_some()
    }

    /// Where the value of `query.endpoint` is.
    pub(super) fn value_of(&self, path: &str) -> Option<Location> {
        self.0.iter().find(|entry| entry.path == path).map(|entry| entry.value)
    }

    /// The key that begins here, and where its value is.
    pub(super) fn of_key(&self, location: Location) -> Option<(&str, Location)> {
        let at = Some(position(location));
        let entry = self.0.iter().find(|entry| entry.key.map(position) == at)?;
        Some((&entry.path, entry.value))
    }

    /// The innermost key whose value, or an item of whose list, begins here; where a value is left out, the key before.
    pub(super) fn of_value(&self, location: Location) -> Option<(&str, Location)> {
        let at = position(location);
        let exact = self.0.iter().rfind(|entry| position(entry.value) == at);
        let entry = exact.or_else(|| self.0.iter().rfind(|entry| entry.key.is_some_and(|key| position(key) < at)))?;
        Some((&entry.path, location))
    }
}

/// Line and column.
pub(super) fn position(location: Location) -> (u64, u64) {
    (location.line(), location.column())
}

/// A file without its values.
enum Node {
    Keys(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Value,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> de::Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Keys(pairs))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Value)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
query: {endpoint: ':1', timeout: }
receivers:
  otlp/b:
    list:
      - deep: 1
";

    #[test]
    fn keys_are_found() {
        let places = Places::read(TEXT);
        let of = |path: &[&str]| places.of(path).map(position);
        assert_eq!(of(&["query", "endpoint"]), Some((2, 19)));
        assert_eq!(of(&["query", "queries_max"]), Some((2, 1)), "left out");
        assert_eq!(of(&["receivers", "otlp/b", "list", "deep"]), Some((6, 15)));
        assert_eq!(of(&["storage", "path"]), None);
        assert_eq!(Places::read("a: [").of(&["a"]).map(position), None);
    }

    #[test]
    fn places_lead_to_keys() {
        let places = Places::read(TEXT);
        let value = |path: &[&str]| {
            let location = places.of(path).expect("written");
            places.of_value(location).map(|(path, at)| (path, position(at)))
        };
        assert_eq!(value(&["query", "endpoint"]), Some(("query.endpoint", (2, 19))));
        assert_eq!(value(&["query", "timeout"]).map(|(path, _)| path), Some("query.timeout"), "no value");
        // Where the map begins, its first key does too.
        let begin = places.of(&["receivers", "otlp/b"]).expect("written");
        assert_eq!(places.of_value(begin).map(|(path, _)| path), Some("receivers.otlp/b"));
        assert_eq!(places.of_key(begin).map(|(path, _)| path), Some("receivers.otlp/b.list"));
        let list = Places::read("a: [{b: 1}, 2]");
        let item = list.0.iter().rfind(|entry| position(entry.value) == (1, 13)).expect("read").value;
        assert_eq!(list.of_value(item).map(|(path, _)| path), Some("a"));
        assert!(list.of_key(item).is_none());
    }
}
