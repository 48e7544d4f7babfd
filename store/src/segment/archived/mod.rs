//! The archive's copy of a segment: one Parquet file that is the segment's and an open table's.
//!
//! It has the table's columns, which anybody reads (docs/tables.md), and, under names that begin with `_weir_`, what only a segment
//! has. Columns that are the same in both are there once.

mod columns;
mod embedded;
mod gathered;
mod index;
mod plan;
mod stub;
mod write;

pub(crate) use columns::{ColumnType, TABLE_VERSION, table_columns};
pub(crate) use embedded::{END_BYTES, EmbeddedManifest, footer_range};
pub(in crate::segment) use embedded::{embedded, not_known};
pub(crate) use stub::{ArchivedManifest, WrittenFiles, footer_of, index_path, write_stub};
pub(crate) use write::write_archived;
