//! Cuts time into pieces, so that every window is a run of whole ones.

use super::windows::Windows;

/// Cuts time into pieces, so that every window is a run of whole ones: at each window's end, and at each one's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    /// Where the first window ends, Unix ns.
    pub(super) first_end_ns: i64,
    /// From a window's end to the next one's.
    pub(super) step_ns: i64,
    /// Whole steps in a window, and what is left.
    whole: i64,
    rest_ns: i64,
    pub(super) count: u32,
}

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// In the order of time.
    pub(crate) number: i64,
    /// It begins behind this moment, Unix ns.
    pub(crate) after_ns: i64,
    /// Its last moment.
    pub(crate) to_ns: i64,
}

impl Piece {
    /// Whether a moment is in it.
    #[inline]
    pub(super) fn holds(&self, time_ns: i64) -> bool {
        self.after_ns < time_ns && time_ns <= self.to_ns
    }
}

impl Pieces {
    pub(super) fn of(windows: &Windows<'_>) -> Self {
        let Windows { moments, range, .. } = windows;
        Self {
            first_end_ns: moments.start_ns - range.offset_ns,
            step_ns: moments.step_ns,
            whole: range.range_ns / moments.step_ns,
            rest_ns: range.range_ns % moments.step_ns,
            count: moments.count,
        }
    }

    /// First moment that is in a window, and the last.
    pub(super) fn bounds_ns(&self, range_ns: i64) -> (i64, i64) {
        let last_end_ns = self.first_end_ns.saturating_add(self.step_ns.saturating_mul(i64::from(self.count) - 1));
        (self.first_end_ns.saturating_sub(range_ns).saturating_add(1), last_end_ns)
    }

    /// The piece of a moment.
    pub(super) fn piece(&self, time_ns: i64) -> Piece {
        // The window's end is in it, its start is not.
        let step = -(self.first_end_ns - time_ns).div_euclid(self.step_ns);
        let end_ns = self.first_end_ns + step * self.step_ns;
        if self.rest_ns == 0 {
            return Piece { number: 2 * step, after_ns: end_ns - self.step_ns, to_ns: end_ns };
        }
        let between_ns = end_ns - self.rest_ns;
        if time_ns > between_ns {
            Piece { number: 2 * step + 1, after_ns: between_ns, to_ns: end_ns }
        } else {
            Piece { number: 2 * step, after_ns: end_ns - self.step_ns, to_ns: between_ns }
        }
    }

    /// The pieces of a window: all from the first to the last.
    pub(super) fn of_window(&self, number: u32) -> (i64, i64) {
        let number = i64::from(number);
        let first = if self.rest_ns > 0 { 2 * (number - self.whole) + 1 } else { 2 * (number - self.whole + 1) };
        (first, 2 * number + 1)
    }

    /// The windows that a piece is in.
    pub(super) fn windows(&self, piece: i64) -> std::ops::Range<u32> {
        let first = piece.div_euclid(2);
        // The last window whose first piece is not behind this one.
        let last = if self.rest_ns > 0 {
            (piece - 1).div_euclid(2) + self.whole
        } else {
            piece.div_euclid(2) + self.whole - 1
        };
        let bound = |window: i64| window.clamp(0, i64::from(self.count)) as u32;
        bound(first)..bound(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_windows() {
        for (range_ns, step_ns) in [(10, 3), (3, 10), (10, 10), (10, 5), (1, 1), (7, 2), (2, 7)] {
            let pieces =
                Pieces { first_end_ns: 100, step_ns, whole: range_ns / step_ns, rest_ns: range_ns % step_ns, count: 8 };
            for time_ns in 60..200 {
                let piece = pieces.piece(time_ns);
                assert!(piece.holds(time_ns) && pieces.piece(piece.to_ns) == piece, "{time_ns}");
                assert_ne!(pieces.piece(piece.after_ns), piece);
                let piece = piece.number;
                for number in 0..8u32 {
                    let end_ns = 100 + i64::from(number) * step_ns;
                    let expected = time_ns > end_ns - range_ns && time_ns <= end_ns;
                    let (first, last) = pieces.of_window(number);
                    let found = (first..=last).contains(&piece);
                    assert_eq!(found, expected, "range {range_ns} step {step_ns} time {time_ns} window {number}");
                    assert_eq!(
                        pieces.windows(piece).contains(&number),
                        expected,
                        "{range_ns} {step_ns} {time_ns} {number}"
                    );
                }
            }
        }
    }
}
