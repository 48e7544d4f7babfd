//! The values of one field of JSON bodies, gathered row by row: typed where their texts come back, or the row's own id.

use std::borrow::Cow;

use weir_proto::{SpanId, TraceId};

use super::{
    body_fields::{BodyField, IdColumn},
    json,
    told::Told,
};
use crate::columns::{Column, Kind, Packing, Values};

/// A value as it stands in a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldText<'v> {
    /// A string, unescaped.
    Text(&'v [u8]),
    /// A number.
    Number(&'v [u8]),
    /// A list, or an empty object.
    Json(&'v [u8]),
    /// true or false.
    Bool(bool),
}

/// The ids of the row that a body is of, and the columns that hold those of the rows so far, this one included.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowIds<'c> {
    pub(super) trace: Option<TraceId>,
    pub(super) span: Option<SpanId>,
    pub(super) traces: &'c Column,
    pub(super) spans: &'c Column,
}

/// A field under way.
#[derive(Debug)]
pub(super) struct FieldColumn {
    pub(super) name: Box<[u8]>,
    /// What its values are; [`Kind::Text`] when they are of several kinds.
    pub(super) kind: Kind,
    column: Option<Column>,
    /// While the field has been the row's id wherever a row had either: then there is no column.
    is_id: Option<IdColumn>,
    /// Rows that have it.
    pub(super) rows: u64,
    /// Whether a body that is not kept as text has it.
    pub(super) is_templated: bool,
    /// The row that was asked about last, plus one.
    marked: u32,
    /// An empty column of the segment before.
    spare: Option<Column>,
    /// Which of its values are attributes of their lines, too.
    pub(super) told: Told,
}

impl FieldColumn {
    pub(super) fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Text,
            column: None,
            is_id: None,
            rows: 0,
            is_templated: false,
            marked: 0,
            spare: None,
            told: Told::default(),
        }
    }

    pub(super) fn clear(&mut self) {
        (self.rows, self.is_templated, self.is_id, self.marked) = (0, false, None, 0);
        self.told.clear();
        if let Some(mut column) = self.column.take() {
            column.clear();
            self.spare = Some(column);
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let bytes = |column: &Option<Column>| column.as_ref().map_or(0, Column::memory_bytes);
        bytes(&self.column) + bytes(&self.spare) + self.told.memory_bytes() + 128
    }

    /// Whether this row is asked about for the first time.
    pub(super) fn mark(&mut self, row: u32) -> bool {
        std::mem::replace(&mut self.marked, row + 1) != row + 1
    }

    /// Adds a row's value that is an attribute, too; answers whether the attribute can be told from it.
    #[inline]
    pub(super) fn push_told(
        &mut self,
        row: u32,
        value: FieldText<'_>,
        ids: &RowIds<'_>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        let position = self.rows as u32;
        self.push(row, value, ids, scratch);
        is_told(&value) && self.told.add(position, !matches!(value, FieldText::Text(_)))
    }

    /// Adds a row's value.
    #[inline]
    pub(super) fn push(&mut self, row: u32, value: FieldText<'_>, ids: &RowIds<'_>, scratch: &mut Vec<u8>) {
        if self.rows == 0 {
            self.begin(&value, ids);
        }
        if let Some(id) = self.is_id {
            if is_id(id, &value, ids, self.rows + 1) {
                self.rows += 1;
                return;
            }
            self.is_id = None;
            self.column = Some(ids_as_texts(id, ids, self.rows as usize));
        }
        self.rows += 1;
        if self.kind == Kind::Text {
            let Some(column) = &mut self.column else { return };
            match value {
                FieldText::Text(text) | FieldText::Number(text) | FieldText::Json(text) => column.push_bytes(row, text),
                FieldText::Bool(value) => column.push_bytes(row, if value { b"true" } else { b"false" }),
            }
        } else {
            self.push_typed(row, value, scratch);
        }
    }

    fn begin(&mut self, value: &FieldText<'_>, ids: &RowIds<'_>) {
        self.is_id = [IdColumn::TraceId, IdColumn::SpanId].into_iter().find(|&id| is_id(id, value, ids, 1));
        let before = self.kind.is_bytes();
        self.kind = Typed::of(value, &mut Vec::new()).kind();
        if self.is_id.is_none() {
            let spare = self.spare.take().filter(|_| before == self.kind.is_bytes());
            self.column = Some(spare.unwrap_or_else(|| Column::empty(self.kind, false)));
        }
    }

    fn push_typed(&mut self, row: u32, value: FieldText<'_>, scratch: &mut Vec<u8>) {
        let typed = Typed::of(&value, scratch);
        if self.kind != typed.kind() {
            self.become_text();
        }
        let is_text = self.kind.is_bytes();
        let Some(column) = &mut self.column else { return };
        match typed {
            Typed::Bytes(bytes, _) => column.push_bytes(row, bytes),
            Typed::Word(word, kind) if is_text => {
                scratch.clear();
                write_word(kind, word, scratch);
                column.push_bytes(row, scratch);
            }
            Typed::Word(word, _) => column.push_word(row, word),
        }
    }

    /// Values of several kinds are kept as their texts.
    fn become_text(&mut self) {
        let kind = std::mem::replace(&mut self.kind, Kind::Text);
        let Some(column) = self.column.take() else { return };
        self.column = Some(match column.values {
            Values::Bytes { .. } => column,
            Values::Words(_) => texts_of(kind, &column),
        });
    }

    /// What the manifest says of it.
    pub(super) fn listed(&self, ids: &RowIds<'_>) -> BodyField {
        let different = match &self.column {
            Some(Column { values: Values::Bytes { dictionary, .. }, .. }) => dictionary.len() as u64,
            Some(_) => 0,
            None => self.rows,
        };
        let name = String::from_utf8_lossy(&self.name).into_owned();
        BodyField {
            name,
            rows: self.rows,
            different,
            column: true,
            same_as: self.is_id_of_all(ids),
            partial: false,
            templated: self.is_templated,
        }
    }

    fn is_id_of_all(&self, ids: &RowIds<'_>) -> Option<IdColumn> {
        self.is_id.filter(|&id| id.of(ids).len() as u64 == self.rows)
    }

    /// The values of a field that is a column of ids.
    pub(super) fn id_texts(&self, ids: &RowIds<'_>) -> Column {
        self.is_id.map_or_else(Column::sparse_bytes, |id| ids_as_texts(id, ids, self.rows as usize))
    }

    /// All of its values.
    pub(super) fn values(&self, ids: &RowIds<'_>) -> Cow<'_, Column> {
        match &self.column {
            Some(column) if self.is_id.is_none() => Cow::Borrowed(column),
            _ => Cow::Owned(self.id_texts(ids)),
        }
    }

    /// The column, unless another one holds the same.
    pub(super) fn finish(&self, ids: &RowIds<'_>) -> Option<Cow<'_, Column>> {
        match (self.is_id, &self.column) {
            (Some(_), _) if self.is_id_of_all(ids).is_some() => None,
            (Some(id), _) => Some(Cow::Owned(ids_as_texts(id, ids, self.rows as usize))),
            (None, column) => column.as_ref().map(Cow::Borrowed),
        }
    }
}

/// Whether an attribute is what the field says: a text, a boolean, or a whole number that is written as such.
#[inline]
pub(super) fn is_told(value: &FieldText<'_>) -> bool {
    match value {
        FieldText::Text(_) | FieldText::Bool(_) => true,
        FieldText::Number(text) => int_of(text).is_some(),
        FieldText::Json(_) => false,
    }
}

impl IdColumn {
    fn of<'c>(self, ids: &RowIds<'c>) -> &'c Column {
        match self {
            Self::TraceId => ids.traces,
            Self::SpanId => ids.spans,
        }
    }
}

