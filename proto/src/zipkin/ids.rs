//! Ids as Zipkin writes them: up to 16 or 32 hex digits, shorter ones padded with zeros on the left.

use crate::json::{JsonError, Reader};

/// Reads an id of `N` bytes. A 64-bit trace id is the low half of one of 128 bits.
pub(super) fn read<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], JsonError> {
    let at = reader.position();
    let text = reader.string()?;
    padded(&text).ok_or_else(|| JsonError::value(at, "must be an id of at most 16 hex digits (32 for traceId)"))
}

fn padded<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.is_empty() || text.len() > 2 * N {
        return None;
    }
    let mut id = [0; N];
    for (position, digit) in text.iter().rev().enumerate() {
        let value = char::from(*digit).to_digit(16)? as u8;
        id[N - 1 - position / 2] |= value << (4 * (position % 2));
    }
    Some(id)
}
