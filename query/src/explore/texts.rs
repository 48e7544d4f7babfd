//! A column of text behind codes.

use arrow_array::{Array, DictionaryArray, StringArray, cast::AsArray, types::UInt32Type};

/// The texts of a batch's column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    rows: &'a DictionaryArray<UInt32Type>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    pub(crate) fn of(column: &'a dyn Array) -> Self {
        let rows = column.as_dictionary::<UInt32Type>();
        Self { rows, values: rows.values().as_string() }
    }

    /// A row's code, if it has a text.
    #[inline]
    pub(crate) fn code(&self, row: usize) -> Option<u32> {
        (!self.rows.is_null(row)).then(|| self.rows.keys().value(row))
    }

    /// The text behind a code; several codes may have the same.
    pub(crate) fn of_code(&self, code: u32) -> &'a str {
        self.values.value(code as usize)
    }

    /// A row's text.
    pub(crate) fn text(&self, row: usize) -> Option<&'a str> {
        self.code(row).map(|code| self.of_code(code))
    }

    /// Codes are below this.
    pub(crate) fn codes(&self) -> usize {
        self.values.len()
    }
}
