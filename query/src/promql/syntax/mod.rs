//! The language: from text to tree and back.

pub(crate) mod ast;
pub(crate) mod check;
pub(crate) mod duration;
mod lexer;
pub(crate) mod number;
mod parser;
mod printer;
pub(crate) mod quote;
pub(crate) mod regex;
pub(crate) mod token;

pub(crate) use parser::{ParseError, parse, parse_selector};
