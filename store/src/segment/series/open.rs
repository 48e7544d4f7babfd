//! Opens a segment of metrics, and says what it holds.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    CHUNKS, INDEX,
    directory::{Block, Directory},
    manifest::SeriesManifest,
};
use crate::{
    ledger::Tally,
    segment::{
        SegmentError, SegmentId,
        files::{MANIFEST, ReadFile},
    },
};

/// Counts segments that were opened.
static SERIALS: AtomicU64 = AtomicU64::new(0);

/// An open segment: its directory in memory, its two files open.
#[derive(Debug)]
pub(crate) struct SeriesSegment {
    id: SegmentId,
    /// Its number in this process: no other one has it, whatever its id.
    pub(super) serial: u64,
    manifest: SeriesManifest,
    pub(super) directory: Directory,
    pub(super) index: ReadFile,
    pub(super) chunks: ReadFile,
}

impl SeriesSegment {
    /// Opens a folder, checking manifest, directory and lengths.
    pub(crate) fn open(path: &Path) -> Result<Self, SegmentError> {
        Self::open_with(path, None)
    }

    /// The same; `chunks` may be elsewhere.
    pub(super) fn open_with(path: &Path, chunks: Option<ReadFile>) -> Result<Self, SegmentError> {
        let manifest_file = ReadFile::open(path, MANIFEST)?;
        let manifest = SeriesManifest::read(&manifest_file.read(0, manifest_file.len()? as usize)?)?;
        let id = manifest.id()?;
        if path.file_name().is_none_or(|name| name != id.to_string().as_str()) {
            return Err(SegmentError::damaged(format!("{} holds segment {id}", path.display())));
        }
        let index = ReadFile::open(path, INDEX)?;
        let bytes = index.checked_end(INDEX, &manifest.index)?;
        let directory = Directory::read(&bytes).ok_or_else(|| SegmentError::damaged(format!("{INDEX}: directory")))?;
        if u64::from(directory.series) != manifest.series {
            return Err(SegmentError::damaged(format!(
                "{INDEX}: {} series, not {}",
                directory.series, manifest.series
            )));
        }
        let chunks = chunks.map_or_else(|| ReadFile::open(path, CHUNKS), Ok)?;
        if chunks.len()? != manifest.chunks_bytes {
            return Err(SegmentError::damaged(format!("{CHUNKS} has {} bytes", chunks.len()?)));
        }
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, serial, manifest, directory, index, chunks })
    }

    /// What its manifest says.
    pub(super) fn manifest(&self) -> &SeriesManifest {
        &self.manifest
    }

    /// Whether its chunks are elsewhere.
    pub(crate) fn is_archived(&self) -> bool {
        self.chunks.is_elsewhere()
    }

    /// Its id.
    pub(crate) fn id(&self) -> &SegmentId {
        &self.id
    }

    /// Samples.
    pub(crate) fn samples(&self) -> u64 {
        self.manifest.samples
    }

    /// Series.
    pub(crate) fn series_count(&self) -> u32 {
        self.directory.series
    }

    /// Bytes on disk, the manifest's aside.
    pub(crate) fn bytes(&self) -> u64 {
        self.manifest.index.bytes + self.manifest.chunks_bytes
    }

    /// Bytes of the chunks.
    pub(super) fn chunks_bytes(&self) -> u64 {
        self.manifest.chunks_bytes
    }

    /// Times of the earliest and the latest sample, Unix ms.
    pub(crate) fn time_ms(&self) -> (i64, i64) {
        (self.manifest.time_min_ms, self.manifest.time_max_ms)
    }

    /// From when on retention counts, Unix ns.
    pub(crate) fn age_from_ns(&self) -> u64 {
        self.manifest.age_from_ns
    }

    /// What it adds to the ledger.
    pub(crate) fn tally(&self) -> &Tally {
        &self.manifest.tally
    }

    /// The tenant's ledger of everything sealed up to and with it.
    pub(crate) fn ledger_after(&self) -> Option<&Tally> {
        self.manifest.ledger_after.as_ref()
    }

    /// Whether it may have samples of a time.
    pub(crate) fn overlaps(&self, (from_ms, to_ms): (i64, i64)) -> bool {
        self.manifest.time_min_ms <= to_ms && self.manifest.time_max_ms >= from_ms
    }

    /// A block of the index, checked and decompressed.
    pub(super) fn block(&self, block: &Block) -> Result<Vec<u8>, SegmentError> {
        let packed = block.extent.load(&self.index, INDEX)?;
        zstd::bulk::decompress(&packed, block.bytes as usize)
            .map_err(|error| SegmentError::damaged(format!("{INDEX}: {error}")))
    }
}
