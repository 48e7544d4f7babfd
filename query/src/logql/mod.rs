//! LogQL: reads queries, runs pipelines over lines, computes metrics from them.
//!
//! [`parse`] makes an [`ast::Expr`] of a text; [`engine`] answers it over [`engine::Lines`], which the store's snapshot is.
//! The language follows Grafana's public documentation of LogQL; docs/logql.md says what is there.

pub(crate) mod ast;
pub(crate) mod engine;
pub(crate) mod error;
mod ip;
mod json;
pub(crate) mod labels;
mod logfmt;
mod parser;
mod path;
mod pattern;
pub(crate) mod pipeline;
mod print;
pub(crate) mod regex;
mod scalar;
mod template;
mod token;
pub(crate) mod units;

pub(crate) use error::LogqlError;
pub(crate) use parser::{parse, parse_log};
pub(crate) use print::pretty;

/// A query as it is printed; nothing when the text is none. What the fuzzer calls. Not for others.
#[doc(hidden)]
pub fn printed(text: &str) -> Option<String> {
    parse(text).ok().map(|expr| pretty(&expr))
}

#[cfg(test)]
mod tests;
