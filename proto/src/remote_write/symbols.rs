//! Version 2's texts: each once, referred to by number.

use crate::otlp::wire::{Cursor, WireError, bytes_key, varint_key};

const SYMBOL: u32 = bytes_key(4);

/// Where a request's texts lie.
#[derive(Debug)]
pub(super) struct Symbols<'a> {
    payload: &'a [u8],
    /// Begin and end of each. Half of what slices would take: a hostile request has many and short ones.
    places: Vec<(u32, u32)>,
}

impl<'a> Symbols<'a> {
    /// Passes over the request once: texts may stand behind what refers to them.
    pub(super) fn of(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut places = Vec::new();
        let mut cursor = Cursor::new(payload);
        while !cursor.is_empty() {
            match cursor.key()? {
                SYMBOL => {
                    let text = cursor.bytes()?;
                    let end = payload.len() - cursor.left();
                    places.push(((end - text.len()) as u32, end as u32));
                }
                other => cursor.skip(other)?,
            }
        }
        Ok(Self { payload, places })
    }

    /// A text of a family's description; a word on what is wrong with the reference.
    pub(super) fn described(&self, what: &str, number: u64) -> Result<&'a [u8], String> {
        let size = self.places.len();
        self.get(number).ok_or_else(|| format!("metadata {what} {number} outside of symbols table (size {size})"))
    }

    pub(super) fn get(&self, number: u64) -> Option<&'a [u8]> {
        let (begin, end) = *self.places.get(usize::try_from(number).ok()?)?;
        Some(&self.payload[begin as usize..end as usize])
    }

    /// References in pairs, as labels; a word on what is wrong with them.
    pub(super) fn labels(&self, references: &[u64], into: &mut Vec<(&'a [u8], &'a [u8])>) -> Option<String> {
        if !references.len().is_multiple_of(2) {
            return Some(format!("invalid labelRefs length {}", references.len()));
        }
        for pair in references.chunks_exact(2) {
            let (Some(name), Some(value)) = (self.get(pair[0]), self.get(pair[1])) else {
                let (name, value, size) = (pair[0], pair[1], self.places.len());
                return Some(format!(
                    "labelRefs {name} (name) = {value} (value) outside of symbols table (size {size})"
                ));
            };
            into.push((name, value));
        }
        None
    }
}

/// A repeated number, packed or not: the field whose key was just read.
pub(super) fn numbers(cursor: &mut Cursor<'_>, key: u32, field: u32, into: &mut Vec<u64>) -> Result<(), WireError> {
    if key == varint_key(field) {
        into.push(cursor.varint()?);
        return Ok(());
    }
    let mut packed = Cursor::new(cursor.bytes()?);
    while !packed.is_empty() {
        into.push(packed.varint()?);
    }
    Ok(())
}
