//! The walk over a payload of any signal: resources, their scopes, their items.

use super::{
    Checks, ResourceView, ScanError, ScopeView,
    admission::{Admission, Check, Trusted},
    resource::{in_resource, in_scope},
    wire::{Cursor, WireError, bytes_key},
};

/// What surrounds an item, and its place among its like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) resource: ResourceView<'a>,
    pub(super) resource_ordinal: u32,
    pub(super) scope: ScopeView<'a>,
    pub(super) scope_ordinal: u32,
}

/// An item of some signal with what surrounds it, as a scan hands it out.
pub(super) trait Scanned<'a>: Sized {
    /// One for all items of a scope: views are large, and copies of them would cost as much as reading the item.
    fn within(place: Place<'a>) -> Self;

    /// Reads an item that starts at `position` of the payload in place of the one before.
    fn read<C: Check>(
        &mut self,
        message: &'a [u8],
        position: u32,
        ordinal: u32,
        check: &mut C,
    ) -> Result<(), ScanError>;
}

/// Walks the payload once, in order, calling `on_item` for each item. Allocates nothing.
pub(super) fn scan<'a, S: Scanned<'a>>(
    payload: &'a [u8],
    checks: Checks,
    on_item: impl FnMut(&S),
) -> Result<(), ScanError> {
    if u32::try_from(payload.len()).is_err() {
        return Err(WireError::Malformed { at: 0, what: "payload beyond 4 GiB" }.into());
    }
    let walked = match checks {
        Checks::Admission(limits) => walk(payload, Admission::new(limits), on_item),
        Checks::Journalled => walk(payload, Trusted, on_item),
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

/// Where a part of the payload starts in it.
#[inline(always)]
pub(super) fn position(payload: &[u8], message: &[u8]) -> u32 {
    (message.as_ptr().addr() - payload.as_ptr().addr()) as u32
}

/// ResourceSpans, ResourceLogs.
pub(super) const RESOURCE_ITEMS: u32 = bytes_key(1);

fn walk<'a, S: Scanned<'a>, C: Check>(
    payload: &'a [u8],
    mut check: C,
    mut on_item: impl FnMut(&S),
) -> Result<(), ScanError> {
    let (mut ordinal, mut resource_ordinal, mut scope_ordinal) = (0, 0, 0);
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let key = cursor.key()?;
        if key != RESOURCE_ITEMS {
            cursor.skip_unknown(key, 1..=1)?;
            continue;
        }
        // a fault of the resource is one of each of its items, and so is a fault of the scope
        check.start(None);
        let (resource, scopes) = in_resource(cursor.bytes()?, &mut check)?;
        let resource_fault = check.fault();
        for scope_message in scopes.iter() {
            check.start(resource_fault);
            let (scope, items) = in_scope(scope_message, &mut check)?;
            let scope_fault = check.fault();
            let mut scanned = S::within(Place { resource, resource_ordinal, scope, scope_ordinal });
            for message in items.iter() {
                check.start(scope_fault);
                check.item_bytes(message.len());
                scanned.read(message, position(payload, message), ordinal, &mut check)?;
                on_item(&scanned);
                ordinal += 1;
            }
            scope_ordinal += 1;
        }
        resource_ordinal += 1;
    }
    Ok(())
}
