//! Rows that are counted instead of read: by what is equal of them, and by pieces of time.

use arrow_array::RecordBatch;

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimePiece {
    /// Pieces are numbered in the order of time.
    pub number: i64,
    /// It begins behind this moment, Unix ns.
    pub after_ns: i64,
    /// Its last moment, Unix ns.
    pub to_ns: i64,
}

impl TimePiece {
    /// Whether a moment is in it.
    #[inline]
    pub fn holds(&self, time_ns: i64) -> bool {
        self.after_ns < time_ns && time_ns <= self.to_ns
    }
}

/// Tells the piece that a moment, Unix ns, is in.
pub type CutTime<'c> = &'c dyn Fn(i64) -> TimePiece;

/// Rows of a part, counted.
#[derive(Debug)]
pub struct CountedRows {
    /// A row for each class: it has what all rows of the class have, their time aside, which is any.
    pub classes: RecordBatch,
    /// Of each class the pieces that rows of it are in, ascending, with how many.
    pub rows: Vec<Vec<(i64, u64)>>,
}
