//! Attributes in columns: one for each key and type that appears.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use weir_proto::otlp::traces::{AttributeView, RawAttribute, ValueView};

use super::{json, shapes::Shapes};
use crate::columns::{Column, Kind};

/// Most keys (with types) that get a column while a segment is built; further ones go to [`AttributeTable::overflow`].
const COLUMNS_MAX: usize = 16_384;

/// The type of a value, as columns have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ValueKind {
    /// A string.
    Text,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// A double.
    Double,
    /// An array, a key-value list or bytes, as JSON text.
    Json,
    /// No value.
    Empty,
}

impl ValueKind {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [Self::Text, Self::Bool, Self::Int, Self::Double, Self::Json, Self::Empty];

    /// Of a value.
    pub(super) fn of(value: &ValueView<'_>) -> Self {
        match value {
            ValueView::Empty => Self::Empty,
            ValueView::Str(_) => Self::Text,
            ValueView::Bool(_) => Self::Bool,
            ValueView::Int(_) => Self::Int,
            ValueView::Double(_) => Self::Double,
            ValueView::Array(_) | ValueView::KvList(_) | ValueView::Bytes(_) => Self::Json,
        }
    }

    /// Its name in manifests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Json => "json",
            Self::Empty => "empty",
        }
    }

    /// The column's kind; empty values have none.
    pub(super) fn column_kind(self) -> Option<Kind> {
        match self {
            Self::Text => Some(Kind::Text),
            Self::Bool => Some(Kind::Bool),
            Self::Int => Some(Kind::Int64),
            Self::Double => Some(Kind::Double),
            Self::Json => Some(Kind::Json),
            Self::Empty => None,
        }
    }
}

/// The values of one key and type.
#[derive(Debug)]
pub(super) struct AttributeColumn {
    /// The key.
    pub(super) key: Box<[u8]>,
    /// The type.
    pub(super) kind: ValueKind,
    /// The values. A row may have several: a key may come twice.
    pub(super) column: Column,
}

/// The columns of a table, and of what else there is.
#[derive(Debug)]
pub(super) struct AttributeColumns<'a> {
    pub(super) columns: Vec<&'a AttributeColumn>,
    pub(super) overflow: &'a Column,
}

/// The value of a body's member, as an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum MemberValue<'a> {
    Empty,
    Int(i64),
    Double(f64),
    Text(&'a [u8]),
    Json(&'a [u8]),
}

impl MemberValue<'_> {
    fn kind(&self) -> ValueKind {
        match self {
            Self::Empty => ValueKind::Empty,
            Self::Int(_) => ValueKind::Int,
            Self::Double(_) => ValueKind::Double,
            Self::Text(_) => ValueKind::Text,
            Self::Json(_) => ValueKind::Json,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => out.extend_from_slice(b"null"),
            Self::Int(int) => json::write_display(int, out),
            Self::Double(double) => json::write_double(*double, out),
            Self::Text(text) => json::write_text(text, out),
            Self::Json(text) => out.extend_from_slice(text),
        }
    }
}

/// Attributes of rows added in order.
#[derive(Debug)]
pub(super) struct AttributeTable {
    /// By key and type, in the order of first appearance.
    pub(super) columns: Vec<AttributeColumn>,
    /// Entries of keys beyond [`COLUMNS_MAX`], as JSON `"key":value`.
    pub(super) overflow: Column,
    by_key: HashTable<u32>,
    hasher: RandomState,
    shapes: Shapes,
    /// Empty columns of the segment before, by key: the next one's are of about the same size.
    spare: HashMap<Box<[u8]>, AttributeColumn, RandomState>,
    text: Vec<u8>,
}