/// Whether the value is the row's id, and this is the only one of the rows with one that was not asked about yet.
#[inline]
fn is_id(id: IdColumn, value: &FieldText<'_>, ids: &RowIds<'_>, rows: u64) -> bool {
    let FieldText::Text(text) = value else { return false };
    let is_same = match id {
        IdColumn::TraceId => ids.trace.is_some_and(|id| is_hex_of(text, &id.0)),
        IdColumn::SpanId => ids.span.is_some_and(|id| is_hex_of(text, &id.0)),
    };
    is_same && id.of(ids).len() as u64 == rows
}

#[inline]
fn is_hex_of(text: &[u8], id: &[u8]) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let is_pair =
        |pair: &[u8], byte: u8| pair[0] == DIGITS[usize::from(byte >> 4)] && pair[1] == DIGITS[usize::from(byte & 15)];
    text.len() == 2 * id.len()
        && text.chunks_exact(2).zip(id).fold(true, |all, (pair, &byte)| all & is_pair(pair, byte))
}

/// The first ids of a column as texts.
fn ids_as_texts(id: IdColumn, ids: &RowIds<'_>, count: usize) -> Column {
    let column = id.of(ids);
    let mut out = Column::sparse_bytes();
    let mut text = Vec::new();
    for at in 0..count {
        text.clear();
        match &column.values {
            Values::Bytes { .. } => Packing::Hex16.unpack(column.bytes(at), &mut text),
            Values::Words(words) => Packing::Hex8.unpack(&words[at].to_le_bytes(), &mut text),
        }
        out.push_bytes(column.row(at), &text);
    }
    out
}

