//! LogQL: reads queries, runs pipelines over lines, computes metrics from them.
//!
//! [`parse`] makes an [`ast::Expr`] of a text; [`engine`] answers it over [`engine::Lines`], which the store's snapshot is.
//! The language follows Grafana's public documentation of LogQL; docs/logql.md says what is there.

pub mod ast;
pub mod engine;
pub mod error;
mod ip;
mod json;
pub mod labels;
mod logfmt;
mod parser;
mod path;
mod pattern;
pub mod pipeline;
mod print;
mod regex;
mod scalar;
mod template;
mod token;
pub mod units;

pub use error::LogqlError;
pub use parser::{parse, parse_log};
pub use print::pretty;

#[cfg(test)]
mod tests;
