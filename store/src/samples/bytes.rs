//! The small parts that samples are written with: signed numbers, floats, texts.

use super::chunk::{unzigzag, zigzag};
use crate::journal::{Fields, put_varint};

/// Appends a number of either sign.
pub(crate) fn put_signed(into: &mut Vec<u8>, number: i64) {
    put_varint(into, zigzag(number));
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Appends a float's bits.
pub(crate) fn put_float(into: &mut Vec<u8>, value: f64) {
    into.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// What [`put_signed`] wrote.
pub(crate) fn signed(fields: &mut Fields<'_>) -> Option<i64> {
    fields.varint().map(unzigzag)
}

/// What [`put_bytes`] wrote.
pub(crate) fn sized<'a>(fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let len = fields.varint_u32()?;
    fields.bytes(len as usize)
}

/// A text written by [`put_bytes`].
pub(crate) fn text<'a>(fields: &mut Fields<'a>) -> Option<&'a str> {
    std::str::from_utf8(sized(fields)?).ok()
}

/// What [`put_float`] wrote.
pub(crate) fn float(fields: &mut Fields<'_>) -> Option<f64> {
    fields.u64().map(f64::from_bits)
}

/// A count of things of at least `bytes_min` bytes each: no more than can be there, so that memory may be taken for them.
pub(crate) fn count(fields: &mut Fields<'_>, bytes_min: usize) -> Option<usize> {
    let count = usize::try_from(fields.varint()?).ok()?;
    (count <= fields.0.len() / bytes_min.max(1)).then_some(count)
}
