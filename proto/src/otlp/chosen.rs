//! The walk over a journalled payload for a few of its items: the others are passed over by their lengths.

use super::{
    ResourceView, ScanError,
    admission::Trusted,
    resource::{Owned, owned, resource_view, scope_view},
    scan::{Place, RESOURCE_ITEMS, Scanned, position, positioned},
    wire::Cursor,
};

/// Calls `on_item` for the items at these ordinals (ascending, each once), as a whole scan would show them.
pub(super) fn scan_chosen<'a, S: Scanned<'a>>(
    payload: &'a [u8],
    ordinals: impl IntoIterator<Item = u32>,
    on_item: impl FnMut(&S),
) -> Result<(), ScanError> {
    positioned(payload, walk(payload, ordinals.into_iter(), on_item))
}

fn walk<'a, S: Scanned<'a>>(
    payload: &'a [u8],
    mut wanted: impl Iterator<Item = u32>,
    mut on_item: impl FnMut(&S),
) -> Result<(), ScanError> {
    let Some(mut next) = wanted.next() else { return Ok(()) };
    let (mut ordinal, mut resource_ordinal, mut scope_ordinal) = (0, 0, 0);
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let key = cursor.key()?;
        if key != RESOURCE_ITEMS {
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
                None => *resource.insert(resource_view(&parts, &mut Trusted)?),
            };
            let scope = scope_view(&scope_parts, &mut Trusted)?;
            let mut scanned = S::within(Place { resource, resource_ordinal, scope, scope_ordinal });
            for message in scope_parts.children.iter() {
                if ordinal == next {
                    scanned.read(message, position(payload, message), ordinal, &mut Trusted)?;
                    on_item(&scanned);
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
