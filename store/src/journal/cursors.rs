//! Where sources stand: by source the newest cursor, as frames carry them and the catalog keeps them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::varint::{Fields, put_varint};

/// The version of the encoded form.
const VERSION: u8 = 1;

/// By source, what it needs to go on behind the items that were journalled last. The store does not look into either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceCursors(BTreeMap<Bytes, Bytes>);

impl SourceCursors {
    /// Sets where a source stands; an empty cursor says that the source is gone.
    pub fn set(&mut self, source: impl Into<Bytes>, cursor: impl Into<Bytes>) {
        self.0.insert(source.into(), cursor.into());
    }

    /// Where a source stands; `None` when nobody knows, empty when it is gone.
    pub fn get(&self, source: &[u8]) -> Option<&Bytes> {
        self.0.get(source)
    }

    /// The sources that are not gone, with their cursors.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().filter(|(_, cursor)| !cursor.is_empty())
    }

    /// Every change, sources that are gone included.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what came later.
    pub(crate) fn add(&mut self, later: &Self) {
        for (source, cursor) in &later.0 {
            self.0.insert(source.clone(), cursor.clone());
        }
    }

    /// Forgets the sources that are gone: nothing before tells of them.
    pub(crate) fn settle(&mut self) {
        self.0.retain(|_, cursor| !cursor.is_empty());
    }

    /// As a frame's header keeps them (docs/formats.md, Journal, Source cursor); empty when there are none.
    pub fn encode(&self) -> Bytes {
        if self.0.is_empty() {
            return Bytes::new();
        }
        let mut buffer = vec![VERSION];
        for (source, cursor) in &self.0 {
            put_varint(&mut buffer, source.len() as u64);
            buffer.extend_from_slice(source);
            put_varint(&mut buffer, cursor.len() as u64);
            buffer.extend_from_slice(cursor);
        }
        buffer.into()
    }

    /// Takes over what a later frame says. One of a version that is not known, or that makes no sense, says nothing: answers whether
    /// it did.
    pub(crate) fn add_encoded(&mut self, encoded: &[u8]) -> bool {
        let Some((&VERSION, rest)) = encoded.split_first() else { return encoded.is_empty() };
        let mut fields = Fields(rest);
        while !fields.0.is_empty() {
            let Some((source, cursor)) = entry(&mut fields) else { return false };
            self.set(Bytes::copy_from_slice(source), Bytes::copy_from_slice(cursor));
        }
        true
    }
}

fn entry<'a>(fields: &mut Fields<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let source_bytes = fields.varint_u32()?;
    let source = fields.bytes(source_bytes as usize)?;
    let cursor_bytes = fields.varint_u32()?;
    Some((source, fields.bytes(cursor_bytes as usize)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut first = SourceCursors::default();
        assert!(first.encode().is_empty());
        first.set("a", "1");
        first.set("b", "2");
        let mut second = SourceCursors::default();
        second.set("b", "");
        second.set("c", vec![7; 300]);
        let mut known = SourceCursors::default();
        assert!(known.add_encoded(&[]) && known.add_encoded(&first.encode()) && known.add_encoded(&second.encode()));
        assert_eq!(known.iter().map(|(source, _)| &source[..]).collect::<Vec<_>>(), [b"a", b"c"]);
        assert_eq!(known.get(b"b"), Some(&Bytes::new()));
        let mut added = first.clone();
        added.add(&second);
        assert_eq!(added, known);
        added.settle();
        assert_eq!(added.get(b"b"), None);
    }

    #[test]
    fn what_is_cut_off_says_nothing_more() {
        let mut cursors = SourceCursors::default();
        cursors.set("source", "cursor");
        let encoded = cursors.encode();
        for cut in 2..encoded.len() {
            assert!(!SourceCursors::default().add_encoded(&encoded[..cut]), "{cut}");
        }
        assert!(!SourceCursors::default().add_encoded(&[2, 0, 0]), "a version that is not known");
    }
}
