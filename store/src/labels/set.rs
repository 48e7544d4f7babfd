//! A set of series, by their numbers in an index: a bit for each.

/// Numbers below a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesSet {
    words: Vec<u64>,
    bound: u32,
}

impl SeriesSet {
    /// None of the numbers below `bound`.
    pub(crate) fn none(bound: u32) -> Self {
        Self { words: vec![0; bound.div_ceil(64) as usize], bound }
    }

    /// All of them.
    pub(crate) fn all(bound: u32) -> Self {
        let mut set = Self { words: vec![u64::MAX; bound.div_ceil(64) as usize], bound };
        if let Some(last) = set.words.last_mut().filter(|_| !bound.is_multiple_of(64)) {
            *last = (1 << (bound % 64)) - 1;
        }
        set
    }

    /// Adds a number; one that is out of bounds is none of this index, and is passed over.
    #[inline]
    pub(crate) fn insert(&mut self, number: u32) {
        if number < self.bound {
            self.words[number as usize / 64] |= 1 << (number % 64);
        }
    }

    /// Adds `length` numbers from `first` on.
    pub(crate) fn insert_run(&mut self, first: u32, length: u32) {
        let end = first.saturating_add(length).min(self.bound);
        let mut number = first;
        while number < end {
            if number.is_multiple_of(64) && end - number >= 64 {
                self.words[number as usize / 64] = u64::MAX;
                number += 64;
            } else {
                self.insert(number);
                number += 1;
            }
        }
    }

    /// Whether a number is in it.
    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        number < self.bound && self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// Leaves what is in `other`, too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, others)| *mine &= others);
    }

    /// Takes out what is in `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, others)| *mine &= !others);
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(64).zip(&self.words).flat_map(|(first, &word): (u32, &u64)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(first + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_was_put_in() {
        for bound in [0, 1, 63, 64, 65, 200] {
            assert_eq!(SeriesSet::all(bound).iter().collect::<Vec<_>>(), (0..bound).collect::<Vec<_>>());
            assert!(SeriesSet::none(bound).is_empty());
        }
        let mut set = SeriesSet::none(300);
        set.insert_run(10, 200);
        set.insert(299);
        set.insert(300);
        assert_eq!(set.iter().collect::<Vec<_>>(), (10..210).chain([299]).collect::<Vec<_>>());
        let mut other = SeriesSet::all(300);
        other.subtract(&set);
        assert_eq!((set.len(), other.len(), other.contains(9), other.contains(10)), (201, 99, true, false));
        other.intersect(&set);
        assert!(other.is_empty());
        set.insert_run(290, u32::MAX);
        assert_eq!(set.len(), 210);
    }
}
