//! Rows in classes, which columns split further and further: what is true of one row of a class is true of all.

use std::collections::HashMap;

/// Largest table of pairs of a class and a code.
const PAIRS_MAX: u64 = 1 << 18;

/// The classes of a batch's rows.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    of_row: Vec<u32>,
    /// The first row of each class.
    firsts: Vec<u32>,
}

impl Classes {
    /// All of so many rows in one.
    pub(super) fn new(rows: usize) -> Self {
        Self { of_row: vec![0; rows], firsts: if rows == 0 { Vec::new() } else { vec![0] } }
    }

    /// The class of a row.
    #[inline]
    pub(super) fn of(&self, row: usize) -> u32 {
        self.of_row[row]
    }

    /// The class of each row.
    pub(super) fn rows(&self) -> &[u32] {
        &self.of_row
    }

    /// The first row of each class.
    pub(super) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Parts rows whose codes, all below `codes`, differ; `None` when there may be too many to be worth it.
    pub(super) fn split(&mut self, codes: u32, code: impl Fn(usize) -> u32) -> Option<()> {
        if codes <= 1 {
            return Some(());
        }
        let pairs = self.firsts.len() as u64 * u64::from(codes);
        if pairs > PAIRS_MAX {
            return None;
        }
        let mut known = vec![u32::MAX; pairs as usize];
        let mut firsts = Vec::new();
        for (row, class) in self.of_row.iter_mut().enumerate() {
            let known = &mut known[*class as usize * codes as usize + code(row) as usize];
            if *known == u32::MAX {
                *known = firsts.len() as u32;
                firsts.push(row as u32);
            }
            *class = *known;
        }
        self.firsts = firsts;
        Some(())
    }

    /// As [`Self::split`], where every row has a code.
    pub(super) fn split_codes(&mut self, count: u32, codes: &[u32]) -> Option<()> {
        if count <= 1 {
            return Some(());
        }
        let pairs = self.firsts.len() as u64 * u64::from(count);
        if pairs > PAIRS_MAX {
            return None;
        }
        let mut known = vec![u32::MAX; pairs as usize];
        let mut firsts = Vec::new();
        let (mut last, mut last_is) = ((u32::MAX, u32::MAX), 0);
        for (row, (class, &code)) in self.of_row.iter_mut().zip(codes).enumerate() {
            // Rows beside each other are mostly equal.
            if (*class, code) != last {
                last = (*class, code);
                let known = &mut known[*class as usize * count as usize + code as usize];
                if *known == u32::MAX {
                    *known = firsts.len() as u32;
                    firsts.push(row as u32);
                }
                last_is = *known;
            }
            *class = last_is;
        }
        self.firsts = firsts;
        Some(())
    }

    /// The same, however many there are.
    pub(super) fn split_any(&mut self, codes: u32, code: impl Fn(usize) -> u32) {
        if self.split(codes, &code).is_some() {
            return;
        }
        let mut known: HashMap<(u32, u32), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut firsts = Vec::new();
        for (row, class) in self.of_row.iter_mut().enumerate() {
            *class = *known.entry((*class, code(row))).or_insert_with(|| {
                firsts.push(row as u32);
                firsts.len() as u32 - 1
            });
        }
        self.firsts = firsts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_part_where_their_codes_do() {
        let (a, b) = ([0u32, 0, 1, 1, 0], [2u32, 3, 2, 2, 2]);
        let mut classes = Classes::new(5);
        classes.split(2, |row| a[row]).expect("few");
        let mut any = classes.clone();
        classes.split(4, |row| b[row]).expect("few");
        any.split_any(1 << 20, |row| b[row]);
        let mut of_codes = Classes::new(5);
        of_codes.split_codes(2, &a).and_then(|()| of_codes.split_codes(4, &b)).expect("few");
        for classes in [classes, any, of_codes] {
            assert_eq!(classes.rows(), [0, 1, 2, 2, 0]);
            assert_eq!(classes.firsts(), [0, 1, 2]);
        }
        assert!(Classes::new(5).split(1 << 20, |row| b[row]).is_none());
    }
}
