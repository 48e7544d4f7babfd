//! The walk over a payload: resources, their scopes, their spans.

use super::{
    Checks, ScanError, ScannedSpan, SpanView,
    admission::{Admission, Check, Trusted},
    resource::{resource_spans, scope_spans},
    span::read_span,
};
use crate::otlp::wire::{Cursor, WireError, bytes_key};

/// Walks the payload once, in order, calling `on_span` for each span. Allocates nothing.
///
/// After an error, what `on_span` gathered from the spans before it is void. A payload has at most 4 GiB.
pub fn scan<'a>(payload: &'a [u8], checks: Checks, on_span: impl FnMut(&ScannedSpan<'a>)) -> Result<(), ScanError> {
    if u32::try_from(payload.len()).is_err() {
        return Err(WireError::Malformed { at: 0, what: "payload beyond 4 GiB" }.into());
    }
    let walked = match checks {
        Checks::Admission(limits) => walk(payload, Admission::new(limits), on_span),
        Checks::Journalled => walk(payload, Trusted, on_span),
    };
    positioned(payload, walked)
}

/// Makes the place of an error one in the payload.
pub(super) fn positioned(payload: &[u8], walked: Result<(), ScanError>) -> Result<(), ScanError> {
    walked.map_err(|error| match error {
        ScanError::Wire(wire) => wire.within(payload).into(),
        ScanError::NotCanonical => error,
    })
}

pub(super) const RESOURCE_SPANS: u32 = bytes_key(1);

fn walk<'a, C: Check>(
    payload: &'a [u8],
    mut check: C,
    mut on_span: impl FnMut(&ScannedSpan<'a>),
) -> Result<(), ScanError> {
    let (mut ordinal, mut resource_ordinal, mut scope_ordinal) = (0, 0, 0);
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let key = cursor.key()?;
        if key != RESOURCE_SPANS {
            cursor.skip_unknown(key, 1..=1)?;
            continue;
        }
        // a fault of the resource is one of each of its spans, and so is a fault of the scope
        check.start(None);
        let (resource, scopes) = resource_spans(cursor.bytes()?, &mut check)?;
        let resource_fault = check.fault();
        for scope_message in scopes.iter() {
            check.start(resource_fault);
            let (scope, spans) = scope_spans(scope_message, &mut check)?;
            let scope_fault = check.fault();
            // One for all spans of the scope: views are large, and copies of them would cost as much as reading the span.
            let (span, fault) = (SpanView::default(), None);
            let mut scanned = ScannedSpan { ordinal, resource, resource_ordinal, scope, scope_ordinal, span, fault };
            for message in spans.iter() {
                check.start(scope_fault);
                check.span_bytes(message.len());
                let position = (message.as_ptr().addr() - payload.as_ptr().addr()) as u32;
                read_span(message, position, &mut check, &mut scanned.span)?;
                scanned.ordinal = ordinal;
                scanned.fault = check.fault();
                on_span(&scanned);
                ordinal += 1;
            }
            scope_ordinal += 1;
        }
        resource_ordinal += 1;
    }
    Ok(())
}
