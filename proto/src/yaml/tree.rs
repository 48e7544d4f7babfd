//! A file's values with their places.

use std::fmt;

/// Line and column, from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
}

/// A value.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
    /// Something was taken out of it because it is wrong: what is missing now was said already.
    pub is_tainted: bool,
    /// It stands for a variable that is not set: what is wrong with it says nothing about the file.
    pub is_unset: bool,
    /// As good as left out.
    pub is_gone: bool,
}

/// What kinds of values there are.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// One value.
    Scalar {
        /// As written, without its quotes.
        text: String,
        /// Without quotes: it may be a number, or true.
        is_plain: bool,
    },
    /// Values in order.
    List(Vec<Node>),
    /// Keys and their values, in order; each key once.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Position,
    /// Its value.
    pub node: Node,
}

/// One step of the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an item of a list, from 0.
    Item(usize),
}

/// Something that is wrong, or without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Position,
    /// The way to what is to be taken out.
    pub steps: Vec<Step>,
    /// What, in words.
    pub message: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Node {
    /// A value at a place.
    pub fn new(at: Position, value: Value) -> Self {
        Self { at, value, is_tainted: false, is_unset: false, is_gone: false }
    }

    /// Its entries; none where it is no map.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let entries = if let Value::Map(entries) = &self.value { entries.as_slice() } else { &[] };
        entries.iter().filter(|entry| !entry.node.is_gone)
    }

    /// The value behind this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.key == key)
    }

    /// The innermost written key of this path and its value, and whether that is the whole path.
    pub fn innermost(&self, path: &[&str]) -> Option<(&Entry, bool)> {
        let (first, rest) = path.split_first()?;
        let entry = self.get(first)?;
        entry.node.innermost(rest).or(Some((entry, rest.is_empty())))
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (&mut self.value, step) {
            (Value::Map(entries), Step::Key(key)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.node)
            }
            (Value::List(items), Step::Item(index)) => items.get_mut(*index),
            _ => None,
        }
    }

    /// The value at the end of this way.
    pub fn at(&self, steps: &[Step]) -> Option<&Self> {
        let Some((first, rest)) = steps.split_first() else { return Some(self) };
        let child = match (&self.value, first) {
            (Value::Map(entries), Step::Key(key)) => &entries.iter().find(|entry| entry.key == *key)?.node,
            (Value::List(items), Step::Item(index)) => items.get(*index)?,
            _ => return None,
        };
        child.at(rest)
    }

    /// Makes what is at the end of this way as good as left out; false when nothing is there. With `taint`, what misses it knows why.
    pub fn leave_out(&mut self, steps: &[Step], taint: bool) -> bool {
        let Some((first, rest)) = steps.split_first() else {
            return !std::mem::replace(&mut self.is_gone, true);
        };
        let found = self.child_mut(first).is_some_and(|child| child.leave_out(rest, taint));
        self.is_tainted |= taint && found;
        found
    }

    /// Takes out what was left out, and maps and lists that are empty because of it.
    pub fn prune(&mut self) {
        let emptied = |node: &mut Self| {
            let had = node.has_children();
            node.prune();
            node.is_gone || (had && !node.has_children())
        };
        match &mut self.value {
            Value::Map(entries) => {
                entries.retain_mut(|entry| !emptied(&mut entry.node));
            }
            Value::List(items) => items.retain_mut(|item| !emptied(item)),
            Value::Null | Value::Scalar { .. } => {}
        }
    }

    fn has_children(&self) -> bool {
        match &self.value {
            Value::Map(entries) => !entries.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Null | Value::Scalar { .. } => false,
        }
    }
}
