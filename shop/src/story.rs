//! The story of the demo: a version that is rolled out to a few, is worse than the one before, and is rolled back. Then again.

/// What happens now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chapter {
    /// All is as it should be.
    Calm,
    /// The new version takes its share of the calls.
    Canary,
}

/// When chapters begin and end.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Where a period begins, Unix ns.
    pub origin_ns: u64,
    /// From one roll-out to the next.
    pub period_ns: u64,
}

/// The share of a period, in percent, between which the new version is there.
const CANARY: std::ops::Range<u64> = 20..80;

impl Story {
    /// A story that is in the middle of a roll-out at `now_ns`.
    pub fn under_way(now_ns: u64, period_ns: u64) -> Self {
        let period_ns = period_ns.max(100);
        Self { origin_ns: now_ns.saturating_sub(period_ns / 2), period_ns }
    }

    /// What happens at a moment, before or after the origin.
    pub fn chapter(&self, at_ns: u64) -> Chapter {
        let after = (i128::from(at_ns) - i128::from(self.origin_ns)).rem_euclid(i128::from(self.period_ns));
        let percent = (after * 100 / i128::from(self.period_ns)) as u64;
        if CANARY.contains(&percent) { Chapter::Canary } else { Chapter::Calm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_in_the_middle_and_goes_round() {
        let story = Story::under_way(10_000, 1_000);
        let chapters: Vec<Chapter> = (9_000..11_000).step_by(100).map(|at| story.chapter(at)).collect();
        let canary: Vec<usize> =
            chapters.iter().enumerate().filter(|(_, one)| **one == Chapter::Canary).map(|(at, _)| at).collect();
        // In the middle at 9,000, 10,000 and 11,000.
        assert_eq!(canary, [0, 1, 2, 7, 8, 9, 10, 11, 12, 17, 18, 19]);
        assert_eq!(story.chapter(10_000), Chapter::Canary);
    }
}
