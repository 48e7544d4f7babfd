//! What is refused before a query is planned: text, tokens and shapes that would cost more than they may.
//!
//! Parser, planner, optimizer and the trees' own destructors recurse. All of that runs on threads whose stack is known
//! ([`STACK_BYTES`]); the bounds here keep every tree far below what that stack holds.

mod dialect;
mod shape;
#[cfg(test)]
mod tests;
mod tokens;
mod weight;

use datafusion::sql::sqlparser::{ast::Statement, parser::ParserError};

use super::{engine::STACK_BYTES, names::unread};

/// Why a text is not planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Not SQL, in the parser's words.
    #[error("cannot read the query: {0}")]
    Unreadable(String),
    /// Not exactly one statement.
    #[error("{0} statements; exactly one is answered")]
    Statements(usize),
    /// A statement that is no question.
    #[error("only SELECT, WITH, VALUES and EXPLAIN are answered")]
    NotAQuestion,
    /// Something that is not offered.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// Something that is not there, and what is.
    #[error("{0}")]
    Unknown(String),
    /// Over a bound.
    #[error("the query has too many {what}: at most {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: u64,
    },
}

/// The one statement of `text`, when it may be planned. Call it where the stack is large.
pub(super) fn admit(text: &str) -> Result<Statement, Refused> {
    let tokens = tokens::read(text)?;
    let statement = match tokens::parse(tokens.clone()) {
        Err(Refused::Unreadable(message)) => {
            let hint = unread(&tokens, &message).map(|hint| format!("; {hint}")).unwrap_or_default();
            return Err(Refused::Unreadable(message + &hint));
        }
        parsed => parsed?,
    };
    shape::check(&statement)?;
    weight::check(&statement)?;
    Ok(statement)
}

/// Whether `text` is admitted: for the fuzzer.
pub(crate) fn admits(text: &str) -> bool {
    refusal(text).is_none()
}

/// Why `text` is not admitted, found on a thread with the stack that queries have.
pub(crate) fn refusal(text: &str) -> Option<String> {
    std::thread::scope(|scope| {
        let admitted = || admit(text).err().map(|refused| refused.to_string());
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, admitted) {
            Ok(thread) => thread.join().expect("no text makes it panic"),
            Err(error) => Some(format!("no thread to read it on: {error}")),
        }
    })
}

impl From<ParserError> for Refused {
    fn from(error: ParserError) -> Self {
        match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => Self::Unreadable(message),
            ParserError::RecursionLimitExceeded => {
                Self::TooMuch { what: "levels of nesting", max: tokens::RECURSION_MAX as u64 }
            }
        }
    }
}
