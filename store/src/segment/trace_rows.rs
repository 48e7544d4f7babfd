//! Numbers traces in the order of their first row, and notes which rows each has.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use weir_proto::TraceId;

use super::trace_index::TraceIndexBuilder;

const NONE: u32 = u32::MAX;

/// The traces of a segment under way.
#[derive(Debug, Default)]
pub(super) struct TraceRows {
    /// By a hash that differs from process to process: senders choose the ids, and [`TraceId::hash64`] is known to everyone.
    by_id: HashTable<u32>,
    keys: RandomState,
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
        let hash = key_of(&self.keys, id);
        let traces = &self.traces;
        if let Some(&number) = self.by_id.find(hash, |&number| traces[number as usize].id == id) {
            return number;
        }
        let number = self.traces.len() as u32;
        self.traces.push(TraceSlot { id, hash: id.hash64(), stretch: NONE });
        let (traces, keys) = (&self.traces, &self.keys);
        self.by_id.insert_unique(hash, number, |&number| key_of(keys, traces[number as usize].id));
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

#[inline]
fn key_of(keys: &RandomState, id: TraceId) -> u64 {
    let mut hasher = keys.build_hasher();
    hasher.write_u128(u128::from_ne_bytes(id.0));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::colliding::{id, is_spread};

    #[test]
    fn ids_that_are_made_to_collide_do_not() {
        let rows = TraceRows::default();
        assert!((1..100).all(|n| id(n).hash64() == id(0).hash64()), "or else this test shows nothing");
        assert!(is_spread((0..40_960).map(|n| key_of(&rows.keys, id(n)))));
        assert!(is_spread((0..40_960u128).map(|n| key_of(&rows.keys, TraceId(n.to_be_bytes())))), "counted ids");
        assert!(is_spread((0..40_960u128).map(|n| key_of(&rows.keys, TraceId(n.to_le_bytes())))));
        let others = TraceRows::default();
        assert!((0..8).any(|n| key_of(&rows.keys, id(n)) != key_of(&others.keys, id(n))), "nobody can work it out");
    }
}
