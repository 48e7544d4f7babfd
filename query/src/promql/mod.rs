//! PromQL: the language of Prometheus 3, its evaluation, and the scripts that test both.

pub(crate) mod engine;
pub(crate) mod format;
pub(crate) mod functions;
pub(crate) mod histogram;
mod label_test;
pub(crate) mod notes;
#[doc(hidden)]
pub mod script;
pub(crate) mod source;
mod sum;
pub(crate) mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod value;

pub use label_test::LabelTest;

/// A query as it is printed; nothing when the text is none. What the fuzzer calls. Not for others.
#[doc(hidden)]
pub fn printed(text: &str) -> Option<String> {
    syntax::parse(text).ok().map(|expr| expr.text())
}
