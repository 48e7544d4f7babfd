//! The reading side: search and the HTTP APIs.

pub mod alerting;
mod batches;
mod bottlenecks;
mod coding;
mod critical_path;
mod dependencies;
#[cfg(test)]
mod drawn;
mod explore;
mod gotemplate;
pub mod http;
mod lines;
mod logql;
mod patterns;
mod promql;
mod span_ids;
mod sql;
mod trace;
mod tree;
mod weight;

#[doc(hidden)]
pub use logql::printed as printed_logql;
pub use promql::LabelTest;
#[doc(hidden)]
pub use promql::{printed as printed_promql, script};

/// Whether the guard of SQL lets a text pass: what the fuzzer calls. Not for others.
#[doc(hidden)]
pub fn admits_sql(text: &str) -> bool {
    sql::guard::admits(text)
}
