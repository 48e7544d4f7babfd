//! The resources of rows: rows that are equal in their columns make a class, which is written once.

use std::collections::HashMap;

use super::{
    attribute,
    entries::{write_json, write_sorted},
    gather::{self, ChosenRows},
};
use crate::columns::{Column, Dictionary, Values};
use crate::segment::{SegmentError, chunk_reader::ChunkReader, json_entry, schema::RESOURCE_PREFIX};

/// The attributes of the rows' resources as JSON objects sorted by key. There are few resources: each is written once.
pub(super) fn read(reader: &ChunkReader<'_>, group: usize, rows: &ChosenRows) -> Result<Column, SegmentError> {
    let mut classes = Classes::new(rows.len());
    let residual = reader.table.resource_other;
    let mut columns = Vec::new();
    for (number, spec) in reader.specs.iter().enumerate() {
        let is_own = number >= reader.table.len() && spec.name.starts_with(RESOURCE_PREFIX);
        if (is_own || number == residual) && !reader.is_empty(group, number) {
            let column = gather::read(reader, group, number, rows)?;
            classes.split(&column);
            columns.push((number, column));
        }
    }
    let mut texts: Vec<Vec<u8>> = Vec::with_capacity(classes.firsts().len());
    for &row in classes.firsts() {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (number, column) in &columns {
            let Some(at) = position(column, row) else { continue };
            let spec = &reader.specs[*number];
            if *number != residual {
                let mut text = Vec::new();
                write_json(spec.kind, column, at, &mut text);
                entries.push((attribute::quoted(spec.name.strip_prefix(RESOURCE_PREFIX).unwrap_or_default()), text));
                continue;
            }
            let all = |key: &[u8], value: &[u8]| {
                entries.push((key.to_vec(), value.to_vec()));
                true
            };
            json_entry::for_each(column.bytes(at), all)
                .map_err(|error| SegmentError::damaged(format!("row group {group}, column {}: {error}", spec.name)))?;
        }
        let mut text = Vec::new();
        texts.push(if write_sorted(&mut entries, &mut text) { text } else { Vec::new() });
    }
    Ok(classes.column(&texts))
}

/// Rows in classes, which columns split further and further.
#[derive(Debug)]
pub(super) struct Classes {
    /// Of each row.
    of_row: Vec<u32>,
    /// The first row of each class.
    firsts: Vec<u32>,
}

/// Stands for no value.
const ABSENT: u64 = u64::MAX;

impl Classes {
    /// All of so many rows in one.
    pub(super) fn new(rows: u32) -> Self {
        Self { of_row: vec![0; rows as usize], firsts: if rows == 0 { Vec::new() } else { vec![0] } }
    }

    /// The first row of each class.
    pub(super) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// The class of a row.
    pub(super) fn of(&self, row: u32) -> u32 {
        self.of_row[row as usize]
    }

    /// Parts rows whose values differ. Equal texts of a dictionary may have two codes: then there are two classes of them.
    pub(super) fn split(&mut self, column: &Column) {
        let is_dense = column.rows.as_ref().is_none_or(|rows| rows.len() == self.of_row.len());
        if let (true, Values::Bytes { codes, dictionary }) = (is_dense, &column.values) {
            if dictionary.len() > 1 {
                self.split_by_codes(codes);
            }
            return;
        }
        let mut known: HashMap<(u32, bool, u64), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut firsts = Vec::new();
        // Rows beside each other are mostly equal.
        let mut last: Option<((u32, bool, u64), u32)> = None;
        let mut next = 0;
        for row in 0..self.of_row.len() {
            let here = match &column.rows {
                Some(rows) => {
                    while rows.get(next).is_some_and(|present| (*present as usize) < row) {
                        next += 1;
                    }
                    rows.get(next).is_some_and(|present| *present as usize == row).then_some(next)
                }
                None => Some(row),
            };
            let value = match (here, &column.values) {
                (None, _) => (false, ABSENT),
                (Some(at), Values::Bytes { codes, .. }) => (true, u64::from(codes[at])),
                (Some(at), Values::Words(words)) => (true, words[at]),
            };
            let key = (self.of_row[row], value.0, value.1);
            let class = match last {
                Some((known, class)) if known == key => class,
                _ => *known.entry(key).or_insert_with(|| {
                    firsts.push(row as u32);
                    firsts.len() as u32 - 1
                }),
            };
            last = Some((key, class));
            self.of_row[row] = class;
        }
        self.firsts = firsts;
    }

