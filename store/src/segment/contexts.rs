//! Resources and scopes: each distinct one is kept once, and rows refer to it in runs.

use crate::columns::{Column, Dictionary};

const NONE: u32 = u32::MAX;

/// Distinct resources (or scopes), and which rows have which.
#[derive(Debug)]
pub(super) struct Contexts {
    seen: Dictionary,
    runs: Vec<Run>,
    key: Vec<u8>,
}

/// From this row on, until the next run's.
#[derive(Debug, Clone, Copy)]
struct Run {
    row: u32,
    context: u32,
}

impl Contexts {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { seen: Dictionary::new(), runs: Vec::new(), key: Vec::new() }
    }

    /// Forgets them; memory stays.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
        self.runs.clear();
    }

    /// The number of the one with these parts, and whether it is new.
    pub(super) fn number(&mut self, message: &[u8], schema_url: &[u8]) -> (u32, bool) {
        self.key.clear();
        self.key.extend_from_slice(&(schema_url.len() as u32).to_le_bytes());
        self.key.extend_from_slice(schema_url);
        self.key.extend_from_slice(message);
        let before = self.seen.len();
        let number = self.seen.intern(&self.key);
        (number, self.seen.len() > before)
    }

    /// Rows from `row` on have this one.
    pub(super) fn start(&mut self, row: u32, context: u32) {
        match self.runs.last_mut() {
            Some(last) if last.context == context => {}
            Some(last) if last.row == row => last.context = context,
            _ => self.runs.push(Run { row, context }),
        }
    }

    /// How many distinct ones.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Rows of each, out of `rows` in all.
    pub(super) fn row_counts(&self, rows: u32) -> Vec<u64> {
        let mut counts = vec![0; self.len()];
        self.for_each(0, rows, |context, _, count| counts[context as usize] += u64::from(count));
        counts
    }

    /// Calls `visit(context, first row, rows)` for the runs of rows `first` to `end`.
    fn for_each(&self, first: u32, end: u32, mut visit: impl FnMut(u32, u32, u32)) {
        let from = self.runs.partition_point(|run| run.row <= first).saturating_sub(1);
        for (index, run) in self.runs.iter().enumerate().skip(from) {
            let start = run.row.max(first);
            let stop = self.runs.get(index + 1).map_or(end, |next| next.row).min(end);
            if start >= end {
                return;
            }
            if start < stop {
                visit(run.context, start, stop - start);
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.seen.memory_bytes() + self.runs.capacity() as u64 * 8
    }
}

/// Turns a column over contexts into one over rows, a row group at a time.
#[derive(Debug)]
pub(super) struct Spread {
    positions: Vec<u32>,
}

impl Spread {
    /// Looks up each context's value; of several, the first.
    pub(super) fn new(contexts: &Contexts, column: &Column) -> Self {
        let mut positions = vec![NONE; contexts.len()];
        for position in (0..column.len()).rev() {
            positions[column.row(position) as usize] = position as u32;
        }
        Self { positions }
    }

    /// Calls `visit(position, first row, rows)` for the runs of rows `first` to `end` that have a value: its position in the column
    /// over contexts.
    pub(super) fn for_each(&self, contexts: &Contexts, first: u32, end: u32, mut visit: impl FnMut(usize, u32, u32)) {
        contexts.for_each(first, end, |context, start, count| {
            let position = self.positions[context as usize];
            if position != NONE {
                visit(position as usize, start, count);
            }
        });
    }
}
