//! The protobuf wire format: a cursor over tags, varints and lengths.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. Where the specification leaves room (overlong varints, tags beyond 32 bits,
//! groups) the cursor accepts and refuses what prost does.

mod cursor;
mod repeated;
mod writer;

pub(crate) use cursor::Cursor;
pub(crate) use repeated::{Occurrences, Repeated, RepeatedIter};
pub use writer::{OpenMessage, Writer};

/// Bytes that are not protobuf, or not the message they should be. The whole request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length or a number reaches past the end.
    #[error("truncated at byte {at}")]
    Truncated {
        /// Where.
        at: usize,
    },
    /// A tag that no encoder writes: field 0, a reserved wire type, an endless varint, a wrong wire type for the field.
    #[error("not protobuf at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl WireError {
    /// A cursor knows only the address where it stopped; this makes it a position in `payload`, of which the cursor walked a part.
    pub(crate) fn within(self, payload: &[u8]) -> Self {
        let start = payload.as_ptr().addr();
        match self {
            Self::Truncated { at } => Self::Truncated { at: at.wrapping_sub(start) },
            Self::Malformed { at, what } => Self::Malformed { at: at.wrapping_sub(start), what },
        }
    }
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// The key of a varint field.
pub(crate) const fn varint_key(field: u32) -> u32 {
    field << 3 | VARINT
}

/// The key of a fixed64 or double field.
pub(crate) const fn fixed64_key(field: u32) -> u32 {
    field << 3 | FIXED64
}

/// The key of a string, bytes or message field.
pub(crate) const fn bytes_key(field: u32) -> u32 {
    field << 3 | LENGTH_DELIMITED
}

/// The key of a fixed32 field.
pub(crate) const fn fixed32_key(field: u32) -> u32 {
    field << 3 | FIXED32
}
