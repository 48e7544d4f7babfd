//! Reads row groups into Arrow record batches: narrows the rows by the filter, then reads the wanted columns of those left.
//!
//! [`ScanRows`] fills the same columns from spans of the head.

mod arrays;
mod attribute;
mod gather;
mod group;
mod narrow;
mod passing;
mod prune;
mod rows;

pub use attribute::attribute_in_json;
pub(crate) use passing::{is_string_only, passes};
pub(crate) use prune::SegmentPart;
pub(super) use prune::within;
pub(crate) use rows::{HeadRow, ScanRows};

use super::schema::fixed;
use crate::ScanColumn;

/// The column of the file that a scan's column is, where it is one.
fn fixed_column(column: &ScanColumn) -> Option<usize> {
    Some(match column {
        ScanColumn::TraceId => fixed::TRACE_ID,
        ScanColumn::SpanId => fixed::SPAN_ID,
        ScanColumn::ParentSpanId => fixed::PARENT_SPAN_ID,
        ScanColumn::StartTime => fixed::START_TIME,
        ScanColumn::Duration => fixed::DURATION,
        ScanColumn::Service => fixed::SERVICE,
        ScanColumn::Name => fixed::NAME,
        ScanColumn::Kind => fixed::KIND,
        ScanColumn::StatusCode => fixed::STATUS_CODE,
        ScanColumn::StatusMessage => fixed::STATUS_MESSAGE,
        ScanColumn::TraceState => fixed::TRACE_STATE,
        ScanColumn::Flags => fixed::FLAGS,
        ScanColumn::AdjustedCount => fixed::ADJUSTED_COUNT,
        ScanColumn::Events => fixed::EVENTS,
        ScanColumn::Links => fixed::LINKS,
        ScanColumn::ScopeName => fixed::SCOPE_NAME,
        ScanColumn::ScopeVersion => fixed::SCOPE_VERSION,
        ScanColumn::EndTime | ScanColumn::State | ScanColumn::Attribute { .. } | ScanColumn::Attributes(_) => {
            return None;
        }
    })
}
