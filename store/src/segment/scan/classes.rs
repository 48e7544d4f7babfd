//! Rows in classes, which columns split further and further: what is true of one row of a class is true of all.

use std::{collections::HashMap, hash::Hash};

use crate::columns::{Column, Dictionary, Values};

/// Largest table of pairs of a class and a code; of more, those that are met are remembered.
const PAIRS_MAX: usize = if cfg!(all(test, debug_assertions)) { 64 } else { 1 << 16 };

/// Rows that are looked at together.
const AT_ONCE: usize = 32;

/// The classes of some rows.
#[derive(Debug)]
pub(super) struct Classes {
    /// Of each row.
    of_row: Vec<u32>,
    /// The first row of each class.
    firsts: Vec<u32>,
}

/// Classes that were met, by the one before and a value.
enum Known {
    Table { codes: usize, of_pair: Vec<u32> },
    Met(HashMap<(u32, u64), u32, foldhash::fast::FixedState>),
}

const NONE: u32 = u32::MAX;

impl Known {
    /// Of so many classes and codes below this one.
    fn of_codes(classes: usize, codes: usize) -> Self {
        match classes.checked_mul(codes).filter(|&pairs| pairs <= PAIRS_MAX) {
            Some(pairs) => Self::Table { codes, of_pair: vec![NONE; pairs] },
            None => Self::Met(HashMap::default()),
        }
    }

    /// The class of a row that was in `before` and has this value.
    #[inline]
    fn class(&mut self, (before, value): (u32, u64), row: usize, firsts: &mut Vec<u32>) -> u32 {
        let mut new = || {
            firsts.push(row as u32);
            firsts.len() as u32 - 1
        };
        match self {
            Self::Table { codes, of_pair } => {
                let known = &mut of_pair[before as usize * *codes + value as usize];
                if *known == NONE {
                    *known = new();
                }
                *known
            }
            Self::Met(met) => *met.entry((before, value)).or_insert_with(new),
        }
    }
}

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

    /// The class of each row.
    pub(super) fn rows(&self) -> &[u32] {
        &self.of_row
    }

    /// Parts rows whose values differ. Equal texts of a dictionary may have two codes: then there are two classes of them.
    pub(super) fn split(&mut self, column: &Column) {
        if column.len() == 0 {
            return;
        }
        let gaps = column.rows.as_ref().filter(|rows| rows.len() < self.of_row.len());
        match (&column.values, gaps) {
            (Values::Bytes { codes, dictionary }, None) => {
                if dictionary.len() > 1 {
                    self.split_by(Known::of_codes(self.firsts.len(), dictionary.len()), codes, u64::from);
                }
            }
            (Values::Bytes { codes, dictionary }, Some(rows)) => {
                // What stands for no value comes behind those that are.
                let mut spread = vec![dictionary.len() as u32; self.of_row.len()];
                rows.iter().zip(codes).for_each(|(&row, &code)| spread[row as usize] = code);
                self.split_by(Known::of_codes(self.firsts.len(), dictionary.len() + 1), &spread, u64::from);
            }
            (Values::Words(words), None) => {
                if words.iter().any(|word| *word != words[0]) {
                    self.split_by(Known::Met(HashMap::default()), words, |word| word);
                }
            }
            (Values::Words(words), Some(rows)) => {
                let mut is_there = vec![0u8; self.of_row.len()];
                let mut spread = vec![0; self.of_row.len()];
                for (&row, &word) in rows.iter().zip(words) {
                    (is_there[row as usize], spread[row as usize]) = (1, word);
                }
                self.split_by(Known::of_codes(self.firsts.len(), 2), &is_there, u64::from);
                self.split_by(Known::Met(HashMap::default()), &spread, |word| word);
            }
        }
    }

    fn split_by<T: Copy + Eq + Hash>(&mut self, mut known: Known, values: &[T], number: impl Fn(T) -> u64) {
        let mut firsts = Vec::new();
        let mut row = 0;
        for (classes, values) in self.of_row.chunks_mut(AT_ONCE).zip(values.chunks(AT_ONCE)) {
            let (before, value) = (classes[0], values[0]);
            // Without an early end, so that it becomes vector instructions. Rows beside each other are mostly equal.
            let is_same = values.iter().fold(true, |all, other| all & (*other == value));
            if is_same && classes.iter().fold(0, |all, other| all | (other ^ before)) == 0 {
                classes.fill(known.class((before, number(value)), row, &mut firsts));
            } else {
                for (at, (class, &value)) in classes.iter_mut().zip(values).enumerate() {
                    *class = known.class((*class, number(value)), row + at, &mut firsts);
                }
            }
            row += AT_ONCE;
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

    /// Adds to `counts`, which has a place for each class, how many rows of each are among these.
    pub(super) fn count(&self, rows: std::ops::Range<usize>, counts: &mut [u32]) {
        if let [count] = counts {
            *count += rows.len() as u32;
            return;
        }
        for classes in self.of_row[rows].chunks(AT_ONCE) {
            let first = classes[0];
            if classes.iter().fold(0, |all, other| all | (other ^ first)) == 0 {
                counts[first as usize] += classes.len() as u32;
            } else {
                classes.iter().for_each(|&class| counts[class as usize] += 1);
            }
        }
    }
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
        classes.split(&Column::sparse_bytes());
        classes.split(&texts);
        classes.split(&words);
        assert_eq!(classes.of_row, [0, 0, 1, 2, 3, 1]);
        assert_eq!(classes.firsts(), [0, 2, 3, 4]);
        let column = classes.column(&[b"first".to_vec(), Vec::new(), b"third".to_vec(), b"first".to_vec()]);
        let shown: Vec<(u32, &[u8])> = (0..column.len()).map(|at| (column.row(at), column.bytes(at))).collect();
        assert_eq!(shown, [(0, &b"first"[..]), (1, b"first"), (3, b"third"), (4, b"first")]);
        assert_eq!(position(&texts, 3), Some(2));
        assert_eq!(position(&texts, 2), None);
    }

    #[test]
    fn many_rows_part_as_pairs_of_their_values_do() {
        const ROWS: u32 = 500;
        let text_of = |row: u32| format!("{}", row / 70 % 3 + row % 11 / 10);
        let number_of = |row: u32| (row % 5 != 3).then_some(u64::from(row / 200));
        let mut texts = Column::dense_bytes();
        let mut numbers = Column::sparse_words();
        let mut some = Column::sparse_bytes();
        for row in 0..ROWS {
            texts.push_bytes(row, text_of(row).as_bytes());
            number_of(row).into_iter().for_each(|number| numbers.push_word(row, number));
            if row % 7 > 0 {
                some.push_bytes(row, format!("{}", row / 40).as_bytes());
            }
        }
        let mut classes = Classes::new(ROWS);
        [&texts, &numbers, &some].into_iter().for_each(|column| classes.split(column));
        let of = |row: u32| (text_of(row), number_of(row), (!row.is_multiple_of(7)).then_some(row / 40));
        let mut first_of: HashMap<_, u32> = HashMap::new();
        let mut counts = vec![0; classes.firsts().len()];
        for row in 0..ROWS {
            let next = first_of.len() as u32;
            let class = *first_of.entry(of(row)).or_insert(next);
            assert_eq!(classes.of(row), class, "{row}");
            counts[class as usize] += u32::from((33..470).contains(&row));
        }
        let mut counted = vec![0; counts.len()];
        classes.count(33..470, &mut counted);
        assert_eq!(counted, counts);
    }
}
