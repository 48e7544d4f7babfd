//! Prometheus' remote write, versions 1.0 and 2.0, read in place.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>, <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>. Texts
//! are bytes: whether they are UTF-8, and labels a label set, is for whoever takes a series to find out.

mod histogram;
mod reduced;
mod samples;
mod series;
mod symbols;
mod walk;
mod written;

pub use histogram::{HistogramFault, fault_of};
pub use series::{WrittenExemplar, WrittenMetadata, WrittenSeries};
pub use walk::walk;
pub use written::{bytes, double, histogram_message, number, read_histogram};

pub use crate::otlp::wire::WireError;

/// Which message a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteVersion {
    /// `prometheus.WriteRequest`
    V1,
    /// `io.prometheus.write.v2.Request`
    V2,
}

#[cfg(test)]
mod tests;
