//! Where each known trace is: one hash probe a span.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use weir_proto::TraceId;

/// Most traces of a kind: their numbers must fit a [`Tracked`].
pub(super) const TRACES_MAX: u64 = 1 << 30;

/// What is known of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracked {
    /// Its account has this number.
    Pending(u32),
    /// It is in the cache of dropped (false) or kept (true) traces, at this position modulo [`TRACES_MAX`].
    Decided(bool, u32),
}

const DECIDED: u32 = 1 << 31;
const KEPT: u32 = 1 << 30;

impl Tracked {
    fn pack(self) -> u32 {
        match self {
            Self::Pending(number) => number,
            Self::Decided(kept, position) => DECIDED | if kept { KEPT } else { 0 } | position,
        }
    }

    fn unpack(packed: u32) -> Self {
        if packed & DECIDED == 0 {
            return Self::Pending(packed);
        }
        Self::Decided(packed & KEPT != 0, packed & (KEPT - 1))
    }
}

/// The hash of a trace, different in every process: nobody can make ids that meet in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceHash(u32);

impl TraceHash {
    /// The table takes its place from the lower and its tag from the upper bits.
    fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

/// Trace to place. The traces themselves lie where the places say.
#[derive(Debug, Default)]
pub(super) struct TraceTable {
    entries: HashTable<Entry>,
    hash_state: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: TraceHash,
    place: u32,
}

impl TraceTable {
    /// A trace's hash.
    #[inline]
    pub(super) fn hash(&self, tenant: u32, id: TraceId) -> TraceHash {
        let mut hasher = self.hash_state.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(id.0));
        hasher.write_u32(tenant);
        TraceHash((hasher.finish() >> 32) as u32)
    }

    /// The place of the trace with this hash that `is` says it is.
    #[inline]
    pub(super) fn find(&self, hash: TraceHash, is: impl Fn(Tracked) -> bool) -> Option<Tracked> {
        let found = self.entries.find(hash.spread(), |entry| entry.hash == hash && is(Tracked::unpack(entry.place)));
        found.map(|entry| Tracked::unpack(entry.place))
    }

    /// Brings a trace's entry into the processor's cache. Calls in a row wait for memory at the same time, which lookups with
    /// work between them do not.
    #[inline]
    pub(super) fn look_ahead(&self, hash: TraceHash) {
        std::hint::black_box(self.entries.find(hash.spread(), |entry| entry.hash == hash));
    }

    /// Adds a trace that is not there.
    pub(super) fn insert(&mut self, hash: TraceHash, place: Tracked) {
        let entry = Entry { hash, place: place.pack() };
        self.entries.insert_unique(hash.spread(), entry, |entry| entry.hash.spread());
    }

    /// The trace at `from` is now at `to`, or nowhere.
    pub(super) fn change(&mut self, hash: TraceHash, from: Tracked, to: Option<Tracked>) {
        let Ok(mut found) = self.entries.find_entry(hash.spread(), |entry| entry.place == from.pack()) else {
            debug_assert!(false, "{from:?} is not in the table");
            return;
        };
        match to {
            Some(to) => found.get_mut().place = to.pack(),
            None => drop(found.remove()),
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.entries.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_packing() {
        let most = TRACES_MAX as u32 - 1;
        for place in [0, 1, most]
            .into_iter()
            .flat_map(|n| [Tracked::Pending(n), Tracked::Decided(false, n), Tracked::Decided(true, n)])
        {
            assert_eq!(Tracked::unpack(place.pack()), place);
        }
    }

    #[test]
    fn a_trace_is_found_until_it_goes() {
        let mut table = TraceTable::default();
        let id = |n: u32| TraceId([n.to_le_bytes(), [1; 4], [2; 4], n.to_be_bytes()].concat().try_into().expect("16"));
        for n in 0..5000 {
            table.insert(table.hash(n % 3, id(n)), Tracked::Pending(n));
        }
        for n in 0..5000 {
            let hash = table.hash(n % 3, id(n));
            assert_eq!(table.find(hash, |place| place == Tracked::Pending(n)), Some(Tracked::Pending(n)));
            table.change(hash, Tracked::Pending(n), n.is_multiple_of(2).then_some(Tracked::Decided(true, n)));
            assert_eq!(table.find(hash, |place| place == Tracked::Pending(n)), None);
            let decided = table.find(hash, |place| place == Tracked::Decided(true, n));
            assert_eq!(decided.is_some(), n.is_multiple_of(2));
        }
    }
}
