//! Spans as Arrow record batches, in parts: what a column scan reads.

use arrow_array::RecordBatch;
use weir_store::{ReadBounds, Scan};

#[cfg(test)]
pub(crate) mod held;

/// A planned scan. Implemented by the store's, and by tests that hold batches.
pub(crate) trait Batches: Sync {
    /// Rows of each part at most, newest parts first.
    fn parts_rows_max(&self) -> Vec<u64>;

    /// The same rows in smaller parts, for columns that take much memory.
    fn split(&self, rows_max: u32) -> Box<dyn Batches>;

    /// Whether a part lies in the head, where each condition on an attribute reads payloads.
    fn is_head(&self, part: usize) -> bool;

    /// The smallest and the largest start of a part's rows, Unix ns: no row lies outside.
    fn part_start_ns(&self, part: usize) -> (u64, u64);

    /// The rows of a part that are needed: see [`Scan::read_within`].
    fn read_within(&self, part: usize, bounds: &ReadBounds) -> RecordBatch;

    /// The rows of a part, by its position. May block on files.
    fn read(&self, part: usize) -> RecordBatch;

    /// The same rows in the same order, as many at a time as fit into memory where columns write out what rows share; and in how many
    /// pieces.
    fn read_in_pieces(&self, part: usize, each: &mut dyn FnMut(&RecordBatch, usize)) {
        each(&self.read(part), 1);
    }

    /// See [`Scan::identity`].
    fn identity(&self) -> u64;

    /// Whether something could not be read so far.
    fn is_partial(&self) -> bool;
}

impl Batches for Scan {
    fn parts_rows_max(&self) -> Vec<u64> {
        self.parts().iter().map(weir_store::ScanPart::rows_max).collect()
    }

    fn split(&self, rows_max: u32) -> Box<dyn Batches> {
        Box::new(Scan::split(self, rows_max))
    }

    fn is_head(&self, part: usize) -> bool {
        self.parts()[part].is_head()
    }

    fn part_start_ns(&self, part: usize) -> (u64, u64) {
        self.parts()[part].start_ns()
    }

    fn read_within(&self, part: usize, bounds: &ReadBounds) -> RecordBatch {
        Scan::read_within(self, &self.parts()[part], bounds)
    }

    fn read(&self, part: usize) -> RecordBatch {
        Scan::read(self, &self.parts()[part])
    }

    fn read_in_pieces(&self, part: usize, each: &mut dyn FnMut(&RecordBatch, usize)) {
        let pieces = self.pieces(&self.parts()[part], &ReadBounds::default(), u32::MAX);
        for piece in &pieces {
            each(&self.read_piece(piece), pieces.len());
        }
    }

    fn identity(&self) -> u64 {
        Scan::identity(self)
    }

    fn is_partial(&self) -> bool {
        Scan::is_partial(self)
    }
}
