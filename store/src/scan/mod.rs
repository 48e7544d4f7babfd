//! Scans: the rows of a signal that fulfil a filter as Arrow record batches, in parts that any thread can read.
//!
//! [`Snapshot::scan`](crate::snapshot::asked::Snapshot::scan) decides which parts of head and segments can hold such rows, newest first;
//! [`Scan::read`] reads one of them. Every row that comes out fulfils the filter.

mod head;
mod lines;
mod plan;

pub(crate) use head::HeadPart;
pub(crate) use lines::LinesPart;

pub use plan::{Scan, ScanPart, ScanPiece};
