//! Reads a LogRecord message.

use super::{Attributes, Implied, LineView, ScanError, implied};
use crate::otlp::{
    admission::Check,
    attributes::any_value,
    wire::{Cursor, Occurrences, bytes_key, fixed32_key, fixed64_key, varint_key},
};

const TIME: u32 = fixed64_key(1);
const SEVERITY_NUMBER: u32 = varint_key(2);
const SEVERITY_TEXT: u32 = bytes_key(3);
const BODY: u32 = bytes_key(5);
const ATTRIBUTE_FIELD: u32 = 6;
const ATTRIBUTE: u32 = bytes_key(ATTRIBUTE_FIELD);
const DROPPED_ATTRIBUTES_COUNT: u32 = varint_key(7);
const FLAGS: u32 = fixed32_key(8);
const TRACE_ID: u32 = bytes_key(9);
const SPAN_ID: u32 = bytes_key(10);
const OBSERVED_TIME: u32 = fixed64_key(11);
const EVENT_NAME: u32 = bytes_key(12);
/// Weir's own: no sender's, and of no version of OTLP.
const IMPLIED: u32 = varint_key(implied::FIELD);

/// The numbers of a LogRecord's fields; 4 was once a name and is passed over like an unknown one.
const FIELDS: [std::ops::RangeInclusive<u32>; 2] = [1..=3, 5..=12];

/// Reads a LogRecord that starts at `position` of the payload into `view`, whatever that held before.
pub(super) fn read_line<'a, C: Check>(
    message: &'a [u8],
    position: u32,
    check: &mut C,
    view: &mut LineView<'a>,
) -> Result<(), ScanError> {
    *view = LineView { bytes: message, position, ..LineView::default() };
    let mut attributes = Occurrences::default();
    let mut body_seen = false;
    let mut cursor = Cursor::new(message);
    // Encoders write fields by their numbers: each of these is told by one look, instead of a turn of the loop.
    if let Some(time_ns) = cursor.next_fixed64(TIME) {
        view.time_ns = time_ns;
    }
    if let Some(severity) = cursor.next_small(SEVERITY_NUMBER) {
        view.severity_number = i32::from(severity);
    }
    if let Some(text) = cursor.next_short(SEVERITY_TEXT) {
        view.severity_text = text;
        check.string(text);
    }
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            TIME => view.time_ns = cursor.fixed64()?,
            SEVERITY_NUMBER => view.severity_number = cursor.varint()? as i32,
            SEVERITY_TEXT => {
                view.severity_text = cursor.bytes()?;
                check.string(view.severity_text);
            }
            BODY => {
                // protobuf would merge the two
                if std::mem::replace(&mut body_seen, true) {
                    return Err(ScanError::NotCanonical);
                }
                view.body = any_value(cursor.bytes()?, check)?;
            }
            ATTRIBUTE => {
                let mut attribute = cursor.bytes()?;
                let mut count = 1;
                // They come one after the other, and are most of the line.
                loop {
                    check.attribute(attribute)?;
                    let Some(next) = cursor.next_short(ATTRIBUTE) else { break };
                    attribute = next;
                    count += 1;
                }
                attributes.add_run(left, cursor.left(), count);
            }
            DROPPED_ATTRIBUTES_COUNT => view.dropped_attributes_count = cursor.varint()? as u32,
            FLAGS => view.flags = cursor.fixed32()?,
            TRACE_ID => view.trace_id = cursor.bytes()?,
            SPAN_ID => view.span_id = cursor.bytes()?,
            OBSERVED_TIME => view.observed_ns = cursor.fixed64()?,
            EVENT_NAME => {
                view.event_name = cursor.bytes()?;
                check.string(view.event_name);
            }
            IMPLIED => view.implied = Implied::of_number(cursor.varint()?),
            unknown => {
                let [low, high] = FIELDS;
                cursor.skip_unknown(unknown, if unknown >> 3 < 4 { low } else { high })?;
            }
        }
    }
    check.attributes_count(attributes.count());
    view.attributes = Attributes(attributes.of(message, ATTRIBUTE_FIELD));
    Ok(())
}
