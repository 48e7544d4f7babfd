//! `query.logql`: the limits of LogQL queries.

use std::num::NonZeroUsize;

use serde::Deserialize;
use weir_proto::size;

/// `query.logql`. Each limit is per query; `query.timeout` and `query.queries_max` hold for LogQL too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogqlConfig {
    /// Bytes of a query's text; longer ones are refused.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub text_bytes_max: NonZeroUsize,
    /// Lines in one answer; a larger `limit` is refused, as Loki does.
    pub lines_max: NonZeroUsize,
    /// Series of a metric query, also between its steps; more are refused.
    pub series_max: NonZeroUsize,
    /// Points of a series; a smaller step is refused.
    pub points_max: NonZeroUsize,
    /// Samples that quantiles and counters hold; more are refused.
    pub samples_max: NonZeroUsize,
    /// Threads that read for one metric query.
    pub threads_max: NonZeroUsize,
    /// Clients that follow lines at the same time; more are refused.
    pub tails_max: NonZeroUsize,
    /// Patterns of each level; of more, those with the fewest lines are forgotten.
    pub patterns_max: NonZeroUsize,
    /// Lines that patterns are looked for in, the newest ones.
    pub pattern_lines_max: NonZeroUsize,
    /// Whether lines get Loki's `detected_level`.
    pub discover_log_levels: bool,
}

impl Default for LogqlConfig {
    fn default() -> Self {
        Self {
            text_bytes_max: count(64 << 10),
            lines_max: count(5000),
            series_max: count(20_000),
            points_max: count(11_000),
            samples_max: count(10_000_000),
            threads_max: count(2),
            tails_max: count(10),
            patterns_max: count(300),
            pattern_lines_max: count(500_000),
            discover_log_levels: true,
        }
    }
}

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("defaults are not zero")
}
