//! One pass over an ExportTraceServiceRequest: validates it and yields a view of each span.
//!
//! Views borrow from the payload and allocate nothing. Strings are bytes: the scan checks UTF-8 once at admission
//! ([`Checks::Admission`]); readers of journalled payloads trust the frame's checksum ([`Checks::Journalled`]).

mod admission;
mod attributes;
mod chosen;
mod events;
mod key_set;
mod links;
mod message;
mod resource;
mod rewrite;
mod scan;
mod span;
mod trim;
mod views;

use prost::Message;

pub use attributes::{AttributeView, Attributes, RawAttribute, ValueView, array_values, key_values};
pub use chosen::scan_chosen;
pub use events::{EventView, Events};
pub use key_set::KeySet;
pub use links::{LinkView, Links};
pub use resource::UNKNOWN_SERVICE;
pub use rewrite::Rewriter;
pub use scan::scan;
pub use trim::with_attributes_max;
pub use views::{ResourceView, ScannedSpan, ScopeView, SpanView};

use super::{messages::collector::trace::v1::ExportTraceServiceRequest, wire::WireError};

/// What is asked of each span beside the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Bytes from outside: UTF-8, nesting and attribute counts are checked span by span.
    Admission(Limits),
    /// Bytes that passed admission before.
    Journalled,
}

/// Bounds on a span. One that breaks them is rejected alone; of too many attributes [`with_attributes_max`] leaves the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of AnyValue: an attribute's own value is at depth 1, an element of its array at depth 2. Above 256 it
    /// counts as 256.
    pub depth_max: u32,
    /// Attributes of a span, and of each of its events and links, and of its resource and scope.
    pub attributes_max: u32,
    /// Encoded bytes of one span.
    pub span_bytes_max: u32,
}

/// Why one span is unusable though the message is well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanFault {
    /// A string of the span, its scope or resource is not UTF-8.
    InvalidUtf8,
    /// AnyValues nested deeper than [`Limits::depth_max`]; what lies deeper was not looked at.
    TooDeep,
    /// More attributes than [`Limits::attributes_max`].
    TooManyAttributes,
    /// More bytes than [`Limits::span_bytes_max`].
    TooLarge,
}

/// Why a scan ends early. `on_span` may have been called before: what it gathered is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not an ExportTraceServiceRequest: refuse the request.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Valid protobuf in a shape that views cannot show in one pass (a singular message field twice, a resource after its spans):
    /// pass the payload through [`canonical`] and scan again. No known exporter writes such bytes.
    #[error("unusual field order")]
    NotCanonical,
}

/// Decodes and encodes again with prost, which merges repeated fields and orders them. Unknown fields are lost.
///
/// Refuses what prost refuses: beside malformed bytes, any string that is not UTF-8 and messages nested deeper than 100.
pub fn canonical(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    match ExportTraceServiceRequest::decode(payload) {
        Ok(request) => Ok(request.encode_to_vec()),
        Err(_) => {
            Err(WireError::Malformed { at: 0, what: "cannot be merged: malformed, not UTF-8 or nested too deep" })
        }
    }
}

#[cfg(test)]
mod tests;
