//! `query.sql`: the limits of SQL queries.

use std::num::NonZeroUsize;

use serde::Deserialize;
use weir_proto::size;

/// Limits of SQL queries, beside those that `query` sets for all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlConfig {
    /// Bytes of a query's text, refused with 413.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub text_bytes_max: NonZeroUsize,
    /// Rows of an answer; what is left out is said.
    pub rows_max: NonZeroUsize,
    /// Memory of one query; sorts, joins and groupings that need more go to disk or fail.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub memory_bytes_max: NonZeroUsize,
    /// Disk that one query may use for what does not fit into its memory.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub spill_bytes_max: NonZeroUsize,
    /// Threads that all queries share; they run at a lower priority than receiving.
    pub threads_max: NonZeroUsize,
}

impl Default for SqlConfig {
    fn default() -> Self {
        let count = |n| NonZeroUsize::new(n).expect("defaults are not zero");
        Self {
            text_bytes_max: count(64 << 10),
            rows_max: count(1_000_000),
            memory_bytes_max: count(128 << 20),
            spill_bytes_max: count(1 << 30),
            threads_max: count(2),
        }
    }
}
