//! The words of a question: what is sought, which columns, within which bounds; and of its answer: spans, lines, what was passed over.

pub(crate) mod counted;
pub(crate) mod error;
pub(crate) mod field_test;
pub(crate) mod filter;
pub(crate) mod folding;
pub(crate) mod line;
pub(crate) mod pruned;
pub(crate) mod request;
pub(crate) mod search;
pub(crate) mod span;
pub(crate) mod tag;
