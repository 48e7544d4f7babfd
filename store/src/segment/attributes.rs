//! Attributes in columns: one for each key and type that appears.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use weir_proto::otlp::traces::{AttributeView, RawAttribute, ValueView};

use super::{column::Column, json, schema::Kind};

/// Most keys (with types) that get a column while a segment is built; further ones go to [`AttributeTable::overflow`].
const COLUMNS_MAX: usize = 16_384;
/// Spans of so many names are remembered for the prediction of keys.
const SHAPES: usize = 1024;
/// Attributes predicted per span.
const SHAPE_LEN_MAX: usize = 64;

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

/// Attributes of rows added in order.
#[derive(Debug)]
pub(super) struct AttributeTable {
    /// By key and type, in the order of first appearance.
    pub(super) columns: Vec<AttributeColumn>,
    /// Entries of keys beyond [`COLUMNS_MAX`], as JSON `"key":value`.
    pub(super) overflow: Column,
    by_key: HashTable<u32>,
    hasher: FixedState,
    shapes: Vec<Vec<u32>>,
    text: Vec<u8>,
}

impl AttributeTable {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            columns: Vec::new(),
            overflow: Column::sparse_bytes(),
            by_key: HashTable::new(),
            hasher: FixedState::with_seed(0x6b65_7973),
            shapes: vec![Vec::new(); SHAPES],
            text: Vec::new(),
        }
    }

    /// Adds a row's attributes. Rows of one `shape` (spans of one name) mostly have the same keys in the same order.
    // `enumerate` is not inlined here, and hands each attribute through memory.
    #[allow(clippy::explicit_counter_loop)]
    #[inline]
    pub(super) fn push<'a>(&mut self, row: u32, shape: u32, attributes: impl Iterator<Item = RawAttribute<'a>>) {
        let shape = shape as usize % SHAPES;
        let mut index = 0;
        for attribute in attributes {
            match attribute.short_text() {
                Some(text) => match self.predicted(shape, index, ValueKind::Text, attribute.key) {
                    Some(column) => self.columns[column as usize].column.push_bytes(row, text),
                    None => self.push_overflow(row, &AttributeView { key: attribute.key, value: ValueView::Str(text) }),
                },
                None => match attribute.view() {
                    Some(attribute) => self.push_view(row, shape, index, &attribute),
                    None => return,
                },
            }
            index += 1;
        }
    }

    fn push_view(&mut self, row: u32, shape: usize, index: usize, attribute: &AttributeView<'_>) {
        let Some(column) = self.predicted(shape, index, ValueKind::of(&attribute.value), attribute.key) else {
            self.push_overflow(row, attribute);
            return;
        };
        let column = &mut self.columns[column as usize].column;
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
    }

    /// The column of the attribute at position `index` of a row of this shape; `None` when there are too many.
    #[inline]
    fn predicted(&mut self, shape: usize, index: usize, kind: ValueKind, key: &[u8]) -> Option<u32> {
        if let Some(&column) = self.shapes[shape].get(index)
            && self.is_column(column, kind, key)
        {
            return Some(column);
        }
        let column = self.column_of(kind, key)?;
        self.remember(shape, index, column);
        Some(column)
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
        let column = match kind {
            ValueKind::Text | ValueKind::Json => Column::sparse_bytes(),
            _ => Column::sparse_words(),
        };
        self.columns.push(AttributeColumn { key: key.into(), kind, column });
        let (columns, hasher) = (&self.columns, &self.hasher);
        self.by_key.insert_unique(hash, number, |&column| {
            let column = &columns[column as usize];
            hasher.hash_one((column.kind, &*column.key))
        });
        Some(number)
    }

    fn remember(&mut self, shape: usize, index: usize, column: u32) {
        let shape = &mut self.shapes[shape];
        if index < shape.len() {
            shape[index] = column;
        } else if index == shape.len() && index < SHAPE_LEN_MAX {
            shape.push(column);
        }
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
        columns + self.overflow.memory_bytes()
    }
}
