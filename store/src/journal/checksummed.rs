//! A payload with its checksum: the journal trusts no number that came beside some bytes.

use std::ops::Deref;

use bytes::Bytes;

/// CRC32C, by a library that is quicker over large payloads than the one for everything else.
pub(super) fn checksum(payload: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(payload)
}

/// A payload with its checksum, reckoned where it is made: while it is in cache.
#[derive(Debug, Clone)]
pub struct Checksummed {
    bytes: Bytes,
    pub(super) crc: u32,
}

impl Checksummed {
    /// Reads the payload once.
    pub fn of(bytes: Bytes) -> Self {
        Self { crc: checksum(&bytes), bytes }
    }

    /// The payload alone.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Deref for Checksummed {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl<B: Into<Bytes>> From<B> for Checksummed {
    fn from(bytes: B) -> Self {
        Self::of(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_format() {
        // The check value of CRC-32C (RFC 3720), and both libraries over every length that their steps end at.
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..3_000_001_u64).map(|n| ((n * n) >> 3) as u8).collect();
        for length in (0..1100).chain([2048, 4095, 4096, 4097, 5000, 425_123, 3_000_000]) {
            let end = bytes.len() - length;
            assert_eq!(checksum(&bytes[end..]), crc32c::crc32c(&bytes[end..]), "{length}");
        }
    }
}
