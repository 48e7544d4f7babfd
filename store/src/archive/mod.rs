//! The archive's ground: where objects are kept ([`bucket`]), and the log that makes a table of them ([`delta`]).

pub mod bucket;
pub mod delta;
