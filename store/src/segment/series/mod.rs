//! Segments of metrics: series in the order of their labels, an index of the values that labels have, chunks of samples.
//!
//! [`SeriesWriter`] is given series in order, [`SeriesSegment`] answers queries, [`merge_series`] makes one of several.

mod archived;
mod chunks;
mod directory;
mod extent;
mod extras;
mod index_check;
mod manifest;
mod merge;
mod open;
mod postings;
mod read;
mod records;
mod windows;
mod write;

pub(super) use archived::SeriesArchivedAs;
pub(crate) use archived::{files_of, write_archived_series, write_series_stub};
#[doc(hidden)]
pub use chunks::chunk_is_kept;
pub(crate) use chunks::{ChunkRef, EncodedChunk};
pub(super) use manifest::SeriesManifest;
pub(crate) use merge::{merge_series, salvage_series};
pub(crate) use open::SeriesSegment;
pub(crate) use write::{SeriesExtras, SeriesWriter};

/// The index: values, postings, records, exemplars, families; a directory of them at its end.
pub(super) const INDEX: &str = "series.idx";
/// The chunks.
pub(super) const CHUNKS: &str = "chunks.dat";
