//! `query`: where to listen and the limits of queries.

use std::{num::NonZeroUsize, time::Duration};

use serde::Deserialize;
use weir_proto::{duration, endpoint, size};

use super::loki::LogqlConfig;
use crate::sql::config::SqlConfig;

/// `query`: the endpoint and its limits. Durations are written like `30s`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Host and port; `:4320` means every IPv4 address. Whoever reaches it may read everything: keep it on loopback or behind something that asks who is there.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub endpoint: String,
    /// Names of this server that are answered beside addresses, names without a dot and private ones (`.local`, `.svc` …).
    pub hosts: Vec<String>,
    /// A query that takes longer answers with what it found, or with 504.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub timeout: Duration,
    /// Queries that run at the same time.
    pub queries_max: NonZeroUsize,
    /// How long a query waits for its turn before it is refused with 503.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub queue_timeout: Duration,
    /// Traces in one answer; a larger `limit` counts as this.
    pub traces_max: NonZeroUsize,
    /// Spans in one answer; what is left out is said.
    pub spans_max: NonZeroUsize,
    /// Spans of a trace that is shown as columns; what is left out is said.
    pub trace_rows_max: NonZeroUsize,
    /// Bytes of one answer that shows traces, and a quarter of what its rows may take in memory; what is left out is said.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub answer_bytes_max: NonZeroUsize,
    /// Bytes that all such answers hold together, from their rows to what clients have not taken yet; what is left out is said.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub answers_bytes_max: NonZeroUsize,
    /// Bytes of large traces that stay laid out for half a minute after they were looked at; 0 keeps none.
    #[serde(deserialize_with = "size::deserialize_or_none")]
    pub laid_traces_bytes_max: usize,
    /// Limits of SQL queries.
    pub sql: SqlConfig,
    /// Limits of LogQL queries.
    pub logql: LogqlConfig,
    /// How PromQL is read, and its limits.
    pub promql: PromqlConfig,
    /// Open connections; more wait to be accepted.
    pub connections_max: NonZeroUsize,
    /// Longest wait for a request's header; an idle connection is closed after it too.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub read_header_timeout: Duration,
    /// Longest wait for a request's whole body.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub read_timeout: Duration,
    /// Bytes of a request's headers, refused with 431 (at least 8192).
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub header_bytes_max: NonZeroUsize,
    /// Bytes of a request's path and query, refused with 414.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub uri_bytes_max: NonZeroUsize,
    /// Bytes of a request's body, refused with 413.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub request_bytes_max: NonZeroUsize,
    /// A client that takes nothing off an answer for so long is disconnected.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub write_timeout: Duration,
    /// How long requests in flight may take to finish at shutdown.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub drain_timeout: Duration,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:4320".into(),
            hosts: Vec::new(),
            timeout: Duration::from_secs(30),
            queries_max: count(8),
            queue_timeout: Duration::from_secs(5),
            traces_max: count(1500),
            spans_max: count(100_000),
            trace_rows_max: count(2_000_000),
            answer_bytes_max: count(64 << 20),
            answers_bytes_max: count(256 << 20),
            laid_traces_bytes_max: 128 << 20,
            sql: SqlConfig::default(),
            logql: LogqlConfig::default(),
            promql: PromqlConfig::default(),
            connections_max: count(1024),
            read_header_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            header_bytes_max: count(64 << 10),
            uri_bytes_max: count(16 << 10),
            request_bytes_max: count(1 << 20),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// `query.promql`: how PromQL is read, and its limits beside those that `query` sets for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromqlConfig {
    /// How long a sample stands for its series where nothing ends it.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub lookback_delta: Duration,
    /// The step of subqueries that name none.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub subquery_step: Duration,
    /// Samples that the selectors of one query may give.
    pub samples_max: NonZeroUsize,
    /// Memory of what one query holds at a time.
    #[serde(deserialize_with = "size::deserialize_in_memory")]
    pub memory_bytes_max: NonZeroUsize,
    /// Steps of a range query.
    pub points_max: NonZeroUsize,
    /// Threads that read the series of one selector.
    pub threads_max: NonZeroUsize,
}

impl Default for PromqlConfig {
    fn default() -> Self {
        Self {
            lookback_delta: Duration::from_secs(300),
            subquery_step: Duration::from_secs(60),
            samples_max: count(50_000_000),
            memory_bytes_max: count(512 << 20),
            points_max: count(11_000),
            threads_max: count(2),
        }
    }
}

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("defaults are not zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<QueryConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = read(r#"{"endpoint": "0.0.0.0:1", "timeout": "1m30s"}"#).expect("valid");
        let expected =
            QueryConfig { endpoint: "0.0.0.0:1".into(), timeout: Duration::from_secs(90), ..QueryConfig::default() };
        assert_eq!(config, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (json, said) in [
            (r#"{"end_point": "x"}"#, "unknown field `end_point`"),
            (r#"{"timeout": "soon"}"#, "not a duration"),
            (r#"{"timeout": "0s"}"#, "longer than 0s"),
            (r#"{"queries_max": 0}"#, "nonzero"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
