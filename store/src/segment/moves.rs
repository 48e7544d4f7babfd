//! Moves attributes between residuals and columns of their own when segments are merged.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use weir_proto::otlp::messages::common::v1::any_value::Value;

use super::{
    SegmentError,
    attributes::ValueKind,
    chunk_reader::{Block, ChunkReader},
    json::{self, Reader},
    promotion::{TypedKey, write_entry},
};
use crate::columns::Column;

/// What one input must move, for its spans' or its resources' attributes.
#[derive(Debug)]
pub(super) struct Moves {
    /// Keys that leave the residual, with the input's own column of that key and type (whose values stay first).
    pub(super) promoted: HashMap<TypedKey, Option<usize>>,
    /// Columns of the input that go to the residual.
    pub(super) demoted: Vec<(TypedKey, usize)>,
    /// The residual's column.
    pub(super) residual: usize,
}

/// What moved in a run of rows of a row group.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Values for columns: rows and values, by key.
    pub(super) to_columns: BTreeMap<TypedKey, Column>,
    /// The residual's new texts.
    pub(super) residual: Vec<(u32, Vec<u8>)>,
    /// Promoted keys that had to stay in the residual: repeats.
    pub(super) kept: BTreeMap<TypedKey, u64>,
}

impl Moves {
    /// Reads what moves in `rows`.
    pub(super) fn read(&self, reader: &ChunkReader<'_>, group: usize, rows: Range<u32>) -> Result<Moved, SegmentError> {
        let mut moved = Moved::default();
        let mut texts: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut taken = HashMap::new();
        for (key, column) in &self.promoted {
            if let Some(column) = column.filter(|&column| !reader.is_empty(group, column)) {
                taken.insert(key, reader.read(group, column, rows.clone())?);
            }
        }
        if !reader.is_empty(group, self.residual) {
            let block = reader.read(group, self.residual, rows.clone())?;
            for position in positions(&block, &rows) {
                let (row, text) = (block.row(position), block.column.bytes(position));
                self.split(row, text, &taken, &mut moved, texts.entry(row).or_default()).map_err(|error| {
                    let name = &reader.specs[self.residual].name;
                    SegmentError::damaged(format!("row group {group}, column {name}: {error}"))
                })?;
            }
        }
        for ((key, kind), column) in &self.demoted {
            if reader.is_empty(group, *column) {
                continue;
            }
            let block = reader.read(group, *column, rows.clone())?;
            for position in positions(&block, &rows) {
                let text = texts.entry(block.row(position)).or_default();
                text.push(b',');
                write_entry(key, *kind, &block.column, position, text);
            }
        }
        // Each text so far is entries with a comma before each.
        for (row, mut text) in texts {
            if let Some(first) = text.first_mut() {
                *first = b'{';
                text.push(b'}');
                moved.residual.push((row, text));
            }
        }
        Ok(moved)
    }

    /// Takes a residual's text apart: entries with a column go there, the others to `kept`.
    fn split(
        &self,
        row: u32,
        text: &[u8],
        taken: &HashMap<&TypedKey, Block>,
        moved: &mut Moved,
        kept: &mut Vec<u8>,
    ) -> Result<(), json::BadJson> {
        let mut reader = Reader::new(text);
        reader.fields(|reader, key| {
            let start = reader.position();
            let value = reader.value()?.value;
            let raw = &text[start..reader.position()];
            let typed = (key.into_bytes(), kind_of(value.as_ref()));
            let has_column = self.promoted.contains_key(&typed);
            let is_taken = taken.get(&typed).is_some_and(|block| block.position(row).is_some());
            if has_column && !is_taken {
                let column = moved.to_columns.entry(typed.clone()).or_insert_with(|| match typed.1 {
                    ValueKind::Text | ValueKind::Json => Column::sparse_bytes(),
                    _ => Column::sparse_words(),
                });
                if column.len() == 0 || column.row(column.len() - 1) != row {
                    match value {
                        Some(Value::StringValue(text)) => column.push_bytes(row, text.as_bytes()),
                        Some(Value::BoolValue(value)) => column.push_word(row, u64::from(value)),
                        Some(Value::IntValue(value)) => column.push_word(row, value as u64),
                        Some(Value::DoubleValue(value)) => column.push_word(row, value.to_bits()),
                        _ => column.push_bytes(row, raw),
                    }
                    return Ok(());
                }
            }
            kept.push(b',');
            json::write_text(&typed.0, kept);
            kept.push(b':');
            kept.extend_from_slice(raw);
            if has_column {
                *moved.kept.entry(typed).or_default() += 1;
            }
            Ok(())
        })?;
        reader.end()
    }
}

/// The positions of a block's values in `rows`.
pub(super) fn positions(block: &Block, rows: &Range<u32>) -> Range<usize> {
    match &block.column.rows {
        None => (rows.start - block.first) as usize..(rows.end - block.first) as usize,
        Some(present) => {
            present.partition_point(|&row| row < rows.start)..present.partition_point(|&row| row < rows.end)
        }
    }
}

fn kind_of(value: Option<&Value>) -> ValueKind {
    match value {
        None => ValueKind::Empty,
        Some(Value::StringValue(_)) => ValueKind::Text,
        Some(Value::BoolValue(_)) => ValueKind::Bool,
        Some(Value::IntValue(_)) => ValueKind::Int,
        Some(Value::DoubleValue(_)) => ValueKind::Double,
        Some(_) => ValueKind::Json,
    }
}
