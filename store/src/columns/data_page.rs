//! Decodes the values of a data page.

use super::{
    column::{Column, Values},
    dictionary::Dictionary,
    encoding::{
        BadEncoding, bits, delta,
        hybrid::{self, Stretch, Stretches},
        page,
    },
    packing::Packing,
    spec::{ColumnSpec, Kind},
};

/// What a chunk's dictionary page holds.
pub(crate) enum Entries {
    /// There is none.
    None,
    /// Byte strings.
    Bytes(Dictionary),
    /// Numbers.
    Words(Vec<u64>),
}

/// A data page's content, to be decoded.
pub(crate) struct DataPage<'a> {
    /// Its column.
    pub(crate) spec: &'a ColumnSpec,
    /// Of its values.
    pub(crate) encoding: i32,
    /// The first row.
    pub(crate) first_row: u32,
    /// How many.
    pub(crate) rows: u32,
}

impl DataPage<'_> {
    /// Appends the page's values.
    pub(crate) fn decode(&self, body: &[u8], entries: &Entries, column: &mut Column) -> Result<(), BadEncoding> {
        let mut values = body;
        let count = match &mut column.rows {
            None => self.rows as usize,
            Some(rows) => {
                let (len, rest) = body.split_first_chunk::<4>().ok_or(BadEncoding("levels"))?;
                let (levels, rest) =
                    rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(BadEncoding("levels"))?;
                values = rest;
                let before = rows.len();
                decode_levels(levels, self.first_row, self.rows, rows)?;
                rows.len() - before
            }
        };
        self.decode_values(values, count, entries, &mut column.values)
    }

    /// Appends so many values.
    pub(super) fn decode_values(
        &self,
        values: &[u8],
        count: usize,
        entries: &Entries,
        out: &mut Values,
    ) -> Result<(), BadEncoding> {
        match (out, entries) {
            (Values::Bytes { codes, .. }, Entries::Bytes(entries)) => {
                self.decode_codes(values, count, entries.len() as u32, codes)
            }
            (Values::Bytes { codes, dictionary }, _) => {
                codes.extend(dictionary.len() as u32..dictionary.len() as u32 + count as u32);
                match self.encoding {
                    page::DELTA_LENGTH if self.spec.packing == Packing::IdAsHex => {
                        decode_hex_ids(delta_lengths(values, count)?, dictionary)
                    }
                    page::DELTA_LENGTH => decode_delta_lengths(values, count, dictionary),
                    page::PLAIN => decode_plain_bytes(self.spec, values, count, dictionary),
                    page::DELTA => decode_times(self.spec.packing, values, count, dictionary),
                    _ => Err(BadEncoding("encoding")),
                }
            }
            (Values::Words(words), Entries::Words(entries)) => {
                let mut codes = Vec::new();
                self.decode_codes(values, count, entries.len() as u32, &mut codes)?;
                words.extend(codes.iter().map(|&code| entries[code as usize]));
                Ok(())
            }
            (Values::Words(words), _) => match self.encoding {
                page::DELTA => delta::decode(values, count, words).map(|_| ()),
                page::SPLIT => decode_split(self.spec.kind, values, count, words),
                page::PLAIN => decode_plain_words(self.spec, values, count, words),
                page::DELTA_LENGTH if self.spec.packing == Packing::IdAsHex => {
                    decode_hex_words(delta_lengths(values, count)?, words)
                }
                _ => Err(BadEncoding("encoding")),
            },
        }
    }

    fn decode_codes(&self, values: &[u8], count: usize, limit: u32, codes: &mut Vec<u32>) -> Result<(), BadEncoding> {
        let (&width, packed) = values.split_first().ok_or(BadEncoding("codes"))?;
        hybrid::decode(packed, count, u32::from(width), limit, codes)
    }
}

