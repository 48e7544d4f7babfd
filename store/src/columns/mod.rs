//! Columns, whatever signal they are of: values in memory, dictionaries, pages and their encodings, statistics.

mod chunk_plan;
mod chunk_writer;
mod column;
mod data_page;
mod dictionary;
mod encoding;
mod map_chunk;
mod packing;
mod page_pick;
mod spec;
mod statistics;

pub(crate) use chunk_writer::{BLOOM_VALUES_MIN, ChunkWriter};
pub(crate) use column::{ChunkView, Column, Values, ValuesView};
pub(crate) use data_page::{DataPage, Entries, decode_plain_bytes, decode_plain_words};
pub(crate) use dictionary::Dictionary;
pub(crate) use encoding::{BadEncoding, page};
pub(crate) use map_chunk::{Entries as MapEntries, Leaf, MapRows, map_type};
pub(crate) use packing::Packing;
pub(crate) use spec::{ColumnSpec, Kind, Nature};
