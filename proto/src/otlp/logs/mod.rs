//! One pass over an ExportLogsServiceRequest: validates it and yields a view of each log record, which we call a line.

mod ids;
mod implied;
mod level;
mod line;
mod message;
mod names;
mod severity;
mod views;
mod written;

pub use ids::{IdFinder, IdNames, IdPlaces, LineIds};
pub use implied::{Expander, FIELD as IMPLIED_FIELD, Implied, json_number, write_members};
pub use level::{
    LEVEL_FIELDS, UNKNOWN_LEVEL, detected_level, level_of_digits, level_of_severity, level_of_text, level_of_word,
    level_rank,
};
pub use severity::{severity_of_level, severity_of_syslog, severity_of_word};
pub use views::{LineView, ScannedLine};
pub use written::{Members, Pairs, RequestWriter, Written};

pub use super::{
    AttributeView, Attributes, Checks, ItemFault, Limits, RawAttribute, ResourceView, ScanError, ScopeView, ValueView,
};
use super::{checks, chosen, messages::collector::logs::v1::ExportLogsServiceRequest, scan, wire::WireError};

/// Walks the payload once, in order, calling `on_line` for each line. Allocates nothing.
///
/// After an error, what `on_line` gathered from the lines before it is void. A payload has at most 4 GiB.
pub fn scan<'a>(payload: &'a [u8], checks: Checks, on_line: impl FnMut(&ScannedLine<'a>)) -> Result<(), ScanError> {
    scan::scan(payload, checks, on_line)
}

/// Calls `on_line` for the lines at these ordinals (ascending, each once), as [`scan`] would show them.
///
/// What surrounds a line is read only when the line is wanted, nothing behind the last one at all. A fault in what is passed
/// over is not seen: the payload was scanned when it was admitted. After an error, what `on_line` got is void.
pub fn scan_chosen<'a>(
    payload: &'a [u8],
    ordinals: impl IntoIterator<Item = u32>,
    on_line: impl FnMut(&ScannedLine<'a>),
) -> Result<(), ScanError> {
    chosen::scan_chosen(payload, ordinals, on_line)
}

/// Decodes and encodes again with prost, which merges repeated fields and orders them. Unknown fields are lost.
///
/// Refuses what prost refuses: beside malformed bytes, any string that is not UTF-8 and messages nested deeper than 100.
pub fn canonical(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    checks::canonical::<ExportLogsServiceRequest>(payload)
}

#[cfg(test)]
mod tests;
