//! Reads the fields of groups and rules, with what go-yaml takes for a text, a number, a duration.

use std::time::Duration;

use weir_proto::{
    nearest::unknown,
    yaml::{Entry, Node, Position, Value},
};

use super::RuleProblem;
use crate::promql::syntax::duration;

/// What is found wrong on the way.
pub(crate) struct Findings<'p> {
    path: &'p str,
    pub(crate) problems: Vec<RuleProblem>,
}

impl<'p> Findings<'p> {
    pub(crate) fn new(path: &'p str) -> Self {
        Self { path, problems: Vec::new() }
    }

    pub(crate) fn say(&mut self, at: Position, message: impl Into<String>) {
        self.problems.push(RuleProblem { path: self.path.to_owned(), at, message: message.into() });
    }

    /// The entries of a map; nothing stands for an empty one. `what` names it when it is none.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
                    self.say(entry.at, unknown("key", &entry.key, known));
                }
                entries
            }
            Value::Null => &[],
            Value::List(_) | Value::Scalar { .. } => {
                self.say(node.at, format!("expected keys and values here: {what}"));
                &[]
            }
        }
    }

    /// The items of a list; nothing stands for an empty one, and is no item, as go-yaml has it.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, what: &str) -> Vec<&'n Node> {
        match &node.value {
            Value::List(items) => items.iter().filter(|item| !matches!(item.value, Value::Null)).collect(),
            Value::Null => Vec::new(),
            Value::Map(_) | Value::Scalar { .. } => {
                self.say(node.at, format!("expected a list here: {what}"));
                Vec::new()
            }
        }
    }

    /// A text; any single value is one.
    pub(crate) fn text(&mut self, entry: &Entry) -> String {
        match &entry.node.value {
            Value::Scalar { text, .. } => text.clone(),
            Value::Null => String::new(),
            Value::List(_) | Value::Map(_) => {
                self.say(entry.node.at, format!("{}: expected a text here", entry.key));
                String::new()
            }
        }
    }

    /// A duration as Prometheus writes them; `None` where nothing is written.
    pub(crate) fn duration(&mut self, entry: &Entry) -> Option<Duration> {
        if matches!(entry.node.value, Value::Null) {
            return None;
        }
        let text = self.text(entry);
        match duration::parse(&text) {
            Ok(ms) => Some(Duration::from_millis(ms.unsigned_abs())),
            Err(words) => {
                self.say(entry.node.at, format!("{}: {words}", entry.key));
                None
            }
        }
    }

    /// A whole number; below zero it is as good as none, and a fraction is cut off, as go-yaml does.
    pub(crate) fn count(&mut self, entry: &Entry) -> usize {
        if matches!(entry.node.value, Value::Null) {
            return 0;
        }
        let text = match &entry.node.value {
            Value::Scalar { text, is_plain: true } => text.as_str(),
            _ => "",
        };
        let number = text.replace('_', "").parse::<f64>().ok().filter(|number| number.abs() <= i64::MAX as f64);
        match number {
            // Saturates: what is below zero is 0.
            Some(number) => number as usize,
            None => {
                self.say(entry.node.at, format!("{}: expected a whole number", entry.key));
                0
            }
        }
    }

    /// Names and texts, by name, each with the place of its name.
    pub(crate) fn pairs(&mut self, entry: &Entry) -> Vec<(String, String, Position)> {
        let entries = match &entry.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::List(_) | Value::Scalar { .. } => {
                self.say(entry.node.at, format!("{}: expected names and texts here", entry.key));
                &[]
            }
        };
        let mut pairs: Vec<_> = entries.iter().map(|entry| (entry.key.clone(), self.text(entry), entry.at)).collect();
        pairs.sort();
        pairs
    }
}
