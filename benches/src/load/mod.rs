//! Sends shop traffic: flat out, or on a fixed schedule with latencies counted from the intended time.

mod record;
mod report;
mod run;
mod visible;

pub use record::{BatchFate, Record};
pub use report::{LoadReport, Quantiles};
pub use run::{Load, Plan};
pub use visible::probe_visible;
