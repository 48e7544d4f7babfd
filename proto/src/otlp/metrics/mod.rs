//! One pass over an ExportMetricsServiceRequest: a view of each metric, whose points are read one by one.

mod metric;
mod points;
mod values;
mod views;

pub use points::{ExemplarPoint, ExponentialPoint, HistogramPoint, NumberPoint, NumberValue, SummaryPoint};
pub use values::in_words;
pub use views::{DataKind, MetricView, ScannedMetric, Temporality};

pub use super::{Attributes, Checks, ItemFault, Limits, ResourceView, ScanError, ScopeView};
use super::{checks, messages::collector::metrics::v1::ExportMetricsServiceRequest, scan, wire::WireError};

/// Walks the payload once, in order, calling `on_metric` for each metric. Its points are not looked at.
///
/// After an error, what was gathered is void. A payload has at most 4 GiB.
pub fn scan<'a>(payload: &'a [u8], checks: Checks, on_metric: impl FnMut(&ScannedMetric<'a>)) -> Result<(), ScanError> {
    scan::scan(payload, checks, on_metric)
}

/// Decodes and encodes again with prost, which merges repeated fields and orders them. Unknown fields are lost.
pub fn canonical(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    checks::canonical::<ExportMetricsServiceRequest>(payload)
}

#[cfg(test)]
mod tests;
