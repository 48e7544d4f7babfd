//! Loki's query API under `/loki/api/v1`, as Grafana's Loki data source and `logcli` read it.
//!
//! Shapes and rules follow Grafana's public reference of Loki's HTTP API; docs/logql.md says what is there.

mod config;
mod detected;
mod format;
mod index;
mod labels;
mod params;
mod patterns;
mod query;
mod stats;
mod streams;

use http::HeaderMap;

use super::answer::Failure;
use crate::logql::LogqlError;

pub use config::LogqlConfig;
pub(super) use detected::{detected_field_values, detected_fields, detected_labels};
pub(super) use format::{build_info, drilldown_limits, format_query};
pub(super) use index::{stats, volume, volume_range};
pub(super) use labels::{label_values, labels, series};
pub(super) use params::{limit, limits, log_query, start_ns};
pub(super) use patterns::patterns;
pub(super) use query::{query, query_range};
pub(super) use streams::streams;

/// What a client says when it wants to know where labels come from.
const ENCODING_FLAGS: &str = "x-loki-response-encoding-flags";

/// Whether a client wants to know where labels come from.
pub(super) fn categorizes_labels(headers: &HeaderMap) -> bool {
    let flags = headers.get_all(ENCODING_FLAGS).iter().filter_map(|value| value.to_str().ok());
    flags.flat_map(|flags| flags.split(',')).any(|flag| flag.trim() == "categorize-labels")
}

impl From<LogqlError> for Failure {
    fn from(error: LogqlError) -> Self {
        match error {
            LogqlError::TimedOut => Self::TimedOut,
            LogqlError::Busy => Self::Busy,
            other => Self::BadRequest(other.to_string()),
        }
    }
}
