//! Gathers, for one row group, the values of the table's columns that a segment has in another form.

use std::collections::HashMap;

use weir_proto::Signal;

use crate::columns::{Column, Kind, MapEntries, MapRows, Values};
use crate::segment::{
    SegmentError,
    attributes::ValueKind,
    body_end,
    chunk_reader::{Block, ChunkReader},
    json::{self, BadJson},
    json_entry,
    scan::{
        attribute::{quoted, write_text, write_word},
        gather::ChosenRows,
    },
    schema::lines,
};

/// A row group that is read whole.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// Of the segment.
    pub(super) reader: &'a ChunkReader<'a>,
    /// Its number.
    pub(super) number: usize,
    /// Its rows.
    pub(super) rows: u32,
}

impl Group<'_> {
    /// A column of it; `None` when no row has a value.
    pub(super) fn column(&self, column: usize) -> Result<Option<Block>, SegmentError> {
        if self.reader.is_empty(self.number, column) {
            return Ok(None);
        }
        self.reader.read(self.number, column, 0..self.rows).map(Some)
    }

    fn damaged(&self, column: usize, error: BadJson) -> SegmentError {
        let name = &self.reader.specs[column].name;
        SegmentError::damaged(format!("row group {}, column {name}: {error}", self.number))
    }

    /// Unix ns as µs. What is beyond 2262 is the last moment before.
    pub(super) fn micros(&self, column: usize, required: bool) -> Result<Column, SegmentError> {
        let mut out = Column::empty(Kind::Time, required);
        let Some(block) = self.column(column)? else { return Ok(out) };
        for at in 0..block.column.len() {
            out.push_word(block.row(at), block.column.word(at) / 1000);
        }
        Ok(out)
    }

    /// Numbers as words; those that have none, as digits.
    pub(super) fn words(&self, column: usize, words: &[&str]) -> Result<Column, SegmentError> {
        let mut out = Column::dense_bytes();
        let Some(block) = self.column(column)? else { return Ok(out) };
        for at in 0..block.column.len() {
            let number = block.column.word(at) as i64;
            match usize::try_from(number).ok().and_then(|number| words.get(number)) {
                Some(word) => out.push_bytes(block.row(at), word.as_bytes()),
                None => out.push_bytes(block.row(at), number.to_string().as_bytes()),
            }
        }
        Ok(out)
    }

    /// The first value of a key and type in a residual's texts.
    pub(super) fn residual(&self, residual: usize, key: &str, kind: ValueKind) -> Result<Column, SegmentError> {
        let column_kind = kind.column_kind().unwrap_or(Kind::Json);
        let mut out = Column::empty(column_kind, false);
        let Some(block) = self.column(residual)? else { return Ok(out) };
        let key = quoted(key);
        let finder = memchr::memmem::Finder::new(&key);
        for at in 0..block.column.len() {
            let text = block.column.bytes(at);
            if finder.find(text).is_none() {
                continue;
            }
            let found = json_entry::find(text, &key).map_err(|error| self.damaged(residual, error))?;
            let Some(value) = found.filter(|value| kind_of(value) == kind) else { continue };
            let mut plain = Vec::new();
            write_text(value, &mut plain).map_err(|error| self.damaged(residual, error))?;
            match (kind, std::str::from_utf8(&plain)) {
                (ValueKind::Text, Ok(_)) => out.push_bytes(block.row(at), &plain),
                (ValueKind::Bool, Ok(text)) => out.push_word(block.row(at), u64::from(text == "true")),
                (ValueKind::Int, Ok(text)) => out.push_word(block.row(at), text.parse::<i64>().unwrap_or(0) as u64),
                (ValueKind::Double, Ok(text)) => {
                    out.push_word(block.row(at), text.parse::<f64>().unwrap_or(f64::NAN).to_bits());
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// Every attribute that has no column in the table: of columns of the segment, and of the residual but for those of `taken`, by
    /// key and type, whose first value has its column.
    pub(super) fn others(
        &self,
        columns: &[(usize, String)],
        residual: usize,
        taken: &[(String, ValueKind)],
    ) -> Result<MapRows, SegmentError> {
        let mut entries = MapEntries::default();
        for (number, key) in columns {
            if let Some(block) = self.column(*number)? {
                let key = entries.key(key.as_bytes());
                add_column(&mut entries, key, self.reader.specs[*number].kind, &block);
            }
        }
        if self.reader.table.signal == Signal::Logs && residual == lines::ATTRIBUTES_OTHER {
            let ends = body_end::read(self.reader, self.number, &ChosenRows::All(self.rows))?;
            let key = entries.key(body_end::KEY.as_bytes());
            for at in 0..ends.len() {
                let text = entries.value(ends.bytes(at));
                entries.push(ends.row(at), key, Some(text));
            }
        }
        let residual_block = self.column(residual)?;
        let may_repeat = residual_block.is_some();
        if let Some(block) = residual_block {
            add_residual(&mut entries, &block, taken).map_err(|error| self.damaged(residual, error))?;
        }
        Ok(entries.by_row(self.rows, may_repeat))
    }
}

fn add_column(entries: &mut MapEntries, key: u32, kind: Kind, block: &Block) {
    const UNKNOWN: u32 = u32::MAX;
    match &block.column.values {
        Values::Bytes { codes, dictionary } => {
            let mut known = vec![UNKNOWN; dictionary.len()];
            for (at, &code) in codes.iter().enumerate() {
                let known = &mut known[code as usize];
                if *known == UNKNOWN {
                    *known = entries.value(dictionary.get(code));
                }
                entries.push(block.row(at), key, Some(*known));
            }
        }
        Values::Words(words) => {
            let mut known: HashMap<u64, u32> = HashMap::new();
            let mut text = Vec::new();
            let mut last = None;
            for (at, &word) in words.iter().enumerate() {
                let code = match last {
                    Some((before, code)) if before == word => code,
                    _ => *known.entry(word).or_insert_with(|| {
                        text.clear();
                        write_word(kind, word, &mut text);
                        entries.value(&text)
                    }),
                };
                last = Some((word, code));
                entries.push(block.row(at), key, Some(code));
            }
        }
    }
}

/// The entries of one text: key and value.
type Found = Vec<(u32, Option<u32>)>;

fn add_residual(entries: &mut MapEntries, block: &Block, taken: &[(String, ValueKind)]) -> Result<(), BadJson> {
    let Values::Bytes { codes, dictionary } = &block.column.values else { return Ok(()) };
    // Each distinct text is taken apart once.
    let mut known: Vec<Option<Found>> = vec![None; dictionary.len()];
    for (at, &code) in codes.iter().enumerate() {
        let known = &mut known[code as usize];
        let found = match known {
            Some(found) => found,
            None => known.insert(take_apart(entries, dictionary.get(code), taken)?),
        };
        for &(key, value) in found.iter() {
            entries.push(block.row(at), key, value);
        }
    }
    Ok(())
}

fn take_apart(entries: &mut MapEntries, text: &[u8], taken: &[(String, ValueKind)]) -> Result<Found, BadJson> {
    let mut raw = Vec::new();
    json_entry::for_each(text, |key, value| {
        raw.push((key, value));
        true
    })?;
    let mut found = Found::new();
    let mut seen: Vec<usize> = Vec::new();
    let mut plain = Vec::new();
    for (key, value) in raw {
        let key = json::Reader::new(key).string()?;
        let of_column = taken.iter().position(|(taken, kind)| *taken == key && *kind == kind_of(value));
        if let Some(column) = of_column
            && !seen.contains(&column)
        {
            seen.push(column);
            continue;
        }
        plain.clear();
        let value = write_text(value, &mut plain)?.then(|| entries.value(&plain));
        found.push((entries.key(key.as_bytes()), value));
    }
    Ok(found)
}

/// The type of a value in canonical JSON.
fn kind_of(value: &[u8]) -> ValueKind {
    match value.first() {
        Some(b'"') => ValueKind::Text,
        Some(b't' | b'f') => ValueKind::Bool,
        Some(b'n') | None => ValueKind::Empty,
        Some(b'{') if value.starts_with(b"{\"$double\"") => ValueKind::Double,
        Some(b'{' | b'[') => ValueKind::Json,
        Some(_) if value.iter().any(|byte| matches!(byte, b'.' | b'e')) => ValueKind::Double,
        Some(_) => ValueKind::Int,
    }
}
