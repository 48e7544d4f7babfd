//! Reads fields one after the other.

use super::{END_GROUP, FIXED32, FIXED64, LENGTH_DELIMITED, START_GROUP, VARINT, WireError};

/// Groups nested in an unknown field; prost's bound is 100 less the depth of the message around them.
const GROUPS_DEPTH_MAX: u32 = 64;

/// Reads one message from its start to its end. Errors carry addresses until [`WireError::within`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes not read yet.
    #[inline(always)]
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [byte, tail @ ..] if *byte < 0x80 => {
                self.rest = tail;
                Ok(u64::from(*byte))
            }
            [low, high, tail @ ..] if *high < 0x80 => {
                self.rest = tail;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                if index == 9 && *byte > 1 {
                    return Err(self.malformed("varint beyond 64 bits"));
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < 10 { Err(self.truncated()) } else { Err(self.malformed("endless varint")) }
    }

    /// The next field's number and wire type in one, to be compared with [`bytes_key`] and its like.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<u32, WireError> {
        let before = *self;
        let key = self.varint()?;
        if key > u64::from(u32::MAX) {
            return Err(before.malformed("field number beyond 29 bits"));
        }
        Ok(key as u32)
    }

    /// The content of a length-delimited field.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        let Some((content, tail)) = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length))
        else {
            return Err(self.truncated());
        };
        self.rest = tail;
        Ok(content)
    }

    /// The content of the next field, when its key is `key` (of one byte) and its length one byte too; else nothing is read.
    #[inline(always)]
    pub(crate) fn next_short(&mut self, key: u32) -> Option<&'a [u8]> {
        let [first, length @ ..0x80, tail @ ..] = self.rest else { return None };
        if u32::from(*first) != key {
            return None;
        }
        let (content, rest) = tail.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some(content)
    }

    /// The same with a length of two bytes.
    #[inline(always)]
    pub(crate) fn next_medium(&mut self, key: u32) -> Option<&'a [u8]> {
        let [first, low @ 0x80..=0xff, high @ ..0x80, tail @ ..] = self.rest else { return None };
        if u32::from(*first) != key {
            return None;
        }
        let (content, rest) = tail.split_at_checked(usize::from(*low & 0x7f) | usize::from(*high) << 7)?;
        self.rest = rest;
        Some(content)
    }

    /// The next field's number, when its key is `key` (of one byte) and it is a varint of one byte; else nothing is read.
    #[inline(always)]
    pub(crate) fn next_small(&mut self, key: u32) -> Option<u8> {
        let [first, value @ ..0x80, tail @ ..] = self.rest else { return None };
        if u32::from(*first) != key {
            return None;
        }
        self.rest = tail;
        Some(*value)
    }

    /// The next field's number, when its key is `key` (of one byte) and it is whole; else nothing is read.
    #[inline(always)]
    pub(crate) fn next_fixed64(&mut self, key: u32) -> Option<u64> {
        let (first, tail) = self.rest.split_first()?;
        if u32::from(*first) != key {
            return None;
        }
        let (number, tail) = tail.split_first_chunk()?;
        self.rest = tail;
        Some(u64::from_le_bytes(*number))
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        let Some((number, tail)) = self.rest.split_first_chunk() else {
            return Err(self.truncated());
        };
        self.rest = tail;
        Ok(u64::from_le_bytes(*number))
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> Result<u32, WireError> {
        let Some((number, tail)) = self.rest.split_first_chunk() else {
            return Err(self.truncated());
        };
        self.rest = tail;
        Ok(u32::from_le_bytes(*number))
    }

    /// Passes over the field whose key was just read, unless its number is among `known` ones: then its wire type is wrong.
    #[cold]
    pub(crate) fn skip_unknown(&mut self, key: u32, known: std::ops::RangeInclusive<u32>) -> Result<(), WireError> {
        if known.contains(&(key >> 3)) {
            return Err(self.malformed("wrong wire type for the field"));
        }
        self.skip(key)
    }

    /// Passes over the field whose key was just read.
    pub(crate) fn skip(&mut self, key: u32) -> Result<(), WireError> {
        self.skip_nested(key, GROUPS_DEPTH_MAX)
    }

    fn skip_nested(&mut self, key: u32, depth_left: u32) -> Result<(), WireError> {
        if key >> 3 == 0 {
            return Err(self.malformed("field number 0"));
        }
        match key & 7 {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            LENGTH_DELIMITED => self.bytes().map(drop),
            START_GROUP => self.skip_group(key >> 3, depth_left),
            FIXED32 => self.fixed32().map(drop),
            END_GROUP => Err(self.malformed("end of a group that did not start")),
            _ => Err(self.malformed("reserved wire type")),
        }
    }

    fn skip_group(&mut self, field: u32, depth_left: u32) -> Result<(), WireError> {
        if depth_left == 0 {
            return Err(self.malformed("groups nested too deep"));
        }
        loop {
            let key = self.key()?;
            if key == (field << 3 | END_GROUP) {
                return Ok(());
            }
            self.skip_nested(key, depth_left - 1)?;
        }
    }

    #[cold]
    fn truncated(&self) -> WireError {
        WireError::Truncated { at: self.rest.as_ptr().addr() }
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> WireError {
        WireError::Malformed { at: self.rest.as_ptr().addr(), what }
    }
}
