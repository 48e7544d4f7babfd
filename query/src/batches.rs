//! Spans as Arrow record batches, in parts: what a column scan reads.

use arrow_array::RecordBatch;
use weir_store::Scan;

#[cfg(test)]
pub(crate) mod held;

/// A planned scan. Implemented by the store's, and by tests that hold batches.
pub(crate) trait Batches {
    /// Rows of each part at most, newest parts first.
    fn parts_rows_max(&self) -> Vec<u64>;

    /// The rows of a part, by its position. May block on files.
    fn read(&self, part: usize) -> RecordBatch;

    /// Whether something could not be read so far.
    fn is_partial(&self) -> bool;
}

impl Batches for Scan {
    fn parts_rows_max(&self) -> Vec<u64> {
        self.parts().iter().map(weir_store::ScanPart::rows_max).collect()
    }

    fn read(&self, part: usize) -> RecordBatch {
        Scan::read(self, &self.parts()[part])
    }

    fn is_partial(&self) -> bool {
        Scan::is_partial(self)
    }
}
