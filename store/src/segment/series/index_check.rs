//! Looks at every byte of an index of series.

use super::{INDEX, directory::Directory, extent::Extent, manifest::SeriesManifest};
use crate::segment::SegmentError;

impl SeriesManifest {
    /// Whether these are the bytes of its index: all of them.
    pub(in crate::segment) fn check_index(&self, bytes: &[u8]) -> Result<(), SegmentError> {
        let damaged = |what: &str| SegmentError::damaged(format!("{INDEX}: {what}"));
        let start = (bytes.len() as u64).checked_sub(self.index.checked_bytes).map(|start| start as usize);
        let end = start.and_then(|start| bytes.get(start..)).filter(|_| bytes.len() as u64 == self.index.bytes);
        let end = end.filter(|end| crc32c::crc32c(end) == self.index.crc32c);
        let end = end.ok_or_else(|| damaged("not the one that its manifest knows"))?;
        let directory = Directory::read(end).ok_or_else(|| damaged("directory"))?;
        for Extent { start, len, crc32c } in directory.extents() {
            let part = usize::try_from(start).ok().and_then(|start| bytes.get(start..start.checked_add(len as usize)?));
            if part.is_none_or(|part| crc32c::crc32c(part) != crc32c) {
                return Err(damaged(&format!("checksum of the bytes at {start}")));
            }
        }
        Ok(())
    }
}
