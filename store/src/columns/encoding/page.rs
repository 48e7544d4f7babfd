//! Page headers: the few fields of Parquet's thrift structures that our pages have (parquet.thrift, compact protocol).

use super::{
    BadEncoding,
    hybrid::{take_varint, varint},
};

/// Encoding numbers of parquet.thrift.
pub(crate) const PLAIN: i32 = 0;
/// RLE hybrid.
pub(crate) const RLE: i32 = 3;
/// DELTA_BINARY_PACKED.
pub(crate) const DELTA: i32 = 5;
/// DELTA_LENGTH_BYTE_ARRAY.
pub(crate) const DELTA_LENGTH: i32 = 6;
/// RLE_DICTIONARY.
pub(crate) const DICTIONARY: i32 = 8;
/// BYTE_STREAM_SPLIT.
pub(crate) const SPLIT: i32 = 9;

/// Longest header that we write.
pub(crate) const HEADER_BYTES_MAX: usize = 48;

/// A page header. Data pages are version 1: levels and values compressed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// A dictionary page, else a data page.
    pub(crate) dictionary: bool,
    /// Bytes of the content before compression.
    pub(crate) plain_bytes: u32,
    /// Bytes of the content as stored.
    pub(crate) stored_bytes: u32,
    /// CRC-32 (IEEE) of the stored content.
    pub(crate) crc: u32,
    /// Values, nulls included.
    pub(crate) values: u32,
    /// Encoding of the values.
    pub(crate) encoding: i32,
}

const I32: u8 = 5;
const STRUCT: u8 = 12;

impl PageHeader {
    /// Appends the header.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        field(1, I32, out);
        zigzag(if self.dictionary { 2 } else { 0 }, out);
        field(1, I32, out);
        zigzag(self.plain_bytes as i32, out);
        field(1, I32, out);
        zigzag(self.stored_bytes as i32, out);
        field(1, I32, out);
        zigzag(self.crc as i32, out);
        field(if self.dictionary { 3 } else { 1 }, STRUCT, out);
        field(1, I32, out);
        zigzag(self.values as i32, out);
        field(1, I32, out);
        zigzag(self.encoding, out);
        if !self.dictionary {
            field(1, I32, out);
            zigzag(RLE, out);
            field(1, I32, out);
            zigzag(RLE, out);
        }
        out.extend_from_slice(&[0, 0]);
    }

    /// Takes a header off the front. Only what [`Self::write`] writes is one.
    pub(crate) fn take(bytes: &mut &[u8]) -> Result<Self, BadEncoding> {
        let kind = number(bytes, 1)?;
        if kind != 0 && kind != 2 {
            return Err(BadEncoding("page kind"));
        }
        let dictionary = kind == 2;
        let plain_bytes = number(bytes, 1)? as u32;
        let stored_bytes = number(bytes, 1)? as u32;
        let crc = number(bytes, 1)? as u32;
        expect(bytes, if dictionary { 3 << 4 | STRUCT } else { 1 << 4 | STRUCT })?;
        let values = number(bytes, 1)? as u32;
        let encoding = number(bytes, 1)?;
        if !dictionary && (number(bytes, 1)? != RLE || number(bytes, 1)? != RLE) {
            return Err(BadEncoding("level encoding"));
        }
        expect(bytes, 0)?;
        expect(bytes, 0)?;
        Ok(Self { dictionary, plain_bytes, stored_bytes, crc, values, encoding })
    }
}

fn field(delta: u8, kind: u8, out: &mut Vec<u8>) {
    out.push(delta << 4 | kind);
}

fn zigzag(value: i32, out: &mut Vec<u8>) {
    varint(u64::from(((value << 1) ^ (value >> 31)) as u32), out);
}

fn number(bytes: &mut &[u8], delta: u8) -> Result<i32, BadEncoding> {
    expect(bytes, delta << 4 | I32)?;
    let value = u32::try_from(take_varint(bytes)?).map_err(|_| BadEncoding("page header"))?;
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

fn expect(bytes: &mut &[u8], byte: u8) -> Result<(), BadEncoding> {
    let (&first, rest) = bytes.split_first().ok_or(BadEncoding("page header"))?;
    if first != byte {
        return Err(BadEncoding("page header"));
    }
    *bytes = rest;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_in_and_out() {
        for dictionary in [false, true] {
            let header = PageHeader {
                dictionary,
                plain_bytes: 1 << 30,
                stored_bytes: 12_345,
                crc: 0xdead_beef,
                values: 8192,
                encoding: if dictionary { PLAIN } else { DICTIONARY },
            };
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            assert!(bytes.len() <= HEADER_BYTES_MAX);
            assert_eq!(PageHeader::take(&mut &bytes[..]), Ok(header));
            assert!(PageHeader::take(&mut &bytes[..bytes.len() - 1]).is_err());
        }
    }
}
