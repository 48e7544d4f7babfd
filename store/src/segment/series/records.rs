//! Records of series: labels, each as what it does not share with the one before, and where the chunks are.

use weir_proto::metrics::Labels;

use super::chunks::ChunkRef;
use crate::{
    journal::{Fields, put_varint},
    samples::bytes::{put_signed, signed},
};

/// Series of a block.
pub(super) const BLOCK_SERIES: u32 = 64;

/// A series of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesRecord {
    pub(crate) labels: Labels,
    pub(crate) chunks: Vec<ChunkRef>,
}

/// Gathers the records of a block.
#[derive(Debug, Default)]
pub(super) struct RecordBlock {
    bytes: Vec<u8>,
    labels_before: Vec<u8>,
    chunk_end: u64,
    time_before: i64,
    pub(super) series: u32,
}

impl RecordBlock {
    /// Appends a record.
    pub(super) fn push(&mut self, labels: &Labels, chunks: &[ChunkRef]) {
        let own = labels.as_bytes();
        let shared = own.iter().zip(&self.labels_before).take_while(|(one, other)| one == other).count();
        put_varint(&mut self.bytes, shared as u64);
        put_varint(&mut self.bytes, (own.len() - shared) as u64);
        self.bytes.extend_from_slice(&own[shared..]);
        self.labels_before.clear();
        self.labels_before.extend_from_slice(own);
        put_varint(&mut self.bytes, chunks.len() as u64);
        for chunk in chunks {
            put_signed(&mut self.bytes, chunk.start.wrapping_sub(self.chunk_end) as i64);
            put_varint(&mut self.bytes, u64::from(chunk.len));
            put_varint(&mut self.bytes, u64::from(chunk.samples));
            put_signed(&mut self.bytes, chunk.first_ms.wrapping_sub(self.time_before));
            put_signed(&mut self.bytes, chunk.last_ms.wrapping_sub(chunk.first_ms));
            self.chunk_end = chunk.start + u64::from(chunk.len);
            self.time_before = chunk.first_ms;
        }
        self.series += 1;
    }

    /// The block's bytes, and an empty block.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }
}

/// Reads a block; `None` when it makes no sense.
pub(super) fn read_block(bytes: &[u8], series: u32) -> Option<Vec<SeriesRecord>> {
    let mut fields = Fields(bytes);
    let mut labels_bytes: Vec<u8> = Vec::new();
    let (mut chunk_end, mut time_before) = (0_u64, 0_i64);
    let mut records = Vec::with_capacity(series as usize);
    for _ in 0..series {
        let shared = fields.varint_u32()? as usize;
        let own = fields.varint_u32()? as usize;
        if shared > labels_bytes.len() {
            return None;
        }
        labels_bytes.truncate(shared);
        labels_bytes.extend_from_slice(fields.bytes(own)?);
        let labels = Labels::from_bytes(&labels_bytes).ok()?;
        let chunks = fields.varint_u32()? as usize;
        if chunks > fields.0.len() {
            return None;
        }
        let mut of_series = Vec::with_capacity(chunks);
        for _ in 0..chunks {
            let start = chunk_end.wrapping_add(signed(&mut fields)? as u64);
            let (len, samples) = (fields.varint_u32()?, fields.varint_u32()?);
            let first_ms = time_before.wrapping_add(signed(&mut fields)?);
            let last_ms = first_ms.wrapping_add(signed(&mut fields)?);
            of_series.push(ChunkRef { start, len, samples, first_ms, last_ms });
            chunk_end = start.checked_add(u64::from(len))?;
            time_before = first_ms;
        }
        records.push(SeriesRecord { labels, chunks: of_series });
    }
    fields.0.is_empty().then_some(records)
}
