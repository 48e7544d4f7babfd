//! Writes a segment of metrics: series are handed over in the order of their labels, their chunks go to disk at once.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use weir_proto::metrics::{Exemplar, Labels, Metadata};

use super::{
    CHUNKS, INDEX,
    chunks::{ChunkRef, EncodedChunk},
    directory::{Block, Directory, NameEntry},
    extent::{Extent, Extents},
    extras::{put_exemplars, put_families},
    manifest::{Content, SeriesManifest},
    open::SeriesSegment,
    postings::{self, BLOCK_BYTES, ListPlace, put_list},
    records::{BLOCK_SERIES, RecordBlock},
};
use crate::{
    disk::Disk,
    note::Note,
    segment::{
        SegmentError, SegmentId, SegmentTally,
        files::{MANIFEST, NewDirectory},
        manifest::Checked,
    },
};

/// A segment under way.
#[derive(Debug)]
pub(crate) struct SeriesWriter {
    id: SegmentId,
    path: PathBuf,
    directory: NewDirectory,
    chunks: Extents,
    index: Extents,
    names: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    block: RecordBlock,
    records: Vec<Block>,
    series: u32,
    samples: u64,
    time_ms: Option<(i64, i64)>,
    refs: Vec<ChunkRef>,
    zstd_level: i32,
}

/// What a segment has beside its series.
#[derive(Debug, Default)]
pub(crate) struct SeriesExtras {
    /// By series, each series' in time order.
    pub(crate) exemplars: Vec<(Labels, Vec<Exemplar>)>,
    /// By name.
    pub(crate) families: Vec<Metadata>,
    /// All that stand, by name.
    pub(crate) notes: Vec<Note>,
    /// What it tells of the ledger.
    pub(crate) tally: SegmentTally,
    /// When the newest of it arrived, Unix ns: what lies in the future is no younger than that.
    pub(crate) arrived_at_ns: u64,
}

impl SeriesWriter {
    /// Begins a segment below `parent`.
    pub(crate) fn create(disk: &Disk, parent: &Path, id: &SegmentId, zstd_level: i32) -> Result<Self, SegmentError> {
        let directory = NewDirectory::create(disk, parent, &id.to_string())?;
        let chunks = Extents::new(directory.file(CHUNKS)?);
        let index = Extents::new(directory.file(INDEX)?);
        Ok(Self {
            id: id.clone(),
            path: parent.join(id.to_string()),
            directory,
            chunks,
            index,
            names: BTreeMap::new(),
            block: RecordBlock::default(),
            records: Vec::new(),
            series: 0,
            samples: 0,
            time_ms: None,
            refs: Vec::new(),
            zstd_level,
        })
    }