/// A column of numbers or booleans as their texts, which are those of the bodies.
pub(super) fn texts_of(kind: Kind, column: &Column) -> Column {
    let mut out = Column::sparse_bytes();
    let mut text = Vec::new();
    for at in 0..column.len() {
        text.clear();
        write_word(kind, column.word(at), &mut text);
        out.push_bytes(column.row(at), &text);
    }
    out
}

/// Appends the text that a number or boolean has in bodies.
#[inline]
pub(super) fn write_word(kind: Kind, word: u64, out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => json::write_bool(word != 0, out),
        Kind::Double => json::write_double(f64::from_bits(word), out),
        _ => write_int(word as i64, out),
    }
}

#[inline]
fn write_int(int: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = int.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if int < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// A value as a column holds it: a number only where its text comes back from it.
enum Typed<'v> {
    Bytes(&'v [u8], Kind),
    Word(u64, Kind),
}

impl<'v> Typed<'v> {
    fn of(value: &FieldText<'v>, scratch: &mut Vec<u8>) -> Self {
        match *value {
            FieldText::Text(text) => Self::Bytes(text, Kind::Text),
            FieldText::Json(text) => Self::Bytes(text, Kind::Json),
            FieldText::Bool(value) => Self::Word(u64::from(value), Kind::Bool),
            FieldText::Number(text) => {
                if let Some(int) = int_of(text) {
                    return Self::Word(int as u64, Kind::Int64);
                }
                let number = std::str::from_utf8(text).unwrap_or_default();
                if let Ok(double) = number.parse::<f64>()
                    && double.is_finite()
                {
                    scratch.clear();
                    json::write_double(double, scratch);
                    if *scratch == *text {
                        return Self::Word(double.to_bits(), Kind::Double);
                    }
                }
                Self::Bytes(text, Kind::Text)
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_, kind) | Self::Word(_, kind) => *kind,
        }
    }
}

/// The whole number that a JSON number is, when it is written as such.
#[inline]
pub(super) fn int_of(text: &[u8]) -> Option<i64> {
    /// So many digits fit.
    const DIGITS_QUICK_MAX: usize = 18;

    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_negative = digits.len() < text.len();
    if digits.len() <= DIGITS_QUICK_MAX {
        let mut int = 0i64;
        for byte in digits {
            if !byte.is_ascii_digit() {
                return None;
            }
            int = int * 10 + i64::from(byte - b'0');
        }
        return (!(digits.is_empty() || is_negative && int == 0)).then_some(if is_negative { -int } else { int });
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
