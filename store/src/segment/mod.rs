//! Segments: immutable directories of files made from a run of journal files, or by merging segments.
//!
//! [`SpanBuilder`] gathers journalled spans into columns, [`write_segment`] writes them, [`Segment`] answers queries, [`merge`]
//! makes one segment of several. The files are described in docs/formats.md.

pub(crate) mod archived;
mod attributes;
mod bloom_block;
mod body_end;
mod body_fields;
mod body_table;
mod body_tokens;
mod builder;
mod carry;
mod chunk_reader;
mod contexts;
mod error;
mod event_tokens;
mod events;
mod field_column;
mod field_share;
mod files;
mod gathering;
mod id;
mod json;
mod json_entry;
mod line_builder;
mod line_record;
mod manifest;
mod matching;
mod merge;
mod moves;
mod open;
mod opened_page;
mod operations;
mod place_plan;
mod promotion;
mod rebuild;
mod record;
mod rows_file;
mod scan;
mod schema;
mod selection;
pub(crate) mod series;
mod shapes;
mod tags;
mod template;
mod told;
mod trace_index;
mod trace_rows;
mod traces;
mod write;

#[cfg(test)]
pub(crate) mod tests;

pub use builder::{ChosenSpan, SpanBuilder};
pub use error::SegmentError;
pub(crate) use files::ReadObject;
pub use gathering::{Builder, Gathering, PAYLOAD_BYTES_MAX};
pub use id::{InvalidSegmentName, SegmentId};
pub use line_builder::LineBuilder;
pub use manifest::SegmentTally;
pub(crate) use manifest::check_format;
pub(crate) use matching::Wanted;
pub use merge::{merge, merge_within, salvage};
pub use open::Segment;
pub(crate) use scan::{
    BodyField, HeadRow, LineScanRows, NarrowedRows, ScanRows, field_passes, is_countable, is_string_only, last_part,
    passes, structured_text, write_resource,
};
pub use scan::{SegmentPart, attribute_in_json};
pub use write::write_segment;
