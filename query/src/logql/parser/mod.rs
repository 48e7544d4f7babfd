//! Reads LogQL: recursive descent over the tokens, no deeper than a bound.
//!
//! Grammar and meaning follow Grafana's public documentation of LogQL.

mod metric;
mod selector;
mod stage;

use super::{
    ast::{Expr, LogExpr, RANGE_OPS, VECTOR_OPS},
    error::LogqlError,
    token::{Placed, Token, error_at, tokens},
};

/// Parentheses, operators and calls within each other.
pub(crate) const DEPTH_MAX: usize = 128;

/// Words that mean something by themselves.
const KEYWORDS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "and",
    "or",
    "unless",
    "offset",
    "json",
    "logfmt",
    "regexp",
    "pattern",
    "unpack",
    "unwrap",
    "line_format",
    "label_format",
    "decolorize",
    "drop",
    "keep",
    "ip",
    "vector",
    "label_replace",
];

/// Whether a word is a name of the language's own.
pub(crate) fn is_keyword(word: &str) -> bool {
    let lower = word.to_lowercase();
    KEYWORDS.contains(&lower.as_str())
        || RANGE_OPS.iter().any(|(name, _)| *name == lower)
        || VECTOR_OPS.iter().any(|(name, _)| *name == lower)
}

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Expr, LogqlError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("")),
    }
}

/// Reads a query for lines, as `match[]` and `query` of the label endpoints want it.
pub(crate) fn parse_log(text: &str) -> Result<LogExpr, LogqlError> {
    match parse(text)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => Err(LogqlError::invalid("only a selector of streams is allowed here, no metric query")),
    }
}

pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].token
    }

    /// The token behind the next one.
    fn peek_second(&self) -> &Token {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].token
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn take(&mut self) -> Token {
        let token = self.tokens[self.next].token.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        if is {
            self.take();
        }
        is
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), LogqlError> {
        if self.takes_sign(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    /// Whether the next token is this word, in any case.
    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.take();
        }
        is
    }

    fn expect_text(&mut self) -> Result<String, LogqlError> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.take();
                Ok(text)
            }
            _ => Err(self.unexpected("STRING")),
        }
    }

    fn expect_name(&mut self) -> Result<String, LogqlError> {
        match self.peek() {
            Token::Word(name) => {
                let name = name.clone();
                self.take();
                Ok(name)
            }
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    /// What a message says of the next token.
    fn unexpected(&self, expected: &str) -> LogqlError {
        let found = self.peek().name();
        let words = match expected {
            "" => format!("syntax error: unexpected {found}"),
            expected => format!("syntax error: unexpected {found}, expecting {expected}"),
        };
        error_at(self.text, self.at(), words)
    }

    fn error(&self, at: usize, words: impl Into<String>) -> LogqlError {
        error_at(self.text, at, words)
    }

    /// Goes one deeper, if that is allowed.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, LogqlError>) -> Result<T, LogqlError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(self.at(), format!("the query is nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// A list of names in parentheses, which may be empty.
    fn names(&mut self) -> Result<Vec<String>, LogqlError> {
        self.expect_sign("(")?;
        let mut names = Vec::new();
        while !self.is_sign(")") {
            names.push(self.expect_name()?);
            if !self.takes_sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        Ok(names)
    }
}
