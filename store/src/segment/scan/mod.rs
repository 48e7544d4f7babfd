//! Reads row groups into Arrow record batches: narrows the rows by the filter, then reads the wanted columns of those left.
//!
//! [`ScanRows`] fills the same columns from spans of the head.

mod alignment;
mod arrays;
pub(super) mod attribute;
pub(super) mod bodies;
mod body;
mod classes;
mod contains;
mod entries;
mod fields;
pub(super) mod gather;
mod group;
mod labels;
mod line_rows;
mod narrow;
mod passing;
mod prune;
mod resources;
mod rows;
mod tagged;
mod tally;

pub use attribute::attribute_in_json;
pub(crate) use body::{BodyField, last_part, passes as field_passes, structured_text};
pub(crate) use group::NarrowedRows;
pub(crate) use line_rows::{LineScanRows, write_resource};
pub(crate) use passing::{is_string_only, passes};
pub use prune::SegmentPart;
pub(super) use prune::within;
pub(crate) use rows::{HeadRow, ScanRows};
pub(crate) use tally::is_countable;

use super::schema::Table;
use crate::ask::request::ScanColumn;

/// The table's column that a scan's column is, where it is one: they have the same names.
fn fixed_column(table: &Table, column: &ScanColumn) -> Option<usize> {
    match column {
        ScanColumn::EndTime | ScanColumn::State | ScanColumn::Attribute { .. } | ScanColumn::Attributes(_) => None,
        ScanColumn::AttributesNamed(_) | ScanColumn::HasFields | ScanColumn::PlainBody => None,
        ScanColumn::Field(_) | ScanColumn::BodyLevel => None,
        fixed => table.number(&fixed.name()),
    }
}
