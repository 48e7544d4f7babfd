//! Distinct byte strings of one column, numbered in the order of their first appearance.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// After this many values a dictionary looks at itself: when hardly any value came twice, it stops looking for repeats.
const TRIAL_VALUES: u32 = 4096;

/// Byte strings behind codes 0, 1, 2 …; an arena without an allocation per value.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary {
    arena: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<Slot>,
    hasher: RandomState,
    asked: u32,
    on_trial: bool,
    last: u32,
    distinct: bool,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    code: u32,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self::new()
    }
}

impl Dictionary {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            arena: Vec::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            asked: 0,
            on_trial: true,
            last: u32::MAX,
            distinct: true,
        }
    }

    /// One that never looks for repeats: every value gets a code of its own.
    pub(crate) fn plain() -> Self {
        Self { distinct: false, ..Self::new() }
    }

    /// Forgets everything, as if new; memory stays.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.ends.clear();
        self.table.clear();
        self.asked = 0;
        self.on_trial = true;
        self.last = u32::MAX;
        self.distinct = true;
    }

    /// The code of `value`; a new one when it is new (or when repeats are no longer looked for).
    #[inline]
    pub(crate) fn intern(&mut self, value: &[u8]) -> u32 {
        if !self.distinct {
            return self.push(value);
        }
        // Many values are their neighbour's: comparing costs less than hashing.
        if self.last != u32::MAX && self.get(self.last) == value {
            return self.last;
        }
        self.asked = self.asked.saturating_add(1);
        if self.on_trial && self.asked >= TRIAL_VALUES {
            self.on_trial = false;
            if self.ends.len() as u32 > self.asked / 4 * 3 {
                self.distinct = false;
                self.table = HashTable::new();
                return self.push(value);
            }
        }
        self.last = self.intern_repeated(value);
        self.last
    }

    /// Counts a value that came again without being looked up.
    #[inline]
    pub(crate) fn note_repeat(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// As [`Self::intern`], for a value that is known to repeat: it does not count in the trial.
    #[inline]
    pub(crate) fn intern_repeated(&mut self, value: &[u8]) -> u32 {
        if !self.distinct {
            return self.push(value);
        }
        let hash = hash_of(&self.hasher, value);
        let short = (hash >> 20) as u32;
        let found = self.table.find(hash, |slot| slot.hash == short && self.get(slot.code) == value);
        if let Some(slot) = found {
            return slot.code;
        }
        let code = self.push(value);
        let (arena, ends, hasher) = (&self.arena, &self.ends, &self.hasher);
        self.table
            .insert_unique(hash, Slot { hash: short, code }, |slot| hash_of(hasher, slice(arena, ends, slot.code)));
        code
    }

    /// Appends `value` under a new code.
    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) -> u32 {
        let code = self.ends.len() as u32;
        self.arena.extend_from_slice(value);
        self.ends.push(u32::try_from(self.arena.len()).expect("builders refuse payloads that could make so much"));
        code
    }

    /// The value behind a code.
    #[inline]
    pub(crate) fn get(&self, code: u32) -> &[u8] {
        slice(&self.arena, &self.ends, code)
    }

    /// Bytes of the value behind a code.
    #[inline]
    pub(crate) fn value_len(&self, code: u32) -> usize {
        let start = if code == 0 { 0 } else { self.ends[code as usize - 1] };
        (self.ends[code as usize] - start) as usize
    }

    /// Bytes of the longest value.
    pub(crate) fn longest(&self) -> usize {
        (0..self.len() as u32).map(|code| self.value_len(code)).max().unwrap_or(0)
    }

    /// Codes given out.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All values, one after the other.
    pub(crate) fn all_bytes(&self) -> &[u8] {
        &self.arena
    }

    /// Whether equal values are known to have equal codes.
    pub(crate) fn is_distinct(&self) -> bool {
        self.distinct
    }

    /// All values one after the other, and where each ends, with a 0 in front.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<i32>) {
        let ends = self.ends.iter().map(|&end| end as i32);
        (self.arena, std::iter::once(0).chain(ends).collect())
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.arena.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 9) as u64
    }
}

#[inline]
fn hash_of(hasher: &RandomState, value: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(value);
    hasher.finish()
}

#[inline]
fn slice<'a>(arena: &'a [u8], ends: &[u32], code: u32) -> &'a [u8] {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] as usize };
    &arena[start..ends[code] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_code() {
        let mut dictionary = Dictionary::new();
        let codes: Vec<u32> =
            ["a", "", "b", "a", "", "c"].iter().map(|text| dictionary.intern(text.as_bytes())).collect();
        assert_eq!(codes, [0, 1, 2, 0, 1, 3]);
        assert_eq!(dictionary.get(2), b"b");
        assert_eq!(dictionary.get(1), b"");
        assert_eq!(dictionary.value_len(0), 1);
    }

    #[test]
    fn stops_looking_when_nothing_repeats() {
        let mut dictionary = Dictionary::new();
        let codes: Vec<u32> = (0..10_000u32).map(|n| dictionary.intern(&n.to_le_bytes())).collect();
        assert!(!dictionary.is_distinct());
        assert!(codes.iter().enumerate().all(|(n, &code)| dictionary.get(code) == (n as u32).to_le_bytes()));
    }
}
