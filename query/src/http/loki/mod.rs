//! Loki's query API under `/loki/api/v1`, as Grafana's Loki data source and `logcli` read it.
//!
//! Shapes and rules follow Grafana's public reference of Loki's HTTP API; docs/logql.md says what is there.

mod config;
mod detected;
mod format;
mod index;
mod labels;
mod params;
mod query;
mod stats;
mod streams;

use super::answer::Failure;
use crate::logql::LogqlError;

pub use config::LogqlConfig;
pub(super) use detected::{detected_field_values, detected_fields, detected_labels};
pub(super) use format::{build_info, drilldown_limits, format_query};
pub(super) use index::{patterns, stats, volume, volume_range};
pub(super) use labels::{label_values, labels, series};
pub(super) use query::{query, query_range};

impl From<LogqlError> for Failure {
    fn from(error: LogqlError) -> Self {
        match error {
            LogqlError::TimedOut => Self::TimedOut,
            other => Self::BadRequest(other.to_string()),
        }
    }
}
