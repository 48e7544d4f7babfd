//! What is asked of a payload's items beside the wire format, and what may be wrong with one or with all of them.

use super::wire::WireError;

/// What is asked of each item beside the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Bytes from outside: UTF-8, nesting and attribute counts are checked item by item.
    Admission(Limits),
    /// Bytes that passed admission before.
    Journalled,
}

/// Bounds on a span or log record. One that breaks them is rejected alone; of too many attributes
/// [`with_attributes_max`](super::with_attributes_max) leaves the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of AnyValue: an attribute's own value, or a body, is at depth 1, an element of its array at depth 2. Above 256 it
    /// counts as 256.
    pub depth_max: u32,
    /// Attributes of an item, and of each of its events and links, and of its resource and scope.
    pub attributes_max: u32,
    /// Encoded bytes of one item.
    pub span_bytes_max: u32,
}

/// Why one item is unusable though the message is well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFault {
    /// A string of the item, its scope or resource is not UTF-8.
    InvalidUtf8,
    /// AnyValues nested deeper than [`Limits::depth_max`]; what lies deeper was not looked at.
    TooDeep,
    /// More attributes than [`Limits::attributes_max`].
    TooManyAttributes,
    /// More bytes than [`Limits::span_bytes_max`].
    TooLarge,
}

/// Why a scan ends early. Items may have been handed out before: what was gathered from them is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not the request that it should be: refuse it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Valid protobuf that views cannot show in one pass (a singular message field twice): pass the payload through `canonical` and scan
    /// again. No known exporter writes such bytes.
    #[error("a field that is there once is given twice")]
    NotCanonical,
}

/// Decodes and encodes again with prost, which merges repeated fields and orders them. Unknown fields are lost.
///
/// Refuses what prost refuses: beside malformed bytes, any string that is not UTF-8 and messages nested deeper than 100.
pub(super) fn canonical<M: prost::Message + Default>(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    match M::decode(payload) {
        Ok(request) => Ok(request.encode_to_vec()),
        Err(_) => {
            Err(WireError::Malformed { at: 0, what: "cannot be merged: malformed, not UTF-8 or nested too deep" })
        }
    }
}
