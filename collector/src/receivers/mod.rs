//! What speaks to the outside: one file or folder per receiver, and the intake that they share.

mod component;
pub mod elasticsearch;
pub mod filelog;
mod http_settings;
mod intake;
pub mod loki;
pub mod otlp;
pub mod prometheus;
pub mod remote_write;
mod span_limits;
pub mod splunk_hec;
pub mod synthetic;
pub mod syslog;
pub mod zipkin;

pub use component::{Listener, ReceiverSettings};
pub use span_limits::SpanLimits;
