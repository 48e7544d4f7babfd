//! Attributes and their values: KeyValue and AnyValue, of which arrays and lists stay encoded until asked for.

use super::{
    ScanError,
    admission::{Check, Trusted},
};
use crate::otlp::wire::{Cursor, Repeated, RepeatedIter, bytes_key, fixed64_key, varint_key};

/// Repeated KeyValue fields inside a message: iterate for [`AttributeView`]s.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a>(pub(super) Repeated<'a>);

impl<'a> Attributes<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Each attribute, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        KeyValues(self.0.iter())
    }
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttributeView<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: ValueView<'a>,
}

/// An AnyValue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueView<'a> {
    /// No value set.
    Empty,
    /// string_value
    Str(&'a [u8]),
    /// bool_value
    Bool(bool),
    /// int_value
    Int(i64),
    /// double_value
    Double(f64),
    /// array_value: the encoded ArrayValue; [`array_values`] iterates.
    Array(&'a [u8]),
    /// kvlist_value: the encoded KeyValueList; [`key_values`] iterates.
    KvList(&'a [u8]),
    /// bytes_value
    Bytes(&'a [u8]),
}

/// The elements of an encoded ArrayValue.
pub fn array_values<'a>(array: &'a [u8]) -> impl Iterator<Item = ValueView<'a>> {
    Repeated::unbounded(array, 1).iter().map_while(|element| any_value(element, &mut Trusted).ok())
}

/// The entries of an encoded KeyValueList.
pub fn key_values<'a>(list: &'a [u8]) -> impl Iterator<Item = AttributeView<'a>> {
    KeyValues(Repeated::unbounded(list, 1).iter())
}

/// A KeyValue whose value is still encoded, for loops that are hot enough to tell texts apart by themselves: a whole
/// [`AttributeView`] goes through memory, written by halves and read at once, and the processor waits for it each time.
#[derive(Debug, Clone, Copy)]
pub struct RawAttribute<'a> {
    /// Its key.
    pub key: &'a [u8],
    value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// Reads an encoded KeyValue as far as its value; `None` where it is malformed.
    #[inline(always)]
    pub fn read(encoded: &'a [u8]) -> Option<Self> {
        match short_key_value(encoded) {
            Some((key, value)) => Some(Self { key, value }),
            None => long_key_value(encoded),
        }
    }

    /// The value, when it is a string of fewer than 128 bytes in the usual form. `None` says nothing.
    #[inline(always)]
    pub fn short_text(&self) -> Option<&'a [u8]> {
        let [STRING_BYTE, length @ ..0x80, text @ ..] = self.value else { return None };
        (text.len() == usize::from(*length)).then_some(text)
    }

    /// The whole attribute; `None` where the value is malformed.
    #[inline]
    pub fn view(&self) -> Option<AttributeView<'a>> {
        Some(AttributeView { key: self.key, value: any_value(self.value, &mut Trusted).ok()? })
    }
}

impl<'a> Attributes<'a> {
    /// The encoded KeyValues, in order, for [`RawAttribute::read`].
    #[inline]
    pub fn encoded(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.iter()
    }

    /// Each attribute, in order, as far as they are well formed; values are not looked at.
    #[inline]
    pub fn raw(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        self.encoded().map_while(RawAttribute::read)
    }
}

#[inline(never)]
fn long_key_value(message: &[u8]) -> Option<RawAttribute<'_>> {
    let mut raw = RawAttribute { key: &[], value: &[] };
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key().ok()? {
            KEY => raw.key = cursor.bytes().ok()?,
            VALUE => raw.value = cursor.bytes().ok()?,
            KEY_STRINDEX => drop(cursor.varint().ok()?),
            unknown => cursor.skip_unknown(unknown, 1..=3).ok()?,
        }
    }
    Some(raw)
}

/// Decodes each KeyValue of a range; ends where one is malformed.
struct KeyValues<'a>(RepeatedIter<'a>);

impl<'a> Iterator for KeyValues<'a> {
    type Item = AttributeView<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<AttributeView<'a>> {
        key_value(self.0.next()?, &mut Trusted).ok()
    }
}

const KEY: u32 = bytes_key(1);
const VALUE: u32 = bytes_key(2);
const KEY_STRINDEX: u32 = varint_key(3);

const KEY_BYTE: u8 = KEY as u8;
const VALUE_BYTE: u8 = VALUE as u8;

