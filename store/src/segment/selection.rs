//! Which rows of a row group are still in question.

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    bits: Vec<u64>,
    rows: u32,
}

impl Selection {
    /// No row of `rows`.
    pub(super) fn none(rows: u32) -> Self {
        Self { bits: vec![0; rows.div_ceil(64) as usize], rows }
    }

    /// Every row of `rows`.
    pub(super) fn all(rows: u32) -> Self {
        let mut all = Self { bits: vec![u64::MAX; rows.div_ceil(64) as usize], rows };
        if let Some(last) = all.bits.last_mut().filter(|_| !rows.is_multiple_of(64)) {
            *last = (1 << (rows % 64)) - 1;
        }
        all
    }

    /// Adds a row.
    #[inline]
    pub(super) fn insert(&mut self, row: u32) {
        self.bits[row as usize / 64] |= 1 << (row % 64);
    }

    /// Adds those that fit of some rows that follow each other.
    pub(super) fn insert_fitting(&mut self, first: u32, fitting: impl Iterator<Item = bool>) {
        for (row, fits) in (first as usize..).zip(fitting) {
            self.bits[row / 64] |= u64::from(fits) << (row % 64);
        }
    }

    /// Adds those of the first rows that are said to fit.
    pub(super) fn insert_flagged(&mut self, fits: &[bool]) {
        for (bits, fits) in self.bits.iter_mut().zip(fits.chunks(64)) {
            *bits |= (0..).zip(fits).fold(0, |all, (at, &fits)| all | u64::from(fits) << at);
        }
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, row: u32) {
        self.bits[row as usize / 64] &= !(1 << (row % 64));
    }

    /// Adds the rows of the other.
    pub(super) fn add(&mut self, other: &Self) {
        for (bits, other) in self.bits.iter_mut().zip(&other.bits) {
            *bits |= other;
        }
    }

    /// Keeps the rows that are in the other too.
    pub(super) fn keep(&mut self, other: &Self) {
        for (bits, other) in self.bits.iter_mut().zip(&other.bits) {
            *bits &= other;
        }
    }

    /// Takes the rows of the other out.
    pub(super) fn leave_out(&mut self, other: &Self) {
        for (bits, other) in self.bits.iter_mut().zip(&other.bits) {
            *bits &= !other;
        }
    }

    /// How many rows are in.
    pub(super) fn len(&self) -> u32 {
        self.bits.iter().map(|bits| bits.count_ones()).sum()
    }

    /// Whether no row is in.
    pub(super) fn is_empty(&self) -> bool {
        self.bits.iter().all(|&bits| bits == 0)
    }

    /// The rows, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.bits.iter().enumerate().flat_map(|(index, &bits)| {
            let mut left = bits;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }

    /// First to last row in, for reading no more pages than that.
    pub(super) fn span(&self) -> std::ops::Range<u32> {
        let first = self.bits.iter().position(|&bits| bits != 0);
        let last = self.bits.iter().rposition(|&bits| bits != 0);
        match (first, last) {
            (Some(first), Some(last)) => {
                let start = first as u32 * 64 + self.bits[first].trailing_zeros();
                start..last as u32 * 64 + 64 - self.bits[last].leading_zeros()
            }
            _ => 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_and_out() {
        for rows in [0, 1, 63, 64, 65, 200] {
            assert_eq!(Selection::all(rows).iter().collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
            assert_eq!((Selection::all(rows).span(), Selection::all(rows).len()), (0..rows, rows));
            assert!(Selection::none(rows).is_empty());
        }
        let mut some = Selection::none(200);
        [3, 64, 130].into_iter().for_each(|row| some.insert(row));
        assert_eq!(some.span(), 3..131);
        let mut other = Selection::all(200);
        other.keep(&some);
        assert_eq!(other, some);
    }
}
