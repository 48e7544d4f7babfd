//! Where series stand, by numbers that mostly follow one another: a table, and a map for those that do not.

use std::collections::HashMap;

/// No series.
const NONE: u32 = u32::MAX;

/// The table may have so many places for each number that is in use, and [`FREE`] more.
const ROOM: usize = 4;

const FREE: usize = 1 << 16;

/// Places by number.
#[derive(Debug, Default)]
pub(super) struct SeriesPlaces {
    /// The number of the table's first place.
    first: u64,
    table: Vec<u32>,
    used: usize,
    /// What is too far away for the table.
    others: HashMap<u64, u32, foldhash::fast::RandomState>,
}

impl SeriesPlaces {
    /// The place of a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<u32> {
        let index = number.wrapping_sub(self.first);
        match self.table.get(usize::try_from(index).unwrap_or(usize::MAX)) {
            Some(&place) if place != NONE => Some(place),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&number).copied(),
        }
    }

    /// A number has a place from now on.
    pub(super) fn set(&mut self, number: u64, place: u32) {
        if self.table.is_empty() {
            self.first = number;
        }
        self.used += 1;
        let index = usize::try_from(number.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if index >= self.table.len() {
            if index > self.used * ROOM + FREE {
                self.others.insert(number, place);
                return;
            }
            self.table.resize(index + 1, NONE);
        }
        self.table[index] = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_counts() {
        let mut places = SeriesPlaces::default();
        let far = 1 << 40;
        for (number, place) in [(1000, 1), (1001, 2), (999, 3), (far, 4), (1500, 5), (1001, 6), (far, 7), (0, 8)] {
            places.set(number, place);
        }
        let expected = [(1000, 1), (1001, 6), (999, 3), (far, 7), (1500, 5), (0, 8)];
        for (number, place) in expected {
            assert_eq!(places.get(number), Some(place), "{number}");
        }
        for number in [1, 998, 1002, 1499, 1501, far + 1, u64::MAX] {
            assert_eq!(places.get(number), None, "{number}");
        }
    }

    #[test]
    fn what_is_far_away_now_may_be_near_later() {
        let mut places = SeriesPlaces::default();
        places.set(0, 1);
        let further = (ROOM * 2 + FREE + 10) as u64;
        places.set(further, 2);
        assert_eq!(places.others.len(), 1);
        (1..100).for_each(|number| places.set(number, 3));
        places.set(further + 1, 4);
        assert_eq!(places.others.len(), 1);
        assert_eq!((places.get(further), places.get(further + 1)), (Some(2), Some(4)));
        places.set(further, 5);
        assert_eq!(places.get(further), Some(5));
    }
}
