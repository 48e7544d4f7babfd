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

/// Decodes each KeyValue of a range; ends where one is malformed.
struct KeyValues<'a>(RepeatedIter<'a>);

impl<'a> Iterator for KeyValues<'a> {
    type Item = AttributeView<'a>;

    #[inline]
    fn next(&mut self) -> Option<AttributeView<'a>> {
        key_value(self.0.next()?, &mut Trusted).ok()
    }
}

const KEY: u32 = bytes_key(1);
const VALUE: u32 = bytes_key(2);
const KEY_STRINDEX: u32 = varint_key(3);

/// Reads a KeyValue. Its key_strindex belongs to profiles and is passed over.
#[inline]
pub(super) fn key_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<AttributeView<'a>, ScanError> {
    if let Some((key, value)) = short_key_value(message) {
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
    Ok(AttributeView { key, value: value.unwrap_or(ValueView::Empty) })
}

/// What nearly every KeyValue is: a short key, a short value and nothing else.
#[inline(always)]
fn short_key_value(message: &[u8]) -> Option<(&[u8], &[u8])> {
    const KEY_BYTE: u8 = KEY as u8;
    const VALUE_BYTE: u8 = VALUE as u8;
    let [KEY_BYTE, key_length @ ..0x80, rest @ ..] = message else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [VALUE_BYTE, value_length @ ..0x80, value @ ..] = rest else { return None };
    (value.len() == usize::from(*value_length)).then_some((key, value))
}

const STRING: u32 = bytes_key(1);
const BOOL: u32 = varint_key(2);
const INT: u32 = varint_key(3);
const DOUBLE: u32 = fixed64_key(4);
const ARRAY: u32 = bytes_key(5);
const KVLIST: u32 = bytes_key(6);
const BYTES: u32 = bytes_key(7);
const STRING_STRINDEX: u32 = varint_key(8);

/// Reads an AnyValue. A string_value_strindex belongs to profiles and counts as no value, as OTLP says.
#[inline]
fn any_value<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<ValueView<'a>, ScanError> {
    const STRING_BYTE: u8 = STRING as u8;
    // most are a short string
    if let [STRING_BYTE, length @ ..0x80, text @ ..] = message
        && text.len() == usize::from(*length)
    {
        check.string(text);
        return Ok(ValueView::Str(text));
    }
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
            ELEMENT => drop(any_value(cursor.bytes()?, check)?),
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
            ELEMENT => drop(key_value(cursor.bytes()?, check)?),
            unknown => cursor.skip_unknown(unknown, 1..=1)?,
        }
    }
    Ok(())
}