    /// As [`Self::split`], where every row has a code.
    fn split_by_codes(&mut self, codes: &[u32]) {
        let mut known: HashMap<(u32, u32), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut firsts = Vec::new();
        let mut row = 0;
        while row < self.of_row.len() {
            // Rows beside each other are mostly equal.
            let (before, code) = (self.of_row[row], codes[row]);
            let run = run_of(&codes[row..], code);
            let run = run_of(&self.of_row[row..row + run], before);
            let class = *known.entry((before, code)).or_insert_with(|| {
                firsts.push(row as u32);
                firsts.len() as u32 - 1
            });
            self.of_row[row..row + run].fill(class);
            row += run;
        }
        self.firsts = firsts;
    }

    /// A column with the text of each row's class; nothing where that is empty.
    pub(super) fn column(&self, texts: &[Vec<u8>]) -> Column {
        if !texts.iter().any(Vec::is_empty) {
            let mut dictionary = Dictionary::new();
            let codes: Vec<u32> = texts.iter().map(|text| dictionary.intern_repeated(text)).collect();
            let codes = self.of_row.iter().map(|&class| codes[class as usize]).collect();
            return Column { rows: None, values: Values::Bytes { codes, dictionary } };
        }
        let mut column = Column::sparse_bytes();
        let mut codes: Vec<Option<u64>> = vec![None; texts.len()];
        for (row, &class) in (0..).zip(&self.of_row) {
            let (text, code) = (&texts[class as usize], &mut codes[class as usize]);
            match *code {
                _ if text.is_empty() => {}
                Some(code) => column.push_again(row, code),
                None => {
                    column.push_bytes(row, text);
                    *code = column.latest();
                }
            }
        }
        column
    }
}

/// How many of the first values are this one.
fn run_of(values: &[u32], value: u32) -> usize {
    const AT_ONCE: usize = 32;

    let chunks = values.chunks_exact(AT_ONCE);
    let is_same = |chunk: &&[u32]| chunk.iter().fold(0, |all, &other| all | (other ^ value)) == 0;
    let at = chunks.take_while(is_same).count() * AT_ONCE;
    at + values[at..].iter().take_while(|&&other| other == value).count()
}

/// Where a column has its value of a row.
pub(super) fn position(column: &Column, row: u32) -> Option<usize> {
    match &column.rows {
        Some(rows) => rows.binary_search(&row).ok(),
        None => Some(row as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_part_where_their_values_do() {
        let mut texts = Column::sparse_bytes();
        for (row, text) in [(0, "a"), (1, "a"), (3, "b"), (4, "a")] {
            texts.push_bytes(row, text.as_bytes());
        }
        let mut words = Column::dense_words();
        [7, 7, 7, 7, 8, 7].into_iter().zip(0..).for_each(|(word, row)| words.push_word(row, word));
        let mut classes = Classes::new(6);
        classes.split(&texts);
        classes.split(&words);
        assert_eq!(classes.of_row, [0, 0, 1, 2, 3, 1]);
        for run in [0, 1, 31, 32, 33, 64, 100] {
            let values: Vec<u32> = (0..100).map(|at| u32::from(at >= run)).collect();
            assert_eq!(super::run_of(&values, 0), run);
        }
        assert_eq!(classes.firsts(), [0, 2, 3, 4]);
        let column = classes.column(&[b"first".to_vec(), Vec::new(), b"third".to_vec(), b"first".to_vec()]);
        let shown: Vec<(u32, &[u8])> = (0..column.len()).map(|at| (column.row(at), column.bytes(at))).collect();
        assert_eq!(shown, [(0, &b"first"[..]), (1, b"first"), (3, b"third"), (4, b"first")]);
        assert_eq!(position(&texts, 3), Some(2));
        assert_eq!(position(&texts, 2), None);
    }
}
