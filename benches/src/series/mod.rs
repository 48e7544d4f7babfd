//! Metrics: targets like node_exporters that do not exist, and what it costs to take them in and to ask about them.

pub mod fill;
pub mod node;
pub mod otlp;
pub mod peers;
pub mod same;
pub mod serve;
pub mod whole;
pub mod written;
