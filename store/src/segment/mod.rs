//! Segments: immutable directories of files made from a run of journal files, or by merging segments.
//!
//! [`SpanBuilder`] gathers journalled spans into columns, [`write_segment`] writes them, [`Segment`] answers queries, [`merge`]
//! makes one segment of several. The files are described in docs/formats.md.

mod attributes;
mod builder;
mod chunk_plan;
mod chunk_reader;
mod chunk_writer;
mod column;
mod contexts;
mod dictionary;
mod encoding;
mod error;
mod event_tokens;
mod events;
mod files;
mod id;
mod json;
mod json_entry;
mod manifest;
mod matching;
mod merge;
mod moves;
mod open;
mod operations;
mod promotion;
mod record;
mod scan;
mod schema;
mod search;
mod selection;
mod shapes;
mod spans_file;
mod statistics;
mod tags;
mod trace_index;
mod trace_rows;
mod traces;
mod write;

#[cfg(test)]
pub(crate) mod tests;

pub use builder::{ChosenSpan, PAYLOAD_BYTES_MAX, SpanBuilder};
pub use error::SegmentError;
pub use id::{InvalidSegmentName, SegmentId};
pub use manifest::SegmentTally;
pub(crate) use manifest::check_format;
pub(crate) use matching::Wanted;
pub use merge::{merge, salvage};
pub use open::Segment;
pub use scan::attribute_in_json;
pub(crate) use scan::{HeadRow, ScanRows, SegmentPart, is_string_only, passes};
pub use search::Searched;
pub use write::write_segment;