/// Reads a KeyValue. Its key_strindex belongs to profiles and is passed over.
///
/// Inlined as far as the usual shapes go: a view that is returned through memory, written by halves and read whole, makes the
/// processor wait at each attribute.
#[inline(always)]
pub(super) fn key_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<AttributeView<'a>, ScanError> {
    match short_key_value(message) {
        Some((key, value)) => {
            check.key(key);
            check.string(key);
            Ok(AttributeView { key, value: any_value(value, check)? })
        }
        None => any_key_value(message, check),
    }
}

/// Looks at a KeyValue without reading it: a view that nobody wants still goes through memory.
#[inline(always)]
pub(super) fn check_key_value<C: Check>(message: &[u8], check: &mut C) -> Result<(), ScanError> {
    if let Some(key) = ascii_text(message) {
        check.key(key);
        return Ok(());
    }
    let Some((key, value)) = short_key_value(message) else { return any_key_value(message, check).map(drop) };
    check.key(key);
    check.string(key);
    check_value(value, check)
}

/// The key of a KeyValue with a string, when both are short and in ASCII, which most are.
#[inline(always)]
fn ascii_text(message: &[u8]) -> Option<&[u8]> {
    let [KEY_BYTE, key_length, rest @ ..] = message else { return None };
    let (key, value) = rest.split_at_checked(usize::from(*key_length))?;
    let [VALUE_BYTE, value_length, STRING_BYTE, text_length, text @ ..] = value else { return None };
    let is_whole = text.len() == usize::from(*text_length) && text.len() + 2 == usize::from(*value_length);
    // Lengths too are below 0x80 then: varints of one byte.
    (is_whole && is_ascii(message)).then_some(key)
}

/// Looks at an AnyValue without reading it.
#[inline]
fn check_value<C: Check>(message: &[u8], check: &mut C) -> Result<(), ScanError> {
    match message {
        [STRING_BYTE, length @ ..0x80, text @ ..] if text.len() == usize::from(*length) => {
            check.string(text);
            Ok(())
        }
        [INT_BYTE | BOOL_BYTE, ..0x80] => Ok(()),
        // Nine bytes hold 63 bits: none of these is beyond 64.
        [INT_BYTE, upper @ .., ..0x80] if upper.len() <= 8 && upper.iter().all(|byte| *byte >= 0x80) => Ok(()),
        [DOUBLE_BYTE, bits @ ..] if bits.len() == 8 => Ok(()),
        _ => unusual_value(message, check).map(drop),
    }
}

/// Whether no byte has its upper bit set; quick for a few dozen bytes.
#[inline(always)]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    const UPPER_BITS: u64 = 0x8080_8080_8080_8080;
    /// All words of a chunk in one.
    #[inline(always)]
    fn union<const BYTES: usize>(chunk: Option<&[u8; BYTES]>) -> u64 {
        let (words, _) = chunk.map_or(&[][..], |chunk| &chunk[..]).as_chunks();
        words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word))
    }

    // Two chunks that may overlap, instead of a loop whose end cannot be foreseen.
    let all = match bytes.len() {
        0..8 => return bytes.iter().fold(0, |all, byte| all | byte) < 0x80,
        8..=16 => union::<8>(bytes.first_chunk()) | union::<8>(bytes.last_chunk()),
        17..=32 => union::<16>(bytes.first_chunk()) | union::<16>(bytes.last_chunk()),
        33..=64 => union::<32>(bytes.first_chunk()) | union::<32>(bytes.last_chunk()),
        _ => return bytes.is_ascii(),
    };
    all & UPPER_BITS == 0
}

#[inline(never)]
fn any_key_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<AttributeView<'a>, ScanError> {
    if let Some((key, value)) = short_value_key(message) {
        check.key(key);
        check.string(key);
        return Ok(AttributeView { key, value: any_value(value, check)? });
    }
    let mut key: &[u8] = &[];
    let mut value = None;
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            KEY => {
                key = cursor.bytes()?;
                check.string(key);
            }
            VALUE => {
                // protobuf would merge the two
                if value.is_some() {
                    return Err(ScanError::NotCanonical);
                }
                value = Some(any_value(cursor.bytes()?, check)?);
            }
            KEY_STRINDEX => drop(cursor.varint()?),
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    // Also when there was none: readers are shown an empty one.
    check.key(key);
    Ok(AttributeView { key, value: value.unwrap_or(ValueView::Empty) })
}

/// What nearly every KeyValue is: a short key, a short value and nothing else.
#[inline(always)]
fn short_key_value(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [KEY_BYTE, key_length @ ..0x80, rest @ ..] = message else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [VALUE_BYTE, value_length @ ..0x80, value @ ..] = rest else { return None };
    (value.len() == usize::from(*value_length)).then_some((key, value))
}

