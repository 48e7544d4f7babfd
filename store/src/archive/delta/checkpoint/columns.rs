//! Values of one leaf of the checkpoint's schema, with the levels that say what of its groups is there.

use parquet::{column::writer::ColumnWriter, data_type::ByteArray, errors::Result};

/// A leaf: values that are there, and a pair of levels for each place in which one could be.
#[derive(Debug, Default)]
pub(super) struct Leaf<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl<T> Leaf<T> {
    /// A value in the place, whose groups and itself make `definition` optional or repeated ones.
    fn put(&mut self, definition: i16, repetition: i16, value: T) {
        self.values.push(value);
        self.nothing(definition, repetition);
    }

    /// No value: only `definition` of what is above it is there.
    pub(super) fn nothing(&mut self, definition: i16, repetition: i16) {
        self.definitions.push(definition);
        self.repetitions.push(repetition);
    }

    /// A field that is always there when its action (an optional group of the root) is.
    pub(super) fn required(&mut self, action: Option<T>) {
        match action {
            Some(value) => self.put(1, 0, value),
            None => self.nothing(0, 0),
        }
    }

    /// A field that an action may lack.
    pub(super) fn optional(&mut self, action: Option<Option<T>>) {
        match action {
            Some(Some(value)) => self.put(2, 0, value),
            Some(None) => self.nothing(1, 0),
            None => self.nothing(0, 0),
        }
    }
}

/// The two leaves of a map of texts, whose own presence is level `there` (of an empty map).
#[derive(Debug)]
pub(super) struct MapLeaves {
    there: i16,
    pub(super) keys: Leaf<ByteArray>,
    pub(super) values: Leaf<ByteArray>,
}

impl MapLeaves {
    pub(super) fn new(there: i16) -> Self {
        Self { there, keys: Leaf::default(), values: Leaf::default() }
    }

    /// A map that is not there; `definition` of what is above it is.
    pub(super) fn nothing(&mut self, definition: i16) {
        self.keys.nothing(definition, 0);
        self.values.nothing(definition, 0);
    }

    /// A map that is there.
    pub(super) fn entries<'a>(&mut self, entries: impl IntoIterator<Item = (&'a String, &'a Option<String>)>) {
        let mut repetition = 0;
        for (key, value) in entries {
            self.keys.put(self.there + 1, repetition, text(key));
            match value {
                Some(value) => self.values.put(self.there + 2, repetition, text(value)),
                None => self.values.nothing(self.there + 1, repetition),
            }
            repetition = 1;
        }
        if repetition == 0 {
            self.nothing(self.there);
        }
    }
}

/// The leaf of a list of texts within an action: (required) group, repeated group, required element.
impl Leaf<ByteArray> {
    pub(super) fn list(&mut self, action: Option<&Vec<String>>) {
        let Some(texts) = action else { return self.nothing(0, 0) };
        if texts.is_empty() {
            self.nothing(1, 0);
        }
        for (at, value) in texts.iter().enumerate() {
            self.put(2, i16::from(at > 0), text(value));
        }
    }
}

pub(super) fn text(value: &str) -> ByteArray {
    ByteArray::from(value)
}

/// Leaves of all types, as a row group takes them.
pub(super) trait WriteLeaf {
    /// Writes all values into their column.
    fn write(&self, column: &mut ColumnWriter<'_>) -> Result<()>;
}

/// A macro, because the library has a variant and a type for each physical type, and no way from one to the other.
macro_rules! write_leaf {
    ($($value:ty, $variant:ident;)*) => {$(
        impl WriteLeaf for Leaf<$value> {
            fn write(&self, column: &mut ColumnWriter<'_>) -> Result<()> {
                let ColumnWriter::$variant(writer) = column else {
                    return Err(parquet::errors::ParquetError::General("a column of another type".to_owned()));
                };
                let repeats = writer.get_descriptor().max_rep_level() > 0;
                let repetitions = repeats.then_some(self.repetitions.as_slice());
                writer.write_batch(&self.values, Some(&self.definitions), repetitions).map(drop)
            }
        }
    )*};
}

write_leaf! {
    ByteArray, ByteArrayColumnWriter;
    i64, Int64ColumnWriter;
    i32, Int32ColumnWriter;
    bool, BoolColumnWriter;
}
