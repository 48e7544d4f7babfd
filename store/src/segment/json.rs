//! The canonical JSON text of attribute values: written from the OTLP bytes, read back without loss.
//!
//! Strings, integers, doubles (always with a point, an exponent or both), booleans, arrays and objects are what they look like; an object may
//! have a key twice. `null` is an empty value. What JSON has no words for is an object with one key that starts with `$`:
//! `{"$bytes":"<base64>"}`, `{"$double":"NaN"|"Infinity"|"-Infinity"|"<16 hex digits of the bits>"}`. A key-value list whose own
//! first key starts with `$` is wrapped: `{"$object":{…}}`. So `{"$` always opens an escape, except at the top of an
//! attributes object.

use base64::{Engine, engine::general_purpose::STANDARD};
use weir_proto::otlp::{
    logs::write_members,
    messages::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    traces::{AttributeView, ValueView, array_values, key_values},
    wire::Writer,
};

/// Deepest nesting read back; admission refuses deeper AnyValues long before.
const DEPTH_MAX: u32 = 512;

/// Text that is not what this module writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bad JSON at byte {at}")]
pub(super) struct BadJson {
    /// Where.
    at: usize,
}

/// Appends a value.
pub(super) fn write_value(value: &ValueView<'_>, out: &mut Vec<u8>) {
    match value {
        ValueView::Empty => out.extend_from_slice(b"null"),
        ValueView::Str(text) => write_text(text, out),
        ValueView::Bool(value) => write_bool(*value, out),
        ValueView::Int(value) => write_display(value, out),
        ValueView::Double(value) => write_double(*value, out),
        ValueView::Bytes(bytes) => {
            out.extend_from_slice(b"{\"$bytes\":\"");
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.extend_from_slice(b"\"}");
        }
        ValueView::Array(array) => {
            out.push(b'[');
            for (index, element) in array_values(array).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(&element, out);
            }
            out.push(b']');
        }
        ValueView::KvList(list) => {
            let escaped = key_values(list).next().is_some_and(|first| first.key.starts_with(b"$"));
            if escaped {
                out.extend_from_slice(b"{\"$object\":");
            }
            write_object(key_values(list), out);
            if escaped {
                out.push(b'}');
            }
        }
    }
}

/// Appends a value that is JSON text already, as the value that it stands for would be written.
pub(super) fn write_json(text: &[u8], out: &mut Vec<u8>) {
    let mut member = Writer::with_capacity(2 * text.len());
    if write_members(&[b"{\"\":", text, b"}"].concat(), &mut member, 1).is_some() {
        key_values(member.written()).for_each(|member| write_value(&member.value, out));
    }
}

/// Appends attributes as an object.
pub(super) fn write_object<'a>(entries: impl Iterator<Item = AttributeView<'a>>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(entry.key, out);
        out.push(b':');
        write_value(&entry.value, out);
    }
    out.push(b'}');
}

/// Appends a boolean.
pub(super) fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends an integer.
pub(super) fn write_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{value}").expect("writing to a Vec does not fail");
}

/// Appends a double: the shortest text that reads back the same.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    use std::io::Write;
    if value.is_finite() {
        write!(out, "{value:?}").expect("writing to a Vec does not fail");
        return;
    }
    out.extend_from_slice(b"{\"$double\":\"");
    match value {
        f64::INFINITY => out.extend_from_slice(b"Infinity"),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Infinity"),
        _ if value.to_bits() == f64::NAN.to_bits() => out.extend_from_slice(b"NaN"),
        _ => write!(out, "{:016x}", value.to_bits()).expect("writing to a Vec does not fail"),
    }
    out.extend_from_slice(b"\"}");
}

/// Appends a string in quotes.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // Without an early end, so that it becomes vector instructions: hardly a text has anything to escape.
    if text.iter().fold(false, |any, &byte| any | must_escape(byte)) {
        write_escaped(text, out);
    } else {
        out.extend_from_slice(text);
    }
    out.push(b'"');
}

fn must_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            _ if !must_escape(byte) => out.push(byte),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                write_hex(&[byte], out);
            }
        }
    }
}

