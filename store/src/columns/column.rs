//! The values of one column for a run of rows, in memory: what builders fill, encoders read and decoders return.

use super::dictionary::Dictionary;

/// A column. Rows without a value have no entry.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The row of each value, ascending; `None` when every row has one.
    pub(crate) rows: Option<Vec<u32>>,
    /// The values.
    pub(crate) values: Values,
}

/// Values, one after the other.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Byte strings behind codes.
    Bytes {
        /// One code a value.
        codes: Vec<u32>,
        /// What the codes stand for.
        dictionary: Dictionary,
    },
    /// Numbers, booleans and short ids as 64 bits.
    Words(Vec<u64>),
}

impl Column {
    /// Byte strings on some rows.
    pub(crate) fn sparse_bytes() -> Self {
        Self { rows: Some(Vec::new()), values: Values::Bytes { codes: Vec::new(), dictionary: Dictionary::new() } }
    }

    /// Numbers on some rows.
    pub(crate) fn sparse_words() -> Self {
        Self { rows: Some(Vec::new()), values: Values::Words(Vec::new()) }
    }

    /// Byte strings on every row.
    pub(crate) fn dense_bytes() -> Self {
        Self { rows: None, ..Self::sparse_bytes() }
    }

    /// Numbers on every row.
    pub(crate) fn dense_words() -> Self {
        Self { rows: None, ..Self::sparse_words() }
    }

    /// An empty column that holds what `kind` holds.
    pub(crate) fn empty(kind: super::spec::Kind, required: bool) -> Self {
        match (kind.is_bytes(), required) {
            (true, true) => Self::dense_bytes(),
            (true, false) => Self::sparse_bytes(),
            (false, true) => Self::dense_words(),
            (false, false) => Self::sparse_words(),
        }
    }

    /// Forgets the values; memory stays.
    pub(crate) fn clear(&mut self) {
        if let Some(rows) = &mut self.rows {
            rows.clear();
        }
        match &mut self.values {
            Values::Words(words) => words.clear(),
            Values::Bytes { codes, dictionary } => {
                codes.clear();
                dictionary.clear();
            }
        }
    }

    /// Room for so many values more.
    pub(crate) fn reserve(&mut self, count: usize) {
        match &mut self.values {
            Values::Words(words) => words.reserve(count),
            Values::Bytes { codes, .. } => codes.reserve(count),
        }
    }

    /// Whether two of its values are known to be equal, by their positions.
    #[inline]
    pub(crate) fn is_same(&self, one: usize, other: usize) -> bool {
        match &self.values {
            Values::Words(words) => words[one] == words[other],
            Values::Bytes { codes, .. } => codes[one] == codes[other],
        }
    }

    /// Adds a byte string.
    #[inline]
    pub(crate) fn push_bytes(&mut self, row: u32, value: &[u8]) {
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
        match &mut self.values {
            Values::Bytes { codes, dictionary } => codes.push(dictionary.intern(value)),
            Values::Words(_) => unreachable!("a column of numbers gets no bytes"),
        }
    }

    /// The code or number of the value added last.
    #[inline]
    pub(crate) fn latest(&self) -> Option<u64> {
        match &self.values {
            Values::Bytes { codes, .. } => codes.last().map(|&code| u64::from(code)),
            Values::Words(words) => words.last().copied(),
        }
    }

    /// Adds a value that the column has already, by its code or number.
    #[inline]
    pub(crate) fn push_again(&mut self, row: u32, value: u64) {
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
        match &mut self.values {
            Values::Bytes { codes, dictionary } => {
                dictionary.note_repeat();
                codes.push(value as u32);
            }
            Values::Words(words) => words.push(value),
        }
    }

    /// Adds a number.
    #[inline]
    pub(crate) fn push_word(&mut self, row: u32, value: u64) {
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
        match &mut self.values {
            Values::Words(words) => words.push(value),
            Values::Bytes { .. } => unreachable!("a column of bytes gets no numbers"),
        }
    }

    /// Values held.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value at a position (not a row).
    #[inline]
    pub(crate) fn bytes(&self, position: usize) -> &[u8] {
        match &self.values {
            Values::Bytes { codes, dictionary } => dictionary.get(codes[position]),
            Values::Words(_) => unreachable!("a column of numbers has no bytes"),
        }
    }

    /// The number at a position (not a row).
    #[inline]
    pub(crate) fn word(&self, position: usize) -> u64 {
        match &self.values {
            Values::Words(words) => words[position],
            Values::Bytes { .. } => unreachable!("a column of bytes has no numbers"),
        }
    }

    /// The row of a position.
    #[inline]
    pub(crate) fn row(&self, position: usize) -> u32 {
        self.rows.as_ref().map_or(position as u32, |rows| rows[position])
    }

    /// The position of a row's (first) value.
    pub(crate) fn position(&self, row: u32) -> Option<usize> {
        match &self.rows {
            None => Some(row as usize),
            Some(rows) => {
                let position = rows.partition_point(|&other| other < row);
                (rows.get(position) == Some(&row)).then_some(position)
            }
        }
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.capacity() * 4) as u64;
        rows + match &self.values {
            Values::Bytes { codes, dictionary } => codes.capacity() as u64 * 4 + dictionary.memory_bytes(),
            Values::Words(words) => words.capacity() as u64 * 8,
        }
    }

    /// A view of rows `first` to `first + count`.
    pub(crate) fn slice(&self, first: u32, count: u32) -> ChunkView<'_> {
        let (rows, from, to) = match &self.rows {
            None => (None, first as usize, (first + count) as usize),
            Some(rows) => {
                let from = rows.partition_point(|&row| row < first);
                let to = from + rows[from..].partition_point(|&row| row < first + count);
                (Some(&rows[from..to]), from, to)
            }
        };
        let values = match &self.values {
            Values::Bytes { codes, dictionary } => ValuesView::Bytes { codes: &codes[from..to], dictionary },
            Values::Words(words) => ValuesView::Words(&words[from..to]),
        };
        ChunkView { first, count, rows, values }
    }
}

impl Values {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes { codes, .. } => codes.len(),
            Self::Words(words) => words.len(),
        }
    }
}

/// A column's values for a run of rows, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkView<'a> {
    /// First row.
    pub(crate) first: u32,
    /// Rows.
    pub(crate) count: u32,
    /// The row of each value (not relative to `first`); `None` when every row has one.
    pub(crate) rows: Option<&'a [u32]>,
    /// The values.
    pub(crate) values: ValuesView<'a>,
}

/// Values, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValuesView<'a> {
    /// Byte strings behind codes.
    Bytes {
        /// One code a value.
        codes: &'a [u32],
        /// What the codes stand for.
        dictionary: &'a Dictionary,
    },
    /// Numbers, booleans and short ids as 64 bits.
    Words(&'a [u64]),
}
