//! OTLP/JSON to OTLP protobuf in one pass, without a tree of values between them.
//!
//! The [OTLP specification](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) is the proto3 JSON mapping
//! with ids in hex. Where they leave a choice:
//!
//! - Keys are known in lowerCamelCase and in the proto file's snake_case; unknown ones are passed over (those around the items are
//!   remembered, for they may be a whole request, and those that are a known key in other capitals), null is absent, and in a list a null is an empty message.
//! - `instrumentationLibrarySpans` and `instrumentationLibrary`, as they were called until 2022, are `scopeSpans` and `scope`.
//! - A known key twice in an object is an error, and so are two values of one AnyValue: guessing which one is meant would
//!   lose the other silently.
//! - Whole numbers may be quoted, and written as `1.0` or `1e3`. Enums are numbers or their names. Bytes are base64 of either
//!   alphabet, padded or not; a mix-up of hex and base64 is an error that names the field.
//! - An id of a wrong length, a string that is not UTF-8 (half a surrogate pair, too) and values nested beyond the limit
//!   come out so that admission rejects the item alone, as it does for protobuf.

pub(crate) mod base64;
mod hex;
mod logs;
mod message;
mod metrics;
mod schema;
mod strangers;
mod surroundings;
mod traces;

use crate::Signal;
pub use crate::json::JsonError;
pub use base64::encoded as in_base64;
use message::Transcoder;
pub use strangers::in_words;

/// Bounds on what is transcoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscodeLimits {
    /// Nesting of AnyValue, as [`crate::otlp::Limits::depth_max`] counts it: deeper values come out empty.
    pub depth_max: u32,
    /// Bytes of protobuf.
    pub bytes_max: usize,
}

/// Admission's own bound on nesting, whatever the limits say.
const DEPTH_CEILING: u32 = 256;

/// An ExportTraceServiceRequest in JSON as protobuf, which is always the shorter one. Repeated and singular fields are in
/// the order that [`crate::otlp::traces::scan`] wants.
pub fn transcode_traces(json: &[u8], limits: TranscodeLimits) -> Result<Vec<u8>, JsonError> {
    transcode_request(Signal::Traces, json, limits).map(|transcoded| transcoded.payload)
}

/// As [`transcode_traces`], of an ExportLogsServiceRequest.
pub fn transcode_logs(json: &[u8], limits: TranscodeLimits) -> Result<Vec<u8>, JsonError> {
    transcode_request(Signal::Logs, json, limits).map(|transcoded| transcoded.payload)
}

/// A signal's request, with what was passed over.
pub fn transcode_request(signal: Signal, json: &[u8], limits: TranscodeLimits) -> Result<Transcoded, JsonError> {
    let request = match signal {
        Signal::Traces => &traces::REQUEST,
        Signal::Logs => &logs::REQUEST,
        Signal::Metrics => &metrics::REQUEST,
    };
    Transcoder::new(json, limits).transcode(request)
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcoded {
    /// The protobuf.
    pub payload: Vec<u8>,
    /// Unknown keys around the items, and within them where another key was probably meant: the first few of those that were passed
    /// over. [`in_words`] says them.
    pub strangers: Vec<Stranger>,
}

/// A key that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The key.
    pub key: String,
    /// The one that was probably meant.
    pub meant: Option<&'static str>,
}

#[cfg(test)]
mod tests;
