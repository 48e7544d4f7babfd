//! Prometheus' HTTP API under `/prometheus/api/v1` (<https://prometheus.io/docs/prometheus/latest/querying/api/>).

mod federate;
mod limits;
mod lists;
mod mounted;
mod params;
mod query;
mod rules;
mod status;
mod stored;
#[cfg(test)]
mod tests;
mod tree;
mod written;

pub(super) use federate::federate;
pub(super) use lists::{label_values, labels, metadata, series};
pub(super) use query::{format_query, query, query_exemplars, query_range};
pub(super) use status::{buildinfo, config, flags, healthy, ready, runtimeinfo, tsdb, walreplay};
pub(crate) use stored::Stored;
pub(super) use tree::parse_query;

use serde::Serialize;

use super::{
    answer::{Answer, Failure},
    call::Call,
};
use crate::promql::{engine::QueryError, source::SourceError};

/// `{"status":"success","data":…}`
#[derive(Debug, Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    infos: Vec<String>,
}

impl<T: Serialize> Success<T> {
    fn of(data: T) -> Self {
        Self { status: "success", data, warnings: Vec::new(), infos: Vec::new() }
    }

    /// Within what an answer may hold.
    fn answer(mut self, call: &Call) -> Result<Answer, Failure> {
        self.warnings.extend(call.missing());
        Answer::json_within(&call.allowance, &self, false)?
            .ok_or_else(|| Failure::Execution("the answer is larger than query.answer_bytes_max".into()))
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Parse(error) => params::invalid("query", &error.to_string()),
            QueryError::Invalid(message) => params::invalid("query", &message),
            QueryError::Execution(_) | QueryError::TooManySamples | QueryError::TooMuchMemory(_) => {
                Self::Execution(error.to_string())
            }
            QueryError::Timeout => Self::TimedOut,
            QueryError::Storage(message) => Self::Read(weir_store::ReadError::Damaged(message)),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        QueryError::from(error).into()
    }
}
