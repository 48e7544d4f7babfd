//! The attribute `message` where it is what the body ends with: kept as the place in the body where it begins.
//!
//! So it is with syslog, whose line is the body and what it says the attribute: kept twice it would be most of what such lines take.

use weir_proto::{
    Signal,
    otlp::{RawAttribute, ValueView},
};

use super::{
    Segment, SegmentError,
    chunk_reader::ChunkReader,
    scan::{
        bodies,
        gather::{self, ChosenRows},
    },
    schema::lines,
};
use crate::columns::{Column, Dictionary, Values};

/// The attribute's key.
pub(super) const KEY: &str = "message";

/// What an encoded attribute of this key begins with: field 1, and its length.
const ENCODED: &[u8] = b"\x0a\x07message";

/// Where in the body an encoded attribute begins; `None` for one that is not its end.
#[inline]
pub(super) fn place_of(encoded: &[u8], body: &[u8]) -> Option<usize> {
    if !encoded.starts_with(ENCODED) {
        return None;
    }
    let ValueView::Str(text) = RawAttribute::read(encoded)?.view()?.value else { return None };
    let at = body.len().checked_sub(text.len())?;
    (!text.is_empty() && body[at..] == *text).then_some(at)
}

/// Whether rows of a segment have it so.
pub(super) fn is_in(segment: &Segment) -> bool {
    segment.table().signal == Signal::Logs && segment.value_count(lines::MESSAGE_AT) > 0
}

/// The texts of these rows that have it so; rows count from 0 afterwards.
pub(super) fn read(reader: &ChunkReader<'_>, group: usize, rows: &ChosenRows) -> Result<Column, SegmentError> {
    let places = gather::read(reader, group, lines::MESSAGE_AT, rows)?;
    let (mut with_it, mut texts) = (Vec::with_capacity(places.len()), Dictionary::plain());
    let bodies = if places.len() == 0 { Column::sparse_bytes() } else { bodies::read(reader, group, rows)? };
    let mut next = 0;
    for at in 0..places.len() {
        let row = places.row(at);
        while next < bodies.len() && bodies.row(next) < row {
            next += 1;
        }
        let body = (next < bodies.len() && bodies.row(next) == row).then(|| bodies.bytes(next));
        let text = body.and_then(|body| body.get(places.word(at) as usize..));
        let damaged = || SegmentError::damaged(format!("row group {group}, column message_at: beyond the body"));
        texts.push(text.ok_or_else(damaged)?);
        with_it.push(row);
    }
    let codes = (0..texts.len() as u32).collect();
    Ok(Column { rows: Some(with_it), values: Values::Bytes { codes, dictionary: texts } })
}
