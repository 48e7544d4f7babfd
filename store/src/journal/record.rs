//! A record: what a journal file is made of. Fixed bytes, details, payload, padding; two checksums that cover the place.

use super::varint::Fields;

/// The fixed part (docs/formats.md, Journal, Record).
pub(super) const FIXED_BYTES: usize = 32;
/// Records begin at multiples of this.
pub(super) const ALIGN_BYTES: u32 = 8;
/// Version of record, frame and group header.
pub(super) const VERSION: u8 = 1;

/// Where in [`FIXED_BYTES`] the header's checksum is.
const CRC_AT: usize = 28;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Items of a tenant.
    Frame = 1,
    /// The beginning of a group commit; everything before it was fsynced.
    Group = 2,
    /// The same, with the tallies of the tenants that changed alone. Only in files of version 2.
    Changes = 3,
}

/// Where a record lies. Both checksums cover it, so that a stale or misdirected block never passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    /// The journal's own secret: nobody who sends payloads can make them look like records.
    pub(super) salt: u64,
    pub(super) file: u32,
    pub(super) position: u32,
}

impl Site {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.salt.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.file.to_le_bytes());
        bytes[12..].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }

    /// Extends a checksum of contents alone by the place where they lie.
    pub(super) fn extend_crc(self, crc: u32) -> u32 {
        crc32c::crc32c_append(crc, &self.bytes())
    }
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fixed {
    /// Perhaps a newer one than [`VERSION`].
    pub(super) version: u8,
    pub(super) kind: Kind,
    pub(super) details_bytes: u32,
    pub(super) payload_bytes: u32,
    /// Of the payload, extended by the site.
    pub(super) payload_crc: u32,
    /// Counts the attempts to write a group to this file: what a failed attempt left behind has a lower one.
    pub(super) group: u32,
}

impl Fixed {
    /// Bytes up to the payload.
    pub(super) fn header_bytes(&self) -> u64 {
        FIXED_BYTES as u64 + u64::from(self.details_bytes)
    }

    /// Bytes up to the next record.
    pub(super) fn record_bytes(&self) -> u64 {
        (self.header_bytes() + u64::from(self.payload_bytes)).next_multiple_of(u64::from(ALIGN_BYTES))
    }

    /// Reads the fixed part, which is laid out like this in every version; the checksum is returned unchecked, as the details that it covers are not here.
    pub(super) fn decode(bytes: &[u8], salt: u64) -> Option<(Self, u32)> {
        let mut fields = Fields(bytes);
        if fields.u64()? != salt {
            return None;
        }
        let kind = match fields.u8()? {
            1 => Kind::Frame,
            2 => Kind::Group,
            3 => Kind::Changes,
            _ => return None,
        };
        let version = fields.u8()?;
        if version == 0 || fields.bytes(2)? != [0, 0] {
            return None;
        }
        let fixed = Self {
            version,
            kind,
            details_bytes: fields.u32()?,
            payload_bytes: fields.u32()?,
            payload_crc: fields.u32()?,
            group: fields.u32()?,
        };
        Some((fixed, fields.u32()?))
    }
}

/// Leaves room for the fixed part of a record whose details are appended next. [`finish`] fills it in.
pub(super) fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start + FIXED_BYTES, 0);
    start
}

/// Completes a header begun at `start`; returns its length. `payload_crc` is that of the payload alone.
pub(super) fn finish(
    buffer: &mut [u8],
    start: usize,
    kind: Kind,
    site: Site,
    group: u32,
    payload_bytes: u32,
    payload_crc: u32,
) -> usize {
    let header = &mut buffer[start..];
    let details_bytes = (header.len() - FIXED_BYTES) as u32;
    header[..8].copy_from_slice(&site.salt.to_le_bytes());
    header[8] = kind as u8;
    header[9] = VERSION;
    header[12..16].copy_from_slice(&details_bytes.to_le_bytes());
    header[16..20].copy_from_slice(&payload_bytes.to_le_bytes());
    header[20..24].copy_from_slice(&site.extend_crc(payload_crc).to_le_bytes());
    header[24..28].copy_from_slice(&group.to_le_bytes());
    let crc = header_crc(header, site);
    header[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
    header.len()
}

/// The checksum of a header (fixed part and details) at its site.
pub(super) fn header_crc(header: &[u8], site: Site) -> u32 {
    let crc = crc32c::crc32c(&header[..CRC_AT]);
    site.extend_crc(crc32c::crc32c_append(crc, &header[FIXED_BYTES..]))
}

/// Zeros up to the next record.
pub(super) fn padding_bytes(position: u32) -> u32 {
    position.next_multiple_of(ALIGN_BYTES) - position
}
