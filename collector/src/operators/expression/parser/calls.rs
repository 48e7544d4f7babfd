//! Calls of functions, those with predicates among them.

use super::{Each, Node, Parser, Token, Wrong};
use crate::operators::expression::functions;

/// Functions with a predicate: whether it may be left out, and what stands behind it.
const WITH_PREDICATES: [(&str, Each); 15] = [
    ("all", Each::All),
    ("any", Each::Any),
    ("one", Each::One),
    ("none", Each::None),
    ("map", Each::Map),
    ("filter", Each::Filter),
    ("find", Each::Find),
    ("findIndex", Each::FindIndex),
    ("findLast", Each::FindLast),
    ("findLastIndex", Each::FindLastIndex),
    ("count", Each::Count),
    ("sum", Each::Sum),
    ("groupBy", Each::GroupBy),
    ("sortBy", Each::SortBy),
    ("reduce", Each::Reduce),
];

impl Parser {
    /// A call whose bracket is open; `first` is what a pipe hands to it.
    pub(super) fn call(&mut self, name: &str, first: Option<Node>) -> Result<Node, Wrong> {
        if let Some((_, each)) = WITH_PREDICATES.iter().find(|(known, _)| *known == name) {
            return self.each(name, *each, first);
        }
        let Some(function) = functions::find(name) else {
            self.next -= 2;
            let mut known: Vec<&str> = functions::NAMES.iter().map(|row| row.0).collect();
            known.extend(WITH_PREDICATES.iter().map(|row| row.0));
            return Err(self.wrong(format!("there is no function `{name}`; there are {}", known.join(", "))));
        };
        let mut arguments: Vec<Node> = first.into_iter().collect();
        arguments.extend(self.list(")")?);
        let (least, most) = function.arguments;
        if arguments.len() < least || arguments.len() > most {
            let takes = match most {
                most if most == least => least.to_string(),
                usize::MAX => format!("{least} or more"),
                most => format!("{least} to {most}"),
            };
            return Err(self.wrong(format!("`{name}` takes {takes} arguments, not {}", arguments.len())));
        }
        Ok(Node::Call(function, arguments))
    }

    fn each(&mut self, name: &str, each: Each, first: Option<Node>) -> Result<Node, Wrong> {
        let list = match first {
            Some(list) => list,
            None => self.choice()?,
        };
        let needs = !matches!(each, Each::Count | Each::Sum);
        let is_first = matches!(self.tokens.get(self.next.wrapping_sub(1)), Some((Token::Sign("("), _)));
        let has_predicate = if is_first { !self.is_at_end() } else { self.take(",") && !self.is_at_end() };
        if !has_predicate {
            if needs {
                return Err(self.wrong(format!("`{name}` takes a predicate")));
            }
            self.expect(")")?;
            return Ok(Node::Each(each, list.into(), None, None));
        }
        let predicate = self.predicate()?;
        let mut with = None;
        if matches!(each, Each::SortBy | Each::Reduce) && self.take(",") && !self.is_at_end() {
            with = Some(self.choice()?.into());
            self.take(",");
        }
        self.expect(")")?;
        Ok(Node::Each(each, list.into(), Some(predicate.into()), with))
    }

    fn is_at_end(&self) -> bool {
        matches!(self.peek(), Some(Token::Sign(")")))
    }

    /// With braces, or without.
    fn predicate(&mut self) -> Result<Node, Wrong> {
        self.predicates += 1;
        let has_braces = self.take("{");
        let node = if has_braces { self.whole()? } else { self.choice()? };
        if has_braces {
            self.expect("}")?;
        }
        self.predicates -= 1;
        Ok(node)
    }
}
