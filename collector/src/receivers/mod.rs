//! What speaks to the outside: one file or folder per receiver, and the port that they share.

pub mod filelog;
pub mod loki;
pub mod otlp;
mod port;
pub mod prometheus;
pub mod remote_write;
pub mod zipkin;

pub use port::{
    Listening, ReplyBody,
    config::{CorsConfig, InvalidConfig, SpanLimits},
};
