//! Relabelling: Prometheus' `relabel_configs` and `metric_relabel_configs`.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>

mod apply;
mod config;
mod label_set;
mod md5;
mod pattern;

pub use apply::relabel;
pub use config::{Action, RelabelConfig};
pub use label_set::LabelSet;
pub use pattern::Pattern;

#[cfg(test)]
mod tests;
