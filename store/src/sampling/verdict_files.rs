//! Which files of the verdict journal are still needed.

use std::collections::BTreeMap;

use crate::offset::Offset;

/// The files with verdicts in them.
#[derive(Debug, Default)]
pub(super) struct VerdictFiles(BTreeMap<u32, Needed>);

#[derive(Debug, Default)]
struct Needed {
    /// Verdicts that late spans may follow.
    cached: u64,
    /// Spans at or before this may belong to a verdict in it.
    until: Offset,
}

impl VerdictFiles {
    /// Verdicts lie in a file: `cached` of them are in the cache, and spans up to `until` are theirs.
    pub(super) fn add(&mut self, file: u32, cached: u64, until: Offset) {
        let needed = self.0.entry(file).or_default();
        needed.cached += cached;
        needed.until = needed.until.max(until);
    }

    /// One of them left the cache; spans up to `until` may have followed it.
    pub(super) fn forget(&mut self, file: u32, until: Offset) {
        if let Some(needed) = self.0.get_mut(&file) {
            needed.cached = needed.cached.saturating_sub(1);
            needed.until = needed.until.max(until);
        }
    }

    /// The first file that is needed, when journal files of spans below `first_unsealed` are sealed; those before it are let go.
    pub(super) fn first_needed(&mut self, first_unsealed: u32) -> Option<u32> {
        while let Some(oldest) = self.0.first_entry() {
            if oldest.get().cached > 0 || oldest.get().until.file() >= first_unsealed {
                return Some(*oldest.key());
            }
            oldest.remove();
        }
        None
    }

    /// The oldest file, when it is only needed for the cache and there are more than `most`: what the cache needs of it is
    /// worth being written again.
    pub(super) fn worth_copying(&self, most: u64, first_unsealed: u32) -> Option<u32> {
        let (&oldest, needed) = self.0.first_key_value()?;
        let is_only_cached = needed.until.file() < first_unsealed;
        (self.count() > most && is_only_cached && needed.cached > 0).then_some(oldest)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_from_the_front_when_nothing_needs_them() {
        let mut files = VerdictFiles::default();
        files.add(1, 2, Offset::new(5, 0));
        files.add(2, 0, Offset::new(6, 0));
        files.add(3, 1, Offset::new(7, 0));
        assert_eq!(files.first_needed(9), Some(1), "the cache needs it");
        assert_eq!((files.worth_copying(2, 9), files.worth_copying(3, 9)), (Some(1), None));
        assert_eq!(files.worth_copying(2, 5), None, "spans need it as well");
        files.forget(1, Offset::new(8, 0));
        files.forget(1, Offset::new(8, 1));
        assert_eq!(files.first_needed(8), Some(1), "late spans in file 8 followed it");
        assert_eq!(files.first_needed(9), Some(3));
        files.forget(3, Offset::default());
        assert_eq!(files.first_needed(8), None);
    }
}
