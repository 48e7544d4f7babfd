//! What speaks to the outside: one file or folder per receiver, and the intake that they share.

mod intake;
pub mod loki;
pub mod otlp;
pub mod prometheus;
pub mod remote_write;
mod span_limits;
pub mod zipkin;

pub use span_limits::SpanLimits;
