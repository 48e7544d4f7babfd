//! Which series have which value: sorted lists of series numbers, as runs.
//!
//! Neighbours in a segment have most labels in common, so that most lists are a few runs.

use crate::{
    journal::{Fields, put_varint},
    labels::SeriesSet,
};

/// Lists are gathered into blocks of about so many bytes, read and checked as one.
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// Where a list is among the lists of its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListPlace {
    pub(super) block: u32,
    pub(super) offset: u32,
}

impl ListPlace {
    /// As a value of the map from values to lists.
    pub(super) fn to_u64(self) -> u64 {
        u64::from(self.block) << 32 | u64::from(self.offset)
    }

    /// What [`Self::to_u64`] gave.
    pub(super) fn from_u64(number: u64) -> Self {
        Self { block: (number >> 32) as u32, offset: number as u32 }
    }
}

/// Appends a list of ascending numbers.
pub(super) fn put_list(into: &mut Vec<u8>, numbers: &[u32]) {
    let runs = || {
        let mut rest = numbers;
        std::iter::from_fn(move || {
            let first = *rest.first()?;
            let length = rest.iter().zip(first..).take_while(|(number, expected)| **number == *expected).count();
            rest = &rest[length..];
            Some((first, length as u32))
        })
    };
    put_varint(into, runs().count() as u64);
    let mut before = 0;
    for (first, length) in runs() {
        put_varint(into, u64::from(first - before));
        put_varint(into, u64::from(length - 1));
        before = first + length;
    }
}

/// Adds the numbers of the list at an offset of a block.
pub(super) fn add_list(block: &[u8], offset: u32, set: &mut SeriesSet) -> Option<()> {
    each_run(block, offset, |first, length| {
        set.insert_run(first, length);
        true
    })
}

/// Hands over the runs of a list while `each` wants them.
pub(super) fn each_run(block: &[u8], offset: u32, mut each: impl FnMut(u32, u32) -> bool) -> Option<()> {
    let mut fields = Fields(block.get(offset as usize..)?);
    let mut before = 0_u32;
    for _ in 0..fields.varint()? {
        let first = before.checked_add(fields.varint_u32()?)?;
        let length = fields.varint_u32()?.checked_add(1)?;
        before = first.checked_add(length)?;
        if !each(first, length) {
            break;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_come_back(numbers in prop::collection::btree_set(0..500_u32, 0..200)) {
            let numbers: Vec<u32> = numbers.into_iter().collect();
            let mut block = vec![9, 9];
            put_list(&mut block, &numbers);
            let mut set = SeriesSet::none(500);
            prop_assert_eq!(add_list(&block, 2, &mut set), Some(()));
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), numbers);
        }

        #[test]
        fn any_bytes_are_read_without_harm(block in prop::collection::vec(any::<u8>(), 0..100), offset in 0..120_u32) {
            let _ = add_list(&block, offset, &mut SeriesSet::none(500));
        }
    }
}
