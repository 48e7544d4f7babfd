//! The events of a span.

use super::{Attributes, ScanError};
use crate::otlp::{
    admission::{Check, Trusted},
    wire::{Cursor, Occurrences, Repeated, bytes_key, fixed64_key, varint_key},
};

/// Repeated Event fields of a span.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events<'a>(pub(super) Repeated<'a>);

/// One event.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventView<'a> {
    /// Unix ns.
    pub time_ns: u64,
    /// Its name.
    pub name: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Dropped by the SDK.
    pub dropped_attributes_count: u32,
}

impl<'a> Events<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Each event, in order.
    pub fn iter(&self) -> impl Iterator<Item = EventView<'a>> + use<'a> {
        self.0.iter().map_while(|message| event(message, &mut Trusted).ok())
    }
}

const TIME: u32 = fixed64_key(1);
const NAME: u32 = bytes_key(2);
const ATTRIBUTE_FIELD: u32 = 3;
const ATTRIBUTE: u32 = bytes_key(ATTRIBUTE_FIELD);
const DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(4);

/// Reads an Event.
pub(super) fn event<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<EventView<'a>, ScanError> {
    let mut view = EventView::default();
    let mut attributes = Occurrences::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            TIME => view.time_ns = cursor.fixed64()?,
            NAME => {
                view.name = cursor.bytes()?;
                check.string(view.name);
            }
            ATTRIBUTE => {
                check.attribute(cursor.bytes()?)?;
                attributes.add(left, cursor.left());
            }
            DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            unknown => cursor.skip_unknown(unknown, 1..=4)?,
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, ATTRIBUTE_FIELD));
    Ok(view)
}
