//! Jaeger's third query API under `/jaeger/api/v3`: OTLP JSON, as Jaeger's newer UI and Grafana's newer client read it.
//!
//! Names and shapes are those of `jaeger.api_v3.QueryService` (jaeger-idl, `proto/api_v3/query_service.proto`) in protobuf's JSON, by the paths
//! of its HTTP annotations. Parameters are taken in camelCase, which is today's, and in snake_case, which clients before 2026 write.

mod dependencies;
mod names;
mod params;
mod posted;
mod summaries;
mod traces;

use serde::Serialize;

use super::answer::{Answer, Failure};
pub(super) use dependencies::dependencies;
pub(super) use names::{operations, services};
pub(super) use posted::parameters;
pub(super) use summaries::summaries;
pub(super) use traces::{search, trace};

/// What Jaeger says when there is no such trace.
const NOT_FOUND: &str = "No traces found";

/// What a search can do (`GetCapabilities`); absent fields are things that it cannot.
#[derive(Debug, Serialize)]
struct Capabilities {
    search: SearchCapabilities,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchCapabilities {
    without_service_name: bool,
    same_span_conjunction: bool,
}

/// `/jaeger/api/v3/capabilities`.
pub(super) fn capabilities() -> Result<Answer, Failure> {
    let search = SearchCapabilities { without_service_name: true, same_span_conjunction: true };
    Answer::json(&Capabilities { search }, false)
}

#[cfg(test)]
mod tests;
