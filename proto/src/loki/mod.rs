//! Loki's push request, JSON or protobuf, to OTLP protobuf in one pass, without a tree of values between them.
//!
//! The wire forms are those of Grafana's documentation ("Ingest logs", `POST /loki/api/v1/push`) and of its published proto
//! file. docs/logs.md has the mapping in full: a stream becomes a ResourceLogs whose resource attributes are its labels as
//! they came, in a scope named [`SCOPE`]; structured metadata become the line's attributes.

mod json;
mod label_name;
mod labels;
mod protobuf;
mod service;
mod stream;

pub use label_name::{label_of_field, may_have_label, push_label_name};
pub use labels::BadLabels;
pub use service::{SERVICE_LABELS, UNKNOWN_SERVICE};

use crate::{json::JsonError, otlp::wire::WireError};

/// The name of the scope that pushed lines are in.
pub const SCOPE: &str = "loki";

/// At most this many times as many bytes come out: short streams get longer.
pub const EXPANSION_MAX: usize = 5;

/// What the receiver is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushOptions<'a> {
    /// The labels in which a stream's service is looked for, first come first; none: it is not looked for.
    pub service_labels: &'a [String],
    /// Whether lines keep the times that they came with; otherwise nobody knows when they were, and they get that of their receipt.
    pub keeps_times: bool,
    /// Bytes of protobuf.
    pub bytes_max: usize,
}

/// Why a whole push is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Not JSON, or not such JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not protobuf, or not such a message.
    #[error("not a PushRequest: {0}")]
    Protobuf(WireError),
    /// A stream's labels cannot be read.
    #[error("labels of a stream: {0}")]
    Labels(#[from] BadLabels),
}

/// A push in JSON, `{"streams": [{"stream": {…}, "values": [[ns, line, {…}], …]}, …]}`, as an ExportLogsServiceRequest.
///
/// Times are nanoseconds, quoted or not; values of labels and of structured metadata are strings, but numbers and booleans
/// are taken as their text. Unknown keys are passed over.
pub fn transcode_json(json: &[u8], options: PushOptions<'_>) -> Result<Vec<u8>, PushError> {
    json::transcode(json, options).map_err(PushError::Json)
}

/// A push in protobuf, already decompressed, as an ExportLogsServiceRequest.
pub fn transcode_protobuf(message: &[u8], options: PushOptions<'_>) -> Result<Vec<u8>, PushError> {
    protobuf::transcode(message, options)
}

/// A time as OTLP has it, Unix ns: what lies before 1970 is the first moment after it, what lies beyond is the last one. Both are far
/// outside of what storage accepts, and are refused for that with their lines.
fn stream_time(time_ns: i128) -> u64 {
    match time_ns {
        ..0 => 1,
        _ => u64::try_from(time_ns).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
