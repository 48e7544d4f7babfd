//! Reads a Span message and the Status inside it.

use super::{Attributes, Events, Links, ScanError, SpanView, events::event, links::link};
use crate::otlp::{
    admission::Check,
    wire::{Cursor, Occurrences, bytes_key, fixed32_key, fixed64_key, varint_key},
};

const TRACE_ID: u32 = bytes_key(1);
const SPAN_ID: u32 = bytes_key(2);
const TRACE_STATE: u32 = bytes_key(3);
const PARENT_SPAN_ID: u32 = bytes_key(4);
const NAME: u32 = bytes_key(5);
const KIND: u32 = varint_key(6);
const START: u32 = fixed64_key(7);
const END: u32 = fixed64_key(8);
const ATTRIBUTE_FIELD: u32 = 9;
const ATTRIBUTE: u32 = bytes_key(ATTRIBUTE_FIELD);
const DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(10);
const EVENT_FIELD: u32 = 11;
const EVENT: u32 = bytes_key(EVENT_FIELD);
const DROPPED_EVENTS_COUNT: u32 = varint_key(12);
const LINK_FIELD: u32 = 13;
const LINK: u32 = bytes_key(LINK_FIELD);
const DROPPED_LINKS_COUNT: u32 = varint_key(14);
const STATUS: u32 = bytes_key(15);
const FLAGS: u32 = fixed32_key(16);

/// Reads a Span that starts at `position` of the payload into `view`, whatever that held before.
pub(super) fn read_span<'a, C: Check>(
    message: &'a [u8],
    position: u32,
    check: &mut C,
    view: &mut SpanView<'a>,
) -> Result<(), ScanError> {
    *view = SpanView { bytes: message, position, ..SpanView::default() };
    let (mut attributes, mut events, mut links) =
        (Occurrences::default(), Occurrences::default(), Occurrences::default());
    let mut status_seen = false;
    let mut cursor = Cursor::new(message);
    // Encoders write fields by their numbers: each of these is told by one look, instead of a turn of the loop.
    if let Some(id) = cursor.next_short(TRACE_ID) {
        view.trace_id = id;
    }
    if let Some(id) = cursor.next_short(SPAN_ID) {
        view.span_id = id;
    }
    if let Some(id) = cursor.next_short(PARENT_SPAN_ID) {
        view.parent_span_id = id;
    }
    if let Some(name) = cursor.next_short(NAME) {
        view.name = name;
        check.string(name);
    }
    if let Some(kind) = cursor.next_small(KIND) {
        view.kind = i32::from(kind);
    }
    if let Some(start_ns) = cursor.next_fixed64(START) {
        view.start_ns = start_ns;
    }
    if let Some(end_ns) = cursor.next_fixed64(END) {
        view.end_ns = end_ns;
    }
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            TRACE_ID => view.trace_id = cursor.bytes()?,
            SPAN_ID => view.span_id = cursor.bytes()?,
            TRACE_STATE => {
                view.trace_state = cursor.bytes()?;
                check.string(view.trace_state);
            }
            PARENT_SPAN_ID => view.parent_span_id = cursor.bytes()?,
            NAME => {
                view.name = cursor.bytes()?;
                check.string(view.name);
            }
            KIND => view.kind = cursor.varint()? as i32,
            START => view.start_ns = cursor.fixed64()?,
            END => view.end_ns = cursor.fixed64()?,
            ATTRIBUTE => {
                let mut attribute = cursor.bytes()?;
                let mut count = 1;
                // They come one after the other, and are most of the span.
                loop {
                    check.attribute(attribute)?;
                    let Some(next) = cursor.next_short(ATTRIBUTE) else { break };
                    attribute = next;
                    count += 1;
                }
                attributes.add_run(left, cursor.left(), count);
            }
            DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            EVENT => {
                let message = cursor.bytes()?;
                if C::LOOKS_AHEAD {
                    event(message, check)?;
                }
                events.add(left, cursor.left());
            }
            DROPPED_EVENTS_COUNT => view.dropped_events_count = cursor.varint()? as u32,
            LINK => {
                let message = cursor.bytes()?;
                if C::LOOKS_AHEAD {
                    link(message, check)?;
                }
                links.add(left, cursor.left());
            }
            DROPPED_LINKS_COUNT => view.dropped_links_count = cursor.varint()? as u32,
            STATUS => {
                // protobuf would merge the two
                if std::mem::replace(&mut status_seen, true) {
                    return Err(ScanError::NotCanonical);
                }
                (view.status_code, view.status_message) = status(cursor.bytes()?, check)?;
            }
            FLAGS => view.flags = cursor.fixed32()?,
            unknown => cursor.skip_unknown(unknown, 1..=16)?,
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, ATTRIBUTE_FIELD));
    view.keys = check.keys();
    view.events = Events(events.of(message, EVENT_FIELD));
    view.links = Links(links.of(message, LINK_FIELD));
    Ok(())
}

const STATUS_MESSAGE: u32 = bytes_key(2);
const STATUS_CODE: u32 = varint_key(3);

/// Reads a Status: its code and message.
fn status<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<(i32, &'a [u8]), ScanError> {
    let mut code = 0;
    let mut text: &[u8] = &[];
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            STATUS_MESSAGE => {
                text = cursor.bytes()?;
                check.string(text);
            }
            STATUS_CODE => code = cursor.varint()? as i32,
            unknown => cursor.skip_unknown(unknown, 2..=3)?,
        }
    }
    Ok((code, text))
}
