//! Tags: most become attributes; some say what OTLP has fields for.

use std::borrow::Cow;

use super::span::SPAN_ATTRIBUTES;
use crate::{
    json::{JsonError, Reader},
    otlp::wire::Writer,
};

/// What tags said of the span beside its attributes.
#[derive(Debug, Default)]
pub(super) struct TagFields<'a> {
    pub(super) error: Option<Cow<'a, [u8]>>,
    pub(super) status_code: Option<Cow<'a, [u8]>>,
    pub(super) status_description: Option<Cow<'a, [u8]>>,
    pub(super) span_kind: Option<Cow<'a, [u8]>>,
    pub(super) trace_state: Cow<'a, [u8]>,
    pub(super) scope_name: Cow<'a, [u8]>,
    pub(super) scope_version: Cow<'a, [u8]>,
    /// Attributes that endpoints would give too: the tag goes before them. By index in [`ENDPOINT_KEYS`].
    pub(super) given: [bool; ENDPOINT_KEYS.len()],
}

/// Attributes that endpoints become.
pub(super) const ENDPOINT_KEYS: [&str; 5] =
    ["network.local.address", "network.local.port", "peer.service", "network.peer.address", "network.peer.port"];

impl<'a> TagFields<'a> {
    /// Reads the `tags` object; attributes go to `out`.
    pub(super) fn read(reader: &mut Reader<'a>, out: &mut Writer, parse: bool) -> Result<Self, JsonError> {
        let mut fields = Self::default();
        let mut members = reader.object()?;
        while let Some(key) = reader.key(&mut members)? {
            let value = scalar(reader)?;
            match &*key {
                b"otel.status_code" => fields.status_code = Some(value),
                b"otel.status_description" => fields.status_description = Some(value),
                b"span.kind" => fields.span_kind = Some(value),
                b"w3c.tracestate" => fields.trace_state = value,
                b"otel.scope.name" | b"otel.library.name" => fields.scope_name = value,
                b"otel.scope.version" | b"otel.library.version" => fields.scope_version = value,
                b"error" => fields.error = Some(value),
                _ => {
                    if let Some(index) = ENDPOINT_KEYS.iter().position(|name| name.as_bytes() == &*key) {
                        fields.given[index] = true;
                    }
                    attribute(out, &key, &typed(&value, parse));
                }
            }
        }
        Ok(fields)
    }
}

/// A tag's value. Zipkin has strings only; some senders write numbers and booleans bare.
fn scalar<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, [u8]>, JsonError> {
    match reader.peek() {
        Some(b'-' | b'0'..=b'9') => reader.number().map(Cow::Borrowed),
        Some(b't' | b'f') => {
            let start = reader.position();
            reader.boolean()?;
            Ok(Cow::Borrowed(reader.read_since(start)))
        }
        _ => reader.string(),
    }
}

/// An attribute's value.
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// What a tag's text means: with `parse` as the Collector's `parse_string_tags` has it.
pub(super) fn typed(text: &[u8], parse: bool) -> Value<'_> {
    let number = text.strip_prefix(b"-").unwrap_or(text);
    if !parse || number.is_empty() {
        return Value::Text(text);
    }
    match text {
        b"true" => return Value::Bool(true),
        b"false" => return Value::Bool(false),
        _ => {}
    }
    let digits_only = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let Ok(ascii) = std::str::from_utf8(text) else { return Value::Text(text) };
    if digits_only(number) {
        // A number beyond 64 bits stays text: as anything else it would lose digits.
        return ascii.parse().map_or(Value::Text(text), Value::Int);
    }
    match number.iter().position(|byte| *byte == b'.') {
        Some(dot) if digits_only(&number[..dot]) && digits_only(&number[dot + 1..]) => {
            ascii.parse().map_or(Value::Text(text), Value::Double)
        }
        _ => Value::Text(text),
    }
}

/// Writes a span's attribute.
pub(super) fn attribute(out: &mut Writer, key: &[u8], value: &Value<'_>) {
    key_value(out, SPAN_ATTRIBUTES, key, value);
}

/// Writes a KeyValue as field `number`.
pub(super) fn key_value(out: &mut Writer, number: u32, key: &[u8], value: &Value<'_>) {
    let key_value = out.begin(number, 1);
    out.bytes(1, key);
    let any_value = out.begin(2, 1);
    match value {
        Value::Text(text) => out.bytes(1, text),
        Value::Bool(value) => out.varint(2, u64::from(*value)),
        Value::Int(value) => out.varint(3, *value as u64),
        Value::Double(value) => out.fixed64(4, value.to_bits()),
    }
    out.end(any_value);
    out.end(key_value);
}
