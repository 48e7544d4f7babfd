//! Attributes of lines that only the fields of their bodies tell: which these are, and what they are as columns where they need some.

use std::ops::Range;

use super::{
    attributes::{AttributeColumn, AttributeTable, ValueKind},
    body_fields::BodyFields,
    field_column::{FieldColumn, RowIds, int_of},
};
use crate::columns::{Column, Dictionary, Kind, Values};

/// Which values of a field are attributes of their lines, too: their positions in its column.
#[derive(Debug, Default)]
pub(super) struct Told {
    texts: Vec<Range<u32>>,
    /// Whole numbers and booleans.
    words: Vec<Range<u32>>,
}

impl Told {
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.words.clear();
    }

    /// Adds a value, behind those that were added before.
    #[inline]
    pub(super) fn add(&mut self, position: u32, is_word: bool) -> bool {
        let ranges = if is_word { &mut self.words } else { &mut self.texts };
        match ranges.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            _ => ranges.push(position..position + 1),
        }
        true
    }

    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.words.is_empty()
    }

    /// Whether all of so many values are told, and are of the kind that the column has.
    fn is_all_of(&self, kind: Kind, rows: u64) -> bool {
        let all = 0..rows as u32;
        match kind {
            Kind::Text => self.texts == [all] && self.words.is_empty(),
            Kind::Int64 | Kind::Bool => self.words == [all] && self.texts.is_empty(),
            _ => false,
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        8 * (self.texts.capacity() + self.words.capacity()) as u64
    }
}

/// What becomes of attributes that only fields tell.
#[derive(Debug, Default)]
pub(super) struct ToldAttributes {
    /// Keys of those that are the fields' columns, sorted.
    pub(super) as_fields: Vec<String>,
    /// The others, together with those of their key and type that lines have written out.
    pub(super) columns: Vec<AttributeColumn>,
}

impl ToldAttributes {
    /// Of these fields, of which `listed` says which have a column, beside attributes that are written out.
    pub(super) fn of(fields: &[FieldColumn], listed: &BodyFields, ids: &RowIds<'_>, written: &AttributeTable) -> Self {
        let mut told = Self::default();
        for field in fields.iter().filter(|field| !field.told.is_empty()) {
            let name = String::from_utf8_lossy(&field.name).into_owned();
            let is_written =
                written.overflow.len() > 0 || written.columns.iter().any(|column| column.key == field.name);
            let has_column = listed.named(&name).is_some_and(|listed| listed.column);
            if has_column && !is_written && field.told.is_all_of(field.kind, field.rows) {
                told.as_fields.push(name);
                continue;
            }
            for (kind, column) in columns_of(field, ids) {
                let same = |one: &&AttributeColumn| one.kind == kind && one.key == field.name;
                let column = match written.columns.iter().find(same) {
                    Some(written) => merged(&written.column, &column),
                    None => column,
                };
                told.columns.push(AttributeColumn { key: field.name.clone(), kind, column });
            }
        }
        told.as_fields.sort_unstable();
        told
    }
}

/// The attributes that a field tells, by their types.
fn columns_of(field: &FieldColumn, ids: &RowIds<'_>) -> Vec<(ValueKind, Column)> {
    let values = field.values(ids);
    let rows_of = |ranges: &[Range<u32>]| -> Vec<u32> {
        let positions = ranges.iter().cloned().flatten();
        positions.map(|position| values.row(position as usize)).collect()
    };
    let Told { texts, words } = &field.told;
    let mut columns = Vec::new();
    match &values.values {
        Values::Words(all) => {
            let kind = if field.kind == Kind::Bool { ValueKind::Bool } else { ValueKind::Int };
            let chosen = words.iter().flat_map(|range| &all[range.start as usize..range.end as usize]).copied();
            columns.push((kind, Column { rows: Some(rows_of(words)), values: Values::Words(chosen.collect()) }));
        }
        Values::Bytes { codes, dictionary } => {
            if !texts.is_empty() {
                let codes = texts.iter().flat_map(|range| &codes[range.start as usize..range.end as usize]).copied();
                let values = Values::Bytes { codes: codes.collect(), dictionary: dictionary.clone() };
                columns.push((ValueKind::Text, Column { rows: Some(rows_of(texts)), values }));
            }
            columns.extend(words_of(&values, words));
        }
    }
    columns
}

/// Numbers and booleans out of texts.
fn words_of(values: &Column, words: &[Range<u32>]) -> impl Iterator<Item = (ValueKind, Column)> {
    let (mut ints, mut bools) = (Column::sparse_words(), Column::sparse_words());
    for position in words.iter().cloned().flatten().map(|position| position as usize) {
        let (row, text) = (values.row(position), values.bytes(position));
        match int_of(text) {
            Some(int) => ints.push_word(row, int as u64),
            None => bools.push_word(row, u64::from(text == b"true")),
        }
    }
    let both = [(ValueKind::Int, ints), (ValueKind::Bool, bools)];
    both.into_iter().filter(|(_, column)| column.len() > 0)
}

/// The values of both, in the order of their rows.
fn merged(a: &Column, b: &Column) -> Column {
    let mut out = match &a.values {
        Values::Words(_) => Column::sparse_words(),
        Values::Bytes { .. } => Column {
            rows: Some(Vec::new()),
            values: Values::Bytes { codes: Vec::new(), dictionary: Dictionary::new() },
        },
    };
    let (mut at_a, mut at_b) = (0, 0);
    while at_a < a.len() || at_b < b.len() {
        let is_a = at_b == b.len() || at_a < a.len() && a.row(at_a) <= b.row(at_b);
        let (from, at) = if is_a { (a, &mut at_a) } else { (b, &mut at_b) };
        match &from.values {
            Values::Words(words) => out.push_word(from.row(*at), words[*at]),
            Values::Bytes { .. } => out.push_bytes(from.row(*at), from.bytes(*at)),
        }
        *at += 1;
    }
    out
}
