//! What targets expose: Prometheus' text format (0.0.4, 1.0.0) and OpenMetrics' (0.0.1, 1.0.0), read line by line.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, <https://prometheus.io/docs/specs/om/open_metrics_spec/>. What is taken and
//! refused is what Prometheus 3 takes and refuses. A line whose series is recognised by whoever reads costs its number and nothing else.

mod comment;
mod escape;
mod go_float;
mod number;
mod parser;
mod series;

pub use go_float::go_float;
pub use number::number;
pub use parser::{Entry, ExemplarLine, Exposition, SampleLine};
pub use series::Pairs;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Prometheus' own.
    Prometheus,
    /// OpenMetrics: strict about blanks, with exemplars, units and an end.
    OpenMetrics,
}

/// Why a body cannot be read: all of it is void.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ExpositionError {
    /// From 1.
    pub line: usize,
    /// What is wrong, and the line's beginning.
    pub problem: String,
}

#[cfg(test)]
mod tests;