    /// Adds the next series. One without chunks is none.
    pub(crate) fn series(&mut self, labels: &Labels, chunks: &[EncodedChunk]) -> Result<(), SegmentError> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.refs.clear();
        for chunk in chunks {
            let extent = self.chunks.add(&chunk.bytes).map_err(|source| SegmentError::io(&self.path, source))?;
            let EncodedChunk { samples, first_ms, last_ms, .. } = *chunk;
            self.refs.push(ChunkRef { start: extent.start, len: extent.len, samples, first_ms, last_ms });
            self.samples += u64::from(samples);
            let (min_ms, max_ms) = self.time_ms.unwrap_or((first_ms, last_ms));
            self.time_ms = Some((min_ms.min(first_ms), max_ms.max(last_ms)));
        }
        for (name, value) in labels.iter() {
            if !self.names.contains_key(name) {
                self.names.insert(name.to_owned(), BTreeMap::new());
            }
            let values = self.names.get_mut(name).expect("inserted just now");
            match values.get_mut(value) {
                Some(series) => series.push(self.series),
                None => drop(values.insert(value.to_owned(), vec![self.series])),
            }
        }
        self.block.push(labels, &self.refs);
        self.series += 1;
        if self.block.series == BLOCK_SERIES {
            self.finish_block()?;
        }
        Ok(())
    }

    fn finish_block(&mut self) -> Result<(), SegmentError> {
        let bytes = self.block.take();
        let block = self.compressed(&bytes)?;
        self.records.push(block);
        Ok(())
    }

    fn compressed(&mut self, bytes: &[u8]) -> Result<Block, SegmentError> {
        let written = zstd::bulk::compress(bytes, self.zstd_level).and_then(|packed| self.index.add(&packed));
        let extent = written.map_err(|source| SegmentError::io(&self.path, source))?;
        Ok(Block { extent, bytes: bytes.len() as u32 })
    }

    /// Writes the index and publishes the segment.
    pub(crate) fn finish(mut self, extras: SeriesExtras) -> Result<SeriesSegment, SegmentError> {
        if self.block.series > 0 {
            self.finish_block()?;
        }
        let exemplars = put_exemplars(&extras.exemplars);
        let exemplars = exemplars.map(|bytes| self.compressed(&bytes)).transpose()?;
        let families = put_families(&extras.families, &extras.notes);
        let families = families.map(|bytes| self.compressed(&bytes)).transpose()?;
        let names = std::mem::take(&mut self.names);
        let io = |source| SegmentError::io(&self.path, source);
        let entries: io::Result<Vec<NameEntry>> =
            names.into_iter().map(|(name, values)| write_name(&mut self.index, name, &values)).collect();
        let directory =
            Directory { series: self.series, names: entries.map_err(io)?, records: self.records, exemplars, families };
        let bytes = directory.to_bytes();
        let Extent { len, crc32c, .. } = self.index.add(&bytes).map_err(io)?;
        let index_bytes = self.index.finish().map_err(io)?;
        let chunks_bytes = self.chunks.finish().map_err(io)?;
        self.directory.sync(CHUNKS)?;
        self.directory.sync(INDEX)?;
        let time_ms = self.time_ms.unwrap_or_default();
        let content = Content {
            tally: extras.tally.own,
            ledger_after: extras.tally.ledger_after,
            samples: self.samples,
            series: u64::from(self.series),
            time_ms,
            age_from_ns: age_from_ns(time_ms.1, extras.arrived_at_ns),
        };
        let index = Checked { bytes: index_bytes, checked_bytes: u64::from(len), crc32c };
        let manifest = SeriesManifest::new(&self.id, content, index, chunks_bytes);
        self.directory.write(MANIFEST, &manifest.to_bytes())?;
        let path = self.directory.publish()?;
        SeriesSegment::open(&path)
    }

    /// Removes what was written.
    pub(crate) fn discard(self) {
        self.directory.discard();
    }
}

/// Samples of the future are as old as their arrival.
fn age_from_ns(time_max_ms: i64, arrived_at_ns: u64) -> u64 {
    let newest_ns = u64::try_from(time_max_ms).unwrap_or(0).saturating_mul(1_000_000);
    if arrived_at_ns == 0 { newest_ns } else { newest_ns.min(arrived_at_ns) }
}

/// Writes the lists of a label's values, and the map that finds them.
fn write_name(index: &mut Extents, name: String, values: &BTreeMap<String, Vec<u32>>) -> io::Result<NameEntry> {
    let mut all: Vec<u32> = values.values().flatten().copied().collect();
    all.sort_unstable();
    let mut lists = Vec::new();
    let mut block = Vec::new();
    put_list(&mut block, &all);
    drop(all);
    let mut map = fst::MapBuilder::memory();
    for (value, series) in values {
        if block.len() >= BLOCK_BYTES {
            lists.push(index.add(&block)?);
            block.clear();
        }
        let place = ListPlace { block: lists.len() as u32, offset: block.len() as u32 };
        postings::put_list(&mut block, series);
        map.insert(value, place.to_u64()).map_err(io::Error::other)?;
    }
    lists.push(index.add(&block)?);
    let map = map.into_inner().map_err(io::Error::other)?;
    Ok(NameEntry { name, values: values.len() as u32, map: index.add(&map)?, lists })
}
