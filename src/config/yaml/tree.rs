//! A file's values with their places.

use std::fmt;

/// Line and column, from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Position {
    pub(in crate::config) line: u64,
    pub(in crate::config) column: u64,
}

/// A value.
#[derive(Debug, Clone)]
pub(in crate::config) struct Node {
    pub(in crate::config) at: Position,
    pub(in crate::config) value: Value,
    /// Something was taken out of it because it is wrong: what is missing now was said already.
    pub(in crate::config) is_tainted: bool,
    /// It stands for a variable that is not set: what is wrong with it says nothing about the file.
    pub(in crate::config) is_unset: bool,
    /// As good as left out.
    pub(in crate::config) is_gone: bool,
}

/// What kinds of values there are.
#[derive(Debug, Clone)]
pub(in crate::config) enum Value {
    Null,
    Scalar {
        text: String,
        /// Without quotes: it may be a number, or true.
        is_plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(in crate::config) struct Entry {
    pub(in crate::config) key: String,
    pub(in crate::config) at: Position,
    pub(in crate::config) node: Node,
}

/// One step of the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Step {
    Key(String),
    Item(usize),
}

/// Something that is wrong, or without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Problem {
    pub(in crate::config) at: Position,
    /// The way to what is to be taken out.
    pub(in crate::config) steps: Vec<Step>,
    pub(in crate::config) message: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Node {
    pub(in crate::config) fn new(at: Position, value: Value) -> Self {
        Self { at, value, is_tainted: false, is_unset: false, is_gone: false }
    }

    /// Its entries; none where it is no map.
    pub(in crate::config) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let entries = if let Value::Map(entries) = &self.value { entries.as_slice() } else { &[] };
        entries.iter().filter(|entry| !entry.node.is_gone)
    }

    /// The value behind this key.
    pub(in crate::config) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.key == key)
    }

    /// The innermost written key of this path and its value, and whether that is the whole path.
    pub(in crate::config) fn innermost(&self, path: &[&str]) -> Option<(&Entry, bool)> {
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
    pub(in crate::config) fn at(&self, steps: &[Step]) -> Option<&Self> {
        let Some((first, rest)) = steps.split_first() else { return Some(self) };
        let child = match (&self.value, first) {
            (Value::Map(entries), Step::Key(key)) => &entries.iter().find(|entry| entry.key == *key)?.node,
            (Value::List(items), Step::Item(index)) => items.get(*index)?,
            _ => return None,
        };
        child.at(rest)
    }

    /// Makes what is at the end of this way as good as left out; false when nothing is there. With `taint`, what misses it knows why.
    pub(in crate::config) fn leave_out(&mut self, steps: &[Step], taint: bool) -> bool {
        let Some((first, rest)) = steps.split_first() else {
            return !std::mem::replace(&mut self.is_gone, true);
        };
        let found = self.child_mut(first).is_some_and(|child| child.leave_out(rest, taint));
        self.is_tainted |= taint && found;
        found
    }

    /// Takes out what was left out, and maps and lists that are empty because of it.
    pub(in crate::config) fn prune(&mut self) {
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
