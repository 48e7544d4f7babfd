//! The links of a span.

use super::{Attributes, ScanError};
use crate::otlp::{
    admission::{Check, Trusted},
    wire::{Cursor, Occurrences, Repeated, bytes_key, fixed32_key, varint_key},
};

/// Repeated Link fields of a span.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links<'a>(pub(super) Repeated<'a>);

/// One link.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkView<'a> {
    /// 16 bytes when valid.
    pub trace_id: &'a [u8],
    /// 8 bytes when valid.
    pub span_id: &'a [u8],
    /// W3C tracestate.
    pub trace_state: &'a [u8],
    /// W3C trace flags.
    pub flags: u32,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Dropped by the SDK.
    pub dropped_attributes_count: u32,
}

impl<'a> Links<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Each link, in order.
    pub fn iter(&self) -> impl Iterator<Item = LinkView<'a>> + use<'a> {
        self.0.iter().map_while(|message| link(message, &mut Trusted).ok())
    }
}

const TRACE_ID: u32 = bytes_key(1);
const SPAN_ID: u32 = bytes_key(2);
const TRACE_STATE: u32 = bytes_key(3);
const ATTRIBUTE_FIELD: u32 = 4;
const ATTRIBUTE: u32 = bytes_key(ATTRIBUTE_FIELD);
const DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(5);
const FLAGS: u32 = fixed32_key(6);

/// Reads a Link.
pub(super) fn link<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<LinkView<'a>, ScanError> {
    let mut view = LinkView::default();
    let mut attributes = Occurrences::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            TRACE_ID => view.trace_id = cursor.bytes()?,
            SPAN_ID => view.span_id = cursor.bytes()?,
            TRACE_STATE => {
                view.trace_state = cursor.bytes()?;
                check.string(view.trace_state);
            }
            ATTRIBUTE => {
                check.attribute(cursor.bytes()?)?;
                attributes.add(left, cursor.left());
            }
            DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            FLAGS => view.flags = cursor.fixed32()?,
            unknown => cursor.skip_unknown(unknown, 1..=6)?,
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, ATTRIBUTE_FIELD));
    Ok(view)
}
