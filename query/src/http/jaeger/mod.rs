//! Jaeger's JSON query API under `/jaeger/api`, as Jaeger's UI and Grafana's Jaeger data source read it.
//!
//! Shapes and rules follow jaeger-query (`cmd/query/app`, `internal/uimodel`) and the OpenTelemetry Collector's
//! translator to Jaeger (`pkg/translator/jaeger`).

mod dependencies;
pub(super) mod kinds;
mod model;
mod operations;
pub(super) mod params;
mod search;
mod separate;
mod sought;
mod spans;
mod tags;
pub(super) mod trace;

pub(super) use dependencies::dependencies;
pub(super) use operations::{left_out, operation_names, operations, services};
pub(super) use search::search;
pub(super) use trace::trace;
