//! Expressions over an entry: the part of expr-lang that `if`, `expr`, `is_first_entry` and values are written in.
//!
//! <https://expr-lang.org/docs/language-definition>. Literals, `body`, `attributes`, `resource`, `timestamp`, `severity_text`,
//! `severity_number`; `.key`, `["key"]`, `?.`, `[0]`, `[1:2]`; comparison, `in`, `matches`, `contains`, `startsWith`, `endsWith`; `and`, `or`,
//! `not`; arithmetic, `??`, `? :`, lists, maps, ranges, pipes, variables, predicates; and the functions of [`functions::NAMES`].

mod each;
mod evaluate;
mod functions;
mod parser;
mod token;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, de};

use self::{evaluate::Scope, parser::Node};
use super::{Entry, Value};

/// Longest expression in bytes.
const BYTES_MAX: usize = 16 << 10;

/// An expression, ready to be asked.
#[derive(Clone)]
pub struct Expression {
    text: String,
    root: Arc<Node>,
}

impl Expression {
    /// Reads an expression; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("the expression is longer than {BYTES_MAX} bytes"));
        }
        let root = parser::parse(text).map_err(|wrong| {
            let at = wrong.at.min(text.len());
            format!("cannot read the expression at character {}: {}", text[..at].chars().count() + 1, wrong.what)
        })?;
        Ok(Self { text: text.to_owned(), root: Arc::new(root) })
    }

    /// Whether it is true of an entry. An error is a value of a wrong kind on the way.
    pub fn is_true(&self, entry: &Entry<'_>) -> Result<bool, String> {
        match evaluate::evaluate(&self.root, &mut Scope::of(entry))? {
            evaluate::Operand::Bool(value) => Ok(value),
            other => Err(format!("`{}` gives {}, not true or false", self.text, other.kind())),
        }
    }

    /// What it gives for an entry.
    pub fn value(&self, entry: &Entry<'_>) -> Result<Value<'static>, String> {
        Ok(evaluate::evaluate(&self.root, &mut Scope::of(entry))?.into_value())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
