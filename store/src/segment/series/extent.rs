//! Stretches of a file, each under a checksum of its own.

use std::io::Write;

use crate::{
    journal::{Fields, put_varint},
    segment::{
        SegmentError,
        files::{NewFile, ReadFile},
    },
};

/// Where bytes are, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) len: u32,
    pub(super) crc32c: u32,
}

impl Extent {
    /// Appends it; `before` is the end of what was appended before.
    pub(super) fn put(&self, before: &mut u64, into: &mut Vec<u8>) {
        put_varint(into, self.start.wrapping_sub(*before));
        put_varint(into, u64::from(self.len));
        into.extend_from_slice(&self.crc32c.to_le_bytes());
        *before = self.start + u64::from(self.len);
    }

    /// What [`Self::put`] wrote.
    pub(super) fn read(before: &mut u64, fields: &mut Fields<'_>) -> Option<Self> {
        let extent =
            Self { start: before.checked_add(fields.varint()?)?, len: fields.varint_u32()?, crc32c: fields.u32()? };
        *before = extent.start.checked_add(u64::from(extent.len))?;
        Some(extent)
    }

    /// Reads the bytes, and looks at the checksum.
    pub(super) fn load(&self, file: &ReadFile, what: &str) -> Result<Vec<u8>, SegmentError> {
        let bytes = file.read(self.start, self.len as usize)?;
        if crc32c::crc32c(&bytes) != self.crc32c {
            return Err(SegmentError::damaged(format!("{what}: checksum of the bytes at {}", self.start)));
        }
        Ok(bytes)
    }
}

/// A file that is written from front to back.
#[derive(Debug)]
pub(super) struct Extents {
    file: NewFile,
    position: u64,
}

impl Extents {
    /// At the beginning of a new file.
    pub(super) fn new(file: NewFile) -> Self {
        Self { file, position: 0 }
    }

    /// Appends bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> std::io::Result<Extent> {
        self.file.write_all(bytes)?;
        let extent = Extent { start: self.position, len: bytes.len() as u32, crc32c: crc32c::crc32c(bytes) };
        self.position += bytes.len() as u64;
        Ok(extent)
    }

    /// Hands everything to the disk.
    pub(super) fn finish(mut self) -> std::io::Result<u64> {
        self.file.flush()?;
        Ok(self.position)
    }
}
