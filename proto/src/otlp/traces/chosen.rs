//! The walk over a journalled payload for a few of its spans: the others are passed over by their lengths.

use super::{
    ResourceView, ScanError, ScannedSpan, SpanView,
    admission::Trusted,
    resource::{self, Owned, owned},
    scan::{RESOURCE_SPANS, positioned},
    span::read_span,
};
use crate::otlp::wire::Cursor;

/// Calls `on_span` for the spans at these ordinals (ascending, each once), as [`scan`](super::scan) would show them.
///
/// What surrounds a span is read only when the span is wanted, nothing behind the last one at all. A fault in what is passed
/// over is not seen: the payload was scanned when it was admitted. After an error, what `on_span` got is void.
pub fn scan_chosen<'a>(
    payload: &'a [u8],
    ordinals: impl IntoIterator<Item = u32>,
    on_span: impl FnMut(&ScannedSpan<'a>),
) -> Result<(), ScanError> {
    positioned(payload, walk(payload, ordinals.into_iter(), on_span))
}

fn walk<'a>(
    payload: &'a [u8],
    mut wanted: impl Iterator<Item = u32>,
    mut on_span: impl FnMut(&ScannedSpan<'a>),
) -> Result<(), ScanError> {
    let Some(mut next) = wanted.next() else { return Ok(()) };
    let (mut ordinal, mut resource_ordinal, mut scope_ordinal) = (0, 0, 0);
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let key = cursor.key()?;
        if key != RESOURCE_SPANS {
            cursor.skip_unknown(key, 1..=1)?;
            continue;
        }
        let parts: Owned<'a> = owned(cursor.bytes()?, &mut Trusted)?;
        let mut resource: Option<ResourceView<'a>> = None;
        for scope_message in parts.children.iter() {
            let scope_parts = owned(scope_message, &mut Trusted)?;
            let end = ordinal + scope_parts.children.len() as u32;
            if next >= end {
                ordinal = end;
                scope_ordinal += 1;
                continue;
            }
            let resource = match resource {
                Some(resource) => resource,
                None => *resource.insert(resource::resource_view(&parts, &mut Trusted)?),
            };
            let scope = resource::scope_view(&scope_parts, &mut Trusted)?;
            // As in the whole scan, one view for all spans of the scope.
            let (span, fault) = (SpanView::default(), None);
            let mut scanned = ScannedSpan { ordinal, resource, resource_ordinal, scope, scope_ordinal, span, fault };
            for message in scope_parts.children.iter() {
                if ordinal == next {
                    let position = (message.as_ptr().addr() - payload.as_ptr().addr()) as u32;
                    read_span(message, position, &mut Trusted, &mut scanned.span)?;
                    scanned.ordinal = ordinal;
                    on_span(&scanned);
                    match wanted.next() {
                        Some(wanted) => next = wanted,
                        None => return Ok(()),
                    }
                }
                ordinal += 1;
            }
            scope_ordinal += 1;
        }
        resource_ordinal += 1;
    }
    Ok(())
}
