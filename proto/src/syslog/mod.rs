//! Syslog messages (RFC 5424, RFC 3164) as log records, and how they stand one after the other in a stream (RFC 6587).
//!
//! The attributes are those of the OpenTelemetry Collector's receiver. docs/logs.md has the mapping in full.

mod framing;
mod message;
mod written;

pub use framing::{Framing, Step};
pub use message::{Message, Options, Protocol, parse};
pub use written::{Messages, Origin};

/// The name of the scope that messages are in.
pub const SCOPE: &str = "syslog";

/// The attribute of a message that is kept as a text, or is not whole: what is wrong with it.
pub const DEFECT: &str = "syslog.defect";

#[cfg(test)]
mod tests;
