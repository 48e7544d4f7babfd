//! One row for each span that a scan shows.

use weir_proto::otlp::{
    messages::trace::v1::Span,
    traces::{Checks, ScanError, ScannedSpan, scan, scan_chosen},
};

use crate::expected::Row;

/// Scans and reads everything that the views show.
pub(crate) fn viewed_rows(payload: &[u8], checks: Checks) -> Result<Vec<Row>, ScanError> {
    let mut rows = Vec::new();
    scan(payload, checks, |scanned| rows.push(row(payload, scanned)))?;
    Ok(rows)
}

/// The same for some spans.
pub(crate) fn chosen_rows(payload: &[u8], ordinals: &[u32]) -> Result<Vec<Row>, ScanError> {
    let mut rows = Vec::new();
    scan_chosen(payload, ordinals.iter().copied(), |scanned| rows.push(row(payload, scanned)))?;
    Ok(rows)
}

fn row(payload: &[u8], scanned: &ScannedSpan<'_>) -> Row {
    let position = scanned.span.position as usize;
    assert_eq!(&payload[position..position + scanned.span.bytes.len()], scanned.span.bytes);
    let span = scanned.span.to_message();
    assert!(span.attributes.len() <= scanned.span.attributes.len());
    Row {
        ordinal: scanned.ordinal,
        resource_ordinal: scanned.resource_ordinal,
        scope_ordinal: scanned.scope_ordinal,
        resource: scanned.resource.to_message(),
        resource_schema_url: text(scanned.resource.schema_url),
        service: text(scanned.resource.service),
        scope: scanned.scope.to_message(),
        scope_schema_url: text(scanned.scope.schema_url),
        // An empty status is as good as none.
        span: Span { status: Some(span.status.unwrap_or_default()), ..span },
    }
}

/// Damaged bytes may hold anything.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