/// Appends two digits for each byte.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Reads the text of one value.
pub(super) fn read_value(text: &[u8]) -> Result<AnyValue, BadJson> {
    let mut reader = Reader::new(text);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Reads an object as attributes.
pub(super) fn read_object(text: &[u8]) -> Result<Vec<KeyValue>, BadJson> {
    let mut reader = Reader::new(text);
    let entries = reader.object()?;
    reader.end()?;
    Ok(entries)
}

/// Walks canonical JSON text.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// At the start of `text`.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The error of this place.
    pub(super) fn bad<T>(&self) -> Result<T, BadJson> {
        Err(BadJson { at: self.at })
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Takes `byte` when it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes `byte`.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), BadJson> {
        if self.take(byte) { Ok(()) } else { self.bad() }
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), BadJson> {
        if self.at == self.text.len() { Ok(()) } else { self.bad() }
    }

    /// A value.
    pub(super) fn value(&mut self) -> Result<AnyValue, BadJson> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.bad();
        }
        let value = match self.text.get(self.at) {
            Some(b'"') => Some(Value::StringValue(self.string()?)),
            Some(b'{') => Some(self.object_value()?),
            Some(b'[') => Some(Value::ArrayValue(ArrayValue { values: self.list(Self::value)? })),
            Some(b't') => self.word("true", Some(Value::BoolValue(true)))?,
            Some(b'f') => self.word("false", Some(Value::BoolValue(false)))?,
            Some(b'n') => self.word("null", None)?,
            _ => Some(self.number()?),
        };
        self.depth -= 1;
        Ok(AnyValue { value })
    }

    /// `[`, elements, `]`.
    pub(super) fn list<T>(&mut self, element: impl Fn(&mut Self) -> Result<T, BadJson>) -> Result<Vec<T>, BadJson> {
        self.expect(b'[')?;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(element(self)?);
            if self.take(b']') {
                return Ok(elements);
            }
            self.expect(b',')?;
        }
    }

    /// An object, as attributes.
    pub(super) fn object(&mut self) -> Result<Vec<KeyValue>, BadJson> {
        let mut entries = Vec::new();
        self.fields(|reader, key| {
            let value = reader.value()?;
            entries.push(KeyValue { key, value: Some(value), ..Default::default() });
            Ok(())
        })?;
        Ok(entries)
    }

    /// `{`, fields, `}`; `field` reads each value.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, String) -> Result<(), BadJson>,
    ) -> Result<(), BadJson> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            field(self, key)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// An escape when the first key starts with `$`, else a key-value list.
    fn object_value(&mut self) -> Result<Value, BadJson> {
        let start = self.at;
        if !self.text[start..].starts_with(b"{\"$") {
            return Ok(Value::KvlistValue(KeyValueList { values: self.object()? }));
        }
        self.expect(b'{')?;
        let escape = self.string()?;
        self.expect(b':')?;
        let value = match escape.as_str() {
            "$bytes" => STANDARD.decode(self.string()?).map(Value::BytesValue).ok(),
            "$double" => read_double(&self.string()?),
            "$object" => Some(Value::KvlistValue(KeyValueList { values: self.object()? })),
            _ => None,
        };
        self.expect(b'}')?;
        value.ok_or(BadJson { at: start })
    }

    fn word<T>(&mut self, word: &str, value: T) -> Result<T, BadJson> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return self.bad();
        }
        self.at += word.len();
        Ok(value)
    }

    fn number_text(&mut self) -> Result<&'a str, BadJson> {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let text = std::str::from_utf8(&rest[..len]).expect("ASCII");
        self.at += len;
        Ok(text)
    }

    fn number(&mut self) -> Result<Value, BadJson> {
        let start = self.at;
        let text = self.number_text()?;
        let is_double = text.bytes().any(|byte| matches!(byte, b'.' | b'e'));
        let value = match is_double {
            true => text.parse().ok().map(Value::DoubleValue),
            false => text.parse().ok().map(Value::IntValue),
        };
        value.ok_or(BadJson { at: start })
    }

    /// An unsigned integer.
    pub(super) fn unsigned(&mut self) -> Result<u64, BadJson> {
        let start = self.at;
        self.number_text()?.parse().map_err(|_| BadJson { at: start })
    }

    /// A string.
    pub(super) fn string(&mut self) -> Result<String, BadJson> {
        self.expect(b'"')?;
        let mut bytes = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(len) = memchr::memchr2(b'"', b'\\', rest) else { return self.bad() };
            bytes.extend_from_slice(&rest[..len]);
            self.at += len + 1;
            if rest[len] == b'"' {
                return String::from_utf8(bytes).map_err(|_| BadJson { at: self.at });
            }
            let Some(&escaped) = self.text.get(self.at) else { return self.bad() };
            self.at += 1;
            match escaped {
                b'"' | b'\\' => bytes.push(escaped),
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                b'u' => {
                    let hex = self.text.get(self.at..self.at + 4).and_then(|hex| std::str::from_utf8(hex).ok());
                    let Some(code) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) else { return self.bad() };
                    bytes.push(code);
                    self.at += 4;
                }
                _ => return self.bad(),
            }
        }
    }
}

impl Reader<'_> {
    /// Passes over a string.
    pub(super) fn skip_string(&mut self) -> Result<(), BadJson> {
        self.expect(b'"')?;
        loop {
            let rest = &self.text[self.at..];
            let Some(len) = memchr::memchr2(b'"', b'\\', rest) else { return self.bad() };
            if rest[len] == b'"' {
                self.at += len + 1;
                return Ok(());
            }
            if rest.len() < len + 2 {
                return self.bad();
            }
            self.at += len + 2;
        }
    }

    /// Passes over a value. What is inside brackets is only counted.
    pub(super) fn skip_value(&mut self) -> Result<(), BadJson> {
        let mut open = 0u32;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => self.skip_string()?,
                Some(b'{' | b'[') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if open > 0 => self.at += 1,
                Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'a'..=b'z' | b'A'..=b'Z') => {
                    let rest = &self.text[self.at..];
                    let len = rest.iter().take_while(|byte| is_word(**byte)).count();
                    self.at += len;
                }
                _ => return self.bad(),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

fn read_double(text: &str) -> Option<Value> {
    let value = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => f64::from_bits(u64::from_str_radix(text, 16).ok()?),
    };
    Some(Value::DoubleValue(value))
}

/// Checks a column's text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, BadJson> {
    std::str::from_utf8(bytes).map_err(|error| BadJson { at: error.valid_up_to() })
}
