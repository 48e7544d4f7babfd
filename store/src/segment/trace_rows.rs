//! Numbers traces in the order of their first row, and notes which rows each has.

use hashbrown::HashTable;
use weir_proto::TraceId;

use super::trace_index::TraceIndexBuilder;

const NONE: u32 = u32::MAX;

/// The traces of a segment under way.
#[derive(Debug, Default)]
pub(super) struct TraceRows {
    by_id: HashTable<u32>,
    traces: Vec<TraceSlot>,
    index: TraceIndexBuilder,
}

#[derive(Debug, Clone, Copy)]
struct TraceSlot {
    id: TraceId,
    hash: u64,
    stretch: u32,
}

impl TraceRows {
    /// The number of a trace: the next one when it is new.
    #[inline]
    pub(super) fn number(&mut self, id: TraceId) -> u32 {
        let hash = id.hash64();
        let traces = &self.traces;
        if let Some(&number) = self.by_id.find(hash, |&number| traces[number as usize].id == id) {
            return number;
        }
        let number = self.traces.len() as u32;
        self.traces.push(TraceSlot { id, hash, stretch: NONE });
        let traces = &self.traces;
        self.by_id.insert_unique(hash, number, |&number| traces[number as usize].hash);
        number
    }

    /// Adds the next row to a trace.
    #[inline]
    pub(super) fn add(&mut self, number: u32, row: u32) {
        let slot = &mut self.traces[number as usize];
        slot.stretch = match slot.stretch {
            NONE => self.index.begin(slot.hash, row),
            stretch => self.index.extend(stretch, row),
        };
    }

    /// Forgets them; memory stays.
    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.traces.clear();
        self.index.clear();
    }

    /// Distinct traces.
    pub(super) fn len(&self) -> u64 {
        self.traces.len() as u64
    }

    /// The index file's bytes, and how many of them are header and directory.
    pub(super) fn finish(&self, rows: u64) -> (Vec<u8>, u32) {
        self.index.finish(rows)
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.by_id.capacity() as u64 * 5 + self.traces.capacity() as u64 * 32 + self.index.memory_bytes()
    }
}