pub(super) fn decode_levels(
    levels: &[u8],
    first_row: u32,
    rows: u32,
    present: &mut Vec<u32>,
) -> Result<(), BadEncoding> {
    let mut stretches = Stretches::new(levels, rows as usize, 1)?;
    let mut row = first_row;
    while let Some(stretch) = stretches.next()? {
        match stretch {
            Stretch::Run { count, code } => {
                if code == 1 {
                    present.extend(row..row + count as u32);
                } else if code != 0 {
                    return Err(BadEncoding("level"));
                }
                row += count as u32;
            }
            Stretch::Packed { count, bytes } => {
                let end = row + count as u32;
                for &byte in bytes {
                    let mut left = byte;
                    while left != 0 {
                        let at = row + left.trailing_zeros();
                        left &= left - 1;
                        if at >= end {
                            return Err(BadEncoding("levels"));
                        }
                        present.push(at);
                    }
                    row += 8;
                }
                row = end;
            }
        }
    }
    Ok(())
}

/// Times that stand for their texts.
fn decode_times(packing: Packing, body: &[u8], count: usize, out: &mut Dictionary) -> Result<(), BadEncoding> {
    let mut times = Vec::new();
    delta::decode(body, count, &mut times)?;
    let mut text = Vec::new();
    for time in times {
        text.clear();
        packing.unpack_time(time, &mut text);
        out.push(&text);
    }
    Ok(())
}

fn decode_packed(packing: Packing, body: &[u8], count: usize, out: &mut Dictionary) -> Result<(), BadEncoding> {
    let width = packing.width().ok_or(BadEncoding("byte strings"))?;
    if body.len() != count * width {
        return Err(BadEncoding("byte strings"));
    }
    let mut text = Vec::new();
    for stored in body.chunks_exact(width) {
        text.clear();
        packing.unpack(stored, &mut text);
        out.push(&text);
    }
    Ok(())
}

/// Values in PLAIN encoding; of packed texts, as they are packed.
pub(crate) fn decode_plain_bytes(
    spec: &ColumnSpec,
    mut body: &[u8],
    count: usize,
    out: &mut Dictionary,
) -> Result<(), BadEncoding> {
    if spec.packing == Packing::IdAsHex {
        return decode_hex_ids(plain_texts(body, count)?, out);
    }
    if spec.packing != Packing::None {
        return decode_packed(spec.packing, body, count, out);
    }
    for _ in 0..count {
        let len = match spec.kind {
            Kind::Id16 => 16,
            _ => {
                let (len, rest) = body.split_first_chunk::<4>().ok_or(BadEncoding("byte string"))?;
                body = rest;
                u32::from_le_bytes(*len) as usize
            }
        };
        let (value, rest) = body.split_at_checked(len).ok_or(BadEncoding("byte string"))?;
        body = rest;
        out.push(value);
    }
    if body.is_empty() { Ok(()) } else { Err(BadEncoding("byte strings")) }
}

fn decode_delta_lengths(body: &[u8], count: usize, out: &mut Dictionary) -> Result<(), BadEncoding> {
    for value in delta_lengths(body, count)? {
        out.push(value);
    }
    Ok(())
}

/// Texts behind their lengths.
pub(super) fn delta_lengths(body: &[u8], count: usize) -> Result<Vec<&[u8]>, BadEncoding> {
    let mut lengths = Vec::new();
    let used = delta::decode(body, count, &mut lengths)?;
    let mut body = &body[used..];
    let mut texts = Vec::with_capacity(count.min(body.len() + 1));
    for length in lengths {
        let length = usize::try_from(length).map_err(|_| BadEncoding("byte string"))?;
        let (value, rest) = body.split_at_checked(length).ok_or(BadEncoding("byte string"))?;
        body = rest;
        texts.push(value);
    }
    if body.is_empty() { Ok(texts) } else { Err(BadEncoding("byte strings")) }
}

/// Texts, each with its length before it.
pub(super) fn plain_texts(mut body: &[u8], count: usize) -> Result<Vec<&[u8]>, BadEncoding> {
    let mut texts = Vec::with_capacity(count.min(body.len() + 1));
    for _ in 0..count {
        let (len, rest) = body.split_first_chunk::<4>().ok_or(BadEncoding("byte string"))?;
        let (value, rest) =
            rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(BadEncoding("byte string"))?;
        body = rest;
        texts.push(value);
    }
    if body.is_empty() { Ok(texts) } else { Err(BadEncoding("byte strings")) }
}

