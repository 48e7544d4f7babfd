//! Reads what surrounds items: Resource, InstrumentationScope and the messages that pair them with their items.

use super::{Attributes, ResourceView, ScanError, ScopeView, ValueView, admission::Check};
use crate::otlp::wire::{Cursor, Occurrences, Repeated, bytes_key, varint_key};

/// OpenTelemetry's name for a service that gave none (semantic conventions, `service.name`).
pub const UNKNOWN_SERVICE: &str = "unknown_service";

const RESOURCE: u32 = bytes_key(1);
const SCOPE: u32 = bytes_key(1);
const CHILD_FIELD: u32 = 2;
const CHILD: u32 = bytes_key(CHILD_FIELD);
const SCHEMA_URL: u32 = bytes_key(3);

/// What ResourceSpans, ScopeSpans and their like have in common: an owner (the resource or scope), its children (scopes or items) and a
/// schema URL, of which one or the other is written behind the children. So the children are passed over once before they are read.
pub(super) struct Owned<'a> {
    owner: Option<&'a [u8]>,
    pub(super) children: Repeated<'a>,
    schema_url: &'a [u8],
}

/// Passes over the children of a ResourceSpans, ScopeSpans or their like; the owner is not looked into.
pub(super) fn owned<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<Owned<'a>, ScanError> {
    const { assert!(RESOURCE == SCOPE) };
    let mut owner = None;
    let mut children = Occurrences::default();
    let mut schema_url: &[u8] = &[];
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            CHILD => {
                cursor.bytes()?;
                children.add(left, cursor.left());
            }
            RESOURCE => {
                // Behind the children as well: the Collector writes fields from the last to the first. Two would be merged.
                if owner.is_some() {
                    return Err(ScanError::NotCanonical);
                }
                owner = Some(cursor.bytes()?);
            }
            SCHEMA_URL => {
                schema_url = cursor.bytes()?;
                check.string(schema_url);
            }
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    Ok(Owned { owner, children: children.of(message, CHILD_FIELD), schema_url })
}

/// Reads a ResourceSpans or its like: its resource and its encoded scopes.
pub(super) fn in_resource<'a, C: Check>(
    message: &'a [u8],
    check: &mut C,
) -> Result<(ResourceView<'a>, Repeated<'a>), ScanError> {
    let parts = owned(message, check)?;
    Ok((resource_view(&parts, check)?, parts.children))
}

/// Reads the resource of a ResourceSpans or its like.
pub(super) fn resource_view<'a, C: Check>(parts: &Owned<'a>, check: &mut C) -> Result<ResourceView<'a>, ScanError> {
    let mut view =
        ResourceView { service: UNKNOWN_SERVICE.as_bytes(), schema_url: parts.schema_url, ..ResourceView::default() };
    if let Some(bytes) = parts.owner {
        resource(bytes, &mut view, check)?;
    }
    Ok(view)
}

/// Reads a ScopeSpans or its like: its scope and its encoded items.
pub(super) fn in_scope<'a, C: Check>(
    message: &'a [u8],
    check: &mut C,
) -> Result<(ScopeView<'a>, Repeated<'a>), ScanError> {
    let parts = owned(message, check)?;
    Ok((scope_view(&parts, check)?, parts.children))
}

/// Reads the scope of a ScopeSpans or its like.
pub(super) fn scope_view<'a, C: Check>(parts: &Owned<'a>, check: &mut C) -> Result<ScopeView<'a>, ScanError> {
    let mut view = ScopeView { schema_url: parts.schema_url, ..ScopeView::default() };
    if let Some(bytes) = parts.owner {
        scope(bytes, &mut view, check)?;
    }
    Ok(view)
}

const RESOURCE_ATTRIBUTE_FIELD: u32 = 1;
const RESOURCE_ATTRIBUTE: u32 = bytes_key(RESOURCE_ATTRIBUTE_FIELD);
const RESOURCE_DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(2);
const RESOURCE_ENTITY_REF: u32 = bytes_key(3);

fn resource<'a, C: Check>(message: &'a [u8], view: &mut ResourceView<'a>, check: &mut C) -> Result<(), ScanError> {
    view.bytes = message;
    let mut attributes = Occurrences::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            RESOURCE_ATTRIBUTE => {
                check.attribute(cursor.bytes()?)?;
                attributes.add(left, cursor.left());
            }
            RESOURCE_DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            RESOURCE_ENTITY_REF => entity_ref(cursor.bytes()?, check)?,
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, RESOURCE_ATTRIBUTE_FIELD));
    for attribute in view.attributes.iter() {
        if let (b"service.name", ValueView::Str(name @ [_, ..])) = (attribute.key, attribute.value) {
            view.service = name;
            break;
        }
    }
    Ok(())
}

const ENTITY_SCHEMA_URL: u32 = bytes_key(1);
const ENTITY_TYPE: u32 = bytes_key(2);
const ENTITY_ID_KEY: u32 = bytes_key(3);
const ENTITY_DESCRIPTION_KEY: u32 = bytes_key(4);

/// Checks an EntityRef, of which no view shows anything yet: it is a message that other readers decode.
fn entity_ref<C: Check>(message: &[u8], check: &mut C) -> Result<(), ScanError> {
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            ENTITY_SCHEMA_URL | ENTITY_TYPE | ENTITY_ID_KEY | ENTITY_DESCRIPTION_KEY => check.string(cursor.bytes()?),
            unknown => cursor.skip_unknown(unknown, 1..=4)?,
        }
    }
    Ok(())
}

const SCOPE_NAME: u32 = bytes_key(1);
const SCOPE_VERSION: u32 = bytes_key(2);
const SCOPE_ATTRIBUTE_FIELD: u32 = 3;
const SCOPE_ATTRIBUTE: u32 = bytes_key(SCOPE_ATTRIBUTE_FIELD);
const SCOPE_DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(4);

fn scope<'a, C: Check>(message: &'a [u8], view: &mut ScopeView<'a>, check: &mut C) -> Result<(), ScanError> {
    view.bytes = message;
    let mut attributes = Occurrences::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            SCOPE_NAME => {
                view.name = cursor.bytes()?;
                check.string(view.name);
            }
            SCOPE_VERSION => {
                view.version = cursor.bytes()?;
                check.string(view.version);
            }
            SCOPE_ATTRIBUTE => {
                check.attribute(cursor.bytes()?)?;
                attributes.add(left, cursor.left());
            }
            SCOPE_DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            unknown => cursor.skip_unknown(unknown, 1..=4)?,
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, SCOPE_ATTRIBUTE_FIELD));
    Ok(())
}
