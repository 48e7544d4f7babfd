//! PromQL: the language of Prometheus 3, its evaluation, and the scripts that test both.

pub(crate) mod engine;
pub(crate) mod format;
pub(crate) mod functions;
pub(crate) mod histogram;
pub(crate) mod notes;
#[doc(hidden)]
pub mod script;
pub(crate) mod source;
mod sum;
pub(crate) mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod value;

/// Whether a text is a query: what the fuzzer calls. Not for others.
#[doc(hidden)]
pub fn parses(text: &str) -> bool {
    match syntax::parse(text) {
        // What is printed is read again as the same.
        Ok(expr) => {
            let printed = expr.text();
            let again = syntax::parse(&printed).map(|expr| expr.text());
            debug_assert_eq!(again.as_ref(), Ok(&printed));
            true
        }
        Err(_) => false,
    }
}