/// The same as the Collector writes it, the value first.
#[inline(always)]
fn short_value_key(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [VALUE_BYTE, value_length @ ..0x80, rest @ ..] = message else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(*value_length))?;
    let [KEY_BYTE, key_length @ ..0x80, key @ ..] = rest else { return None };
    (key.len() == usize::from(*key_length)).then_some((key, value))
}

const STRING: u32 = bytes_key(1);
const BOOL: u32 = varint_key(2);
const INT: u32 = varint_key(3);
const DOUBLE: u32 = fixed64_key(4);
const ARRAY: u32 = bytes_key(5);
const KVLIST: u32 = bytes_key(6);
const BYTES: u32 = bytes_key(7);
const STRING_STRINDEX: u32 = varint_key(8);

const STRING_BYTE: u8 = STRING as u8;
const BOOL_BYTE: u8 = BOOL as u8;
const INT_BYTE: u8 = INT as u8;
const DOUBLE_BYTE: u8 = DOUBLE as u8;

/// Reads an AnyValue. A string_value_strindex belongs to profiles and counts as no value, as OTLP says.
#[inline(always)]
pub(super) fn any_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<ValueView<'a>, ScanError> {
    match message {
        [STRING_BYTE, length @ ..0x80, text @ ..] if text.len() == usize::from(*length) => {
            check.string(text);
            Ok(ValueView::Str(text))
        }
        [INT_BYTE, value @ ..0x80] => Ok(ValueView::Int(i64::from(*value))),
        [INT_BYTE, low @ 0x80..=0xff, high @ ..0x80] => {
            Ok(ValueView::Int(i64::from(*low & 0x7f) | i64::from(*high) << 7))
        }
        [BOOL_BYTE, value @ ..0x80] => Ok(ValueView::Bool(*value != 0)),
        [DOUBLE_BYTE, bits @ ..] if bits.len() == 8 => {
            Ok(ValueView::Double(f64::from_le_bytes(bits.try_into().expect("eight bytes"))))
        }
        _ => unusual_value(message, check),
    }
}

/// Reads an AnyValue of any shape.
#[inline(never)]
fn unusual_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<ValueView<'a>, ScanError> {
    let mut value = ValueView::Empty;
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        value = match cursor.key()? {
            STRING => {
                let text = cursor.bytes()?;
                check.string(text);
                ValueView::Str(text)
            }
            BOOL => ValueView::Bool(cursor.varint()? != 0),
            INT => ValueView::Int(cursor.varint()? as i64),
            DOUBLE => ValueView::Double(f64::from_bits(cursor.fixed64()?)),
            // protobuf would merge a second one into the first
            ARRAY if matches!(value, ValueView::Array(_)) => return Err(ScanError::NotCanonical),
            KVLIST if matches!(value, ValueView::KvList(_)) => return Err(ScanError::NotCanonical),
            ARRAY => {
                let array = cursor.bytes()?;
                check.array(array)?;
                ValueView::Array(array)
            }
            KVLIST => {
                let list = cursor.bytes()?;
                check.list(list)?;
                ValueView::KvList(list)
            }
            BYTES => ValueView::Bytes(cursor.bytes()?),
            STRING_STRINDEX => {
                cursor.varint()?;
                ValueView::Empty
            }
            unknown => {
                cursor.skip_unknown(unknown, 1..=8)?;
                value
            }
        };
    }
    Ok(value)
}

const ELEMENT: u32 = bytes_key(1);

/// Checks every element of an ArrayValue.
pub(super) fn check_array<C: Check>(array: &[u8], check: &mut C) -> Result<(), ScanError> {
    let mut cursor = Cursor::new(array);
    while !cursor.is_empty() {
        match cursor.key()? {
            ELEMENT => check_value(cursor.bytes()?, check)?,
            unknown => cursor.skip_unknown(unknown, 1..=1)?,
        }
    }
    Ok(())
}

/// Checks every entry of a KeyValueList.
pub(super) fn check_list<C: Check>(list: &[u8], check: &mut C) -> Result<(), ScanError> {
    let mut cursor = Cursor::new(list);
    while !cursor.is_empty() {
        match cursor.key()? {
            ELEMENT => check_key_value(cursor.bytes()?, check)?,
            unknown => cursor.skip_unknown(unknown, 1..=1)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_anywhere_makes_it_not_ascii() {
        for length in 0..150 {
            let mut bytes = vec![0x7f; length];
            assert!(is_ascii(&bytes), "{length}");
            for at in 0..length {
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {length}");
                bytes[at] = 0x7f;
            }
        }
    }
}