impl AttributeTable {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            columns: Vec::new(),
            overflow: Column::sparse_bytes(),
            by_key: HashTable::new(),
            hasher: RandomState::default(),
            shapes: Shapes::new(),
            spare: HashMap::default(),
            text: Vec::new(),
        }
    }

    /// Forgets the rows; the memory of columns that had some stays.
    pub(super) fn clear(&mut self) {
        self.spare.clear();
        for mut column in self.columns.drain(..) {
            column.column.clear();
            self.spare.insert(column.key.clone(), column);
        }
        self.by_key.clear();
        self.overflow.clear();
        self.shapes.clear();
    }

    /// Adds a row's attributes, encoded. Rows of one `shape` (spans of one name) mostly have the same keys in the same order.
    // `enumerate` is not inlined here, and hands each attribute through memory.
    #[allow(clippy::explicit_counter_loop)]
    #[inline]
    pub(super) fn push<'a>(&mut self, row: u32, shape: u32, attributes: impl Iterator<Item = &'a [u8]>) {
        let mut index = 0;
        for encoded in attributes {
            match self.shapes.get(shape, index) {
                Some(last) if last.is(encoded) => {
                    self.columns[last.column as usize].column.push_again(row, last.value);
                }
                _ => {
                    if self.push_other(row, shape, index, encoded).is_none() {
                        return;
                    }
                }
            }
            index += 1;
        }
    }

    /// Adds a text that did not come with the row.
    pub(super) fn push_text(&mut self, row: u32, key: &[u8], text: &[u8]) {
        match self.column_of(ValueKind::Text, key) {
            Some(column) => self.columns[column as usize].column.push_bytes(row, text),
            None => self.push_overflow(row, &AttributeView { key, value: ValueView::Str(text) }),
        }
    }

    /// Adds an attribute that did not come with the row, by its type; `hint` is where its column is remembered. Texts of JSON are
    /// written as [`json::write_value`] does.
    pub(super) fn push_value(&mut self, row: u32, key: &[u8], value: MemberValue<'_>, hint: &mut u32) {
        let kind = value.kind();
        let is_known =
            self.columns.get(*hint as usize).is_some_and(|column| column.kind == kind && *column.key == *key);
        if !is_known {
            match self.column_of(kind, key) {
                Some(column) => *hint = column,
                None => {
                    self.text.clear();
                    json::write_text(key, &mut self.text);
                    self.text.push(b':');
                    value.write(&mut self.text);
                    return self.overflow.push_bytes(row, &self.text);
                }
            }
        }
        let column = &mut self.columns[*hint as usize].column;
        match value {
            MemberValue::Text(text) | MemberValue::Json(text) => column.push_bytes(row, text),
            MemberValue::Int(int) => column.push_word(row, int as u64),
            MemberValue::Double(double) => column.push_word(row, double.to_bits()),
            MemberValue::Empty => column.push_word(row, 0),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> AttributeColumns<'_> {
        AttributeColumns { columns: self.columns.iter().collect(), overflow: &self.overflow }
    }

    /// All of them, with these in place of those of the same key and type.
    pub(super) fn all_with<'a>(&'a self, others: &'a [AttributeColumn]) -> AttributeColumns<'a> {
        let mut all = self.all();
        for other in others {
            let is_same = |column: &AttributeColumn| column.kind == other.kind && column.key == other.key;
            match all.columns.iter_mut().find(|column| is_same(column)) {
                Some(column) => *column = other,
                None => all.columns.push(other),
            }
        }
        all
    }

    /// Adds an attribute that the last row of this shape did not have. `None` where it is malformed.
    fn push_other(&mut self, row: u32, shape: u32, index: usize, encoded: &[u8]) -> Option<()> {
        let attribute = RawAttribute::read(encoded)?;
        let number = match attribute.short_text() {
            Some(text) => {
                let number = self.predicted(shape, index, ValueKind::Text, attribute.key);
                match number {
                    Some(number) => self.columns[number as usize].column.push_bytes(row, text),
                    None => {
                        self.push_overflow(row, &AttributeView { key: attribute.key, value: ValueView::Str(text) });
                    }
                }
                number
            }
            None => self.push_view(row, shape, index, &attribute.view()?),
        };
        if let Some(number) = number
            && let Some(value) = self.columns[number as usize].column.latest()
        {
            self.shapes.set(shape, index, encoded, number, value);
        }
        Some(())
    }

    /// Adds an attribute of any type; returns its column's number, if it has one.
    fn push_view(&mut self, row: u32, shape: u32, index: usize, attribute: &AttributeView<'_>) -> Option<u32> {
        let Some(number) = self.predicted(shape, index, ValueKind::of(&attribute.value), attribute.key) else {
            self.push_overflow(row, attribute);
            return None;
        };
        let column = &mut self.columns[number as usize].column;
        match attribute.value {
            ValueView::Str(text) => column.push_bytes(row, text),
            ValueView::Bool(value) => column.push_word(row, u64::from(value)),
            ValueView::Int(value) => column.push_word(row, value as u64),
            ValueView::Double(value) => column.push_word(row, value.to_bits()),
            ValueView::Empty => column.push_word(row, 0),
            ValueView::Array(_) | ValueView::KvList(_) | ValueView::Bytes(_) => {
                self.text.clear();
                json::write_value(&attribute.value, &mut self.text);
                column.push_bytes(row, &self.text);
            }
        }
        Some(number)
    }

    /// The column of the attribute at position `index` of a row of this shape; `None` when there are too many.
    #[inline]
    fn predicted(&mut self, shape: u32, index: usize, kind: ValueKind, key: &[u8]) -> Option<u32> {
        match self.shapes.get(shape, index) {
            Some(last) if self.is_column(last.column, kind, key) => Some(last.column),
            _ => self.column_of(kind, key),
        }
    }

    #[inline]
    fn is_column(&self, column: u32, kind: ValueKind, key: &[u8]) -> bool {
        let column = &self.columns[column as usize];
        column.kind == kind && *column.key == *key
    }

    fn column_of(&mut self, kind: ValueKind, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one((kind, key));
        if let Some(&column) = self.by_key.find(hash, |&column| self.is_column(column, kind, key)) {
            return Some(column);
        }
        if self.columns.len() >= COLUMNS_MAX {
            return None;
        }
        let number = self.columns.len() as u32;
        let spare = self.spare.remove(key).filter(|spare| spare.kind == kind);
        self.columns.push(spare.unwrap_or_else(|| {
            let column = match kind {
                ValueKind::Text | ValueKind::Json => Column::sparse_bytes(),
                _ => Column::sparse_words(),
            };
            AttributeColumn { key: key.into(), kind, column }
        }));
        let (columns, hasher) = (&self.columns, &self.hasher);
        self.by_key.insert_unique(hash, number, |&column| {
            let column = &columns[column as usize];
            hasher.hash_one((column.kind, &*column.key))
        });
        Some(number)
    }

    #[cold]
    fn push_overflow(&mut self, row: u32, attribute: &AttributeView<'_>) {
        self.text.clear();
        json::write_text(attribute.key, &mut self.text);
        self.text.push(b':');
        json::write_value(&attribute.value, &mut self.text);
        self.overflow.push_bytes(row, &self.text);
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        let columns: u64 = self.columns.iter().map(|column| column.column.memory_bytes() + 256).sum();
        let spare: u64 = self.spare.values().map(|column| column.column.memory_bytes() + 256).sum();
        columns + spare + self.overflow.memory_bytes()
    }
}