/// Ids of 16 bytes that are stored as their hex digits.
fn decode_hex_ids(texts: Vec<&[u8]>, out: &mut Dictionary) -> Result<(), BadEncoding> {
    let mut id = Vec::with_capacity(16);
    for text in texts {
        if text.len() != 32 {
            return Err(BadEncoding("id"));
        }
        id.clear();
        Packing::IdAsHex.unpack(text, &mut id);
        out.push(&id);
    }
    Ok(())
}

/// The same of 8 bytes.
fn decode_hex_words(texts: Vec<&[u8]>, words: &mut Vec<u64>) -> Result<(), BadEncoding> {
    let mut id = Vec::with_capacity(8);
    for text in texts {
        id.clear();
        Packing::IdAsHex.unpack(text, &mut id);
        words.push(u64::from_le_bytes(*id.first_chunk().filter(|_| text.len() == 16).ok_or(BadEncoding("id"))?));
    }
    Ok(())
}

/// Numbers in PLAIN encoding.
pub(crate) fn decode_plain_words(
    spec: &ColumnSpec,
    body: &[u8],
    count: usize,
    words: &mut Vec<u64>,
) -> Result<(), BadEncoding> {
    if spec.packing == Packing::IdAsHex {
        return decode_hex_words(plain_texts(body, count)?, words);
    }
    let kind = spec.kind;
    let Some(width) = kind.width() else {
        if body.len() != count.div_ceil(8) {
            return Err(BadEncoding("booleans"));
        }
        words.extend((0..count).map(|index| bits::get(body, index, 1)));
        return Ok(());
    };
    if body.len() != count * width {
        return Err(BadEncoding("numbers"));
    }
    for value in body.chunks_exact(width) {
        words.push(word(kind, value));
    }
    Ok(())
}

fn decode_split(kind: Kind, body: &[u8], count: usize, words: &mut Vec<u64>) -> Result<(), BadEncoding> {
    let width = kind.width().ok_or(BadEncoding("encoding"))?;
    if body.len() != count * width || width > 8 {
        return Err(BadEncoding("numbers"));
    }
    if count == 0 {
        return Ok(());
    }
    let before = words.len();
    words.resize(before + count, 0);
    if let (8, Some(planes)) = (width, planes(body, count)) {
        // One pass instead of eight: what is written is not read again.
        for (at, word) in words[before..].iter_mut().enumerate() {
            *word = u64::from_le_bytes(planes.map(|plane| plane[at]));
        }
        return Ok(());
    }
    for (byte, plane) in body.chunks_exact(count).enumerate() {
        // The upper bytes of most numbers are zeros.
        if plane.iter().all(|&byte| byte == 0) {
            continue;
        }
        for (word, &value) in words[before..].iter_mut().zip(plane) {
            *word |= u64::from(value) << (8 * byte);
        }
    }
    if width == 4 {
        words[before..].iter_mut().for_each(|value| *value = word(kind, &value.to_le_bytes()[..4]));
    }
    Ok(())
}

/// The planes of numbers of eight bytes, unless some are zeros: those cost nothing otherwise.
fn planes(body: &[u8], count: usize) -> Option<[&[u8]; 8]> {
    let mut planes = [&body[..0]; 8];
    planes.iter_mut().zip(body.chunks_exact(count)).for_each(|(plane, bytes)| *plane = bytes);
    let is_zero = |plane: &&[u8]| plane.iter().all(|&byte| byte == 0);
    (planes.iter().filter(|plane| is_zero(plane)).count() < 4).then_some(planes)
}

/// The 64 bits that stand for a PLAIN number.
pub(super) fn word(kind: Kind, bytes: &[u8]) -> u64 {
    match (kind, bytes.first_chunk::<4>()) {
        (Kind::Int32, Some(four)) => i64::from(i32::from_le_bytes(*four)) as u64,
        (Kind::Uint32, Some(four)) => u64::from(u32::from_le_bytes(*four)),
        _ => bytes.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight)),
    }
}
