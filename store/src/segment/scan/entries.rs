//! Attributes as JSON objects: their entries, sorted by key.

use crate::columns::{Column, Kind};
use crate::segment::json;

/// Writes `"key":value` entries as an object, sorted by key; false when there are none.
pub(super) fn write_sorted(entries: &mut [(Vec<u8>, Vec<u8>)], out: &mut Vec<u8>) -> bool {
    out.clear();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in entries.iter() {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.extend_from_slice(key);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    !entries.is_empty()
}

/// Writes a value of a column of attributes.
pub(super) fn write_json(kind: Kind, column: &Column, at: usize, out: &mut Vec<u8>) {
    match kind {
        Kind::Text => json::write_text(column.bytes(at), out),
        Kind::Json => out.extend_from_slice(column.bytes(at)),
        Kind::Bool => json::write_bool(column.word(at) != 0, out),
        Kind::Double => json::write_double(f64::from_bits(column.word(at)), out),
        _ => json::write_display(&(column.word(at) as i64), out),
    }
}
