//! When a target is scraped: spread over the interval, always at the same place in it.

use std::time::Duration;

use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hash};

/// A scrape this little behind its time is given the time that it should have had, so that timestamps lie evenly and compress well
/// (Prometheus: 2 ms, at most 1 % of the interval).
const TOLERANCE_MS: i64 = 2;

/// The time to wait from `now_ns` until a target's place in the interval.
pub(super) fn offset(target: impl Hash, interval: Duration, now_ns: u64) -> Duration {
    let interval_ns = interval.as_nanos() as u64;
    let place_ns = place_ns(target, interval_ns);
    let here_ns = now_ns % interval_ns;
    Duration::from_nanos((place_ns + interval_ns - here_ns) % interval_ns)
}

fn place_ns(target: impl Hash, interval_ns: u64) -> u64 {
    FixedState::with_seed(0).hash_one(target) % interval_ns
}

/// Whether a target whose samples lie `interval / samples` apart is asked at this one of them: at its place in the
/// interval, or next to it.
pub(super) fn is_turn(target: impl Hash, interval: Duration, samples: u32, time_ms: i64) -> bool {
    let interval_ns = interval.as_nanos() as i128;
    let step_ns = interval_ns / i128::from(samples.max(1));
    let place_ns = i128::from(place_ns(target, interval_ns as u64));
    let since_ns = (i128::from(time_ms) * 1_000_000 - place_ns + step_ns / 2).rem_euclid(interval_ns);
    since_ns < step_ns
}

/// Times that follow one another at an interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aligned {
    last_ms: i64,
}

impl Aligned {
    pub(super) fn from(first_ms: i64) -> Self {
        Self { last_ms: first_ms }
    }

    /// The time of a scrape that begins at `now_ms`: where it should be, when it is nearly there.
    pub(super) fn at(&mut self, now_ms: i64, interval: Duration) -> i64 {
        let interval_ms = (interval.as_millis() as i64).max(1);
        let behind = now_ms - self.last_ms;
        if behind >= interval_ms {
            // Skipped ones, too.
            self.last_ms += behind / interval_ms * interval_ms;
        }
        let tolerance_ms = TOLERANCE_MS.min(interval_ms / 100);
        let off_ms = now_ms - self.last_ms;
        // A timer may also be early; and after a jump of the clock backwards nothing fits any more.
        let early_ms = interval_ms - off_ms;
        if off_ms.abs() <= tolerance_ms {
            return self.last_ms;
        }
        if (0..=tolerance_ms).contains(&early_ms) {
            self.last_ms += interval_ms;
            return self.last_ms;
        }
        if off_ms < 0 || off_ms > interval_ms / 2 {
            self.last_ms = now_ms;
        }
        now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_late_is_in_time() {
        let interval = Duration::from_secs(15);
        let mut aligned = Aligned::from(1_000_000);
        let rows = [
            (1_015_001, 1_015_000),
            (1_030_002, 1_030_000),
            (1_045_050, 1_045_050),
            (1_059_999, 1_060_000),
            (1_090_001, 1_090_000),
        ];
        for (now_ms, expected) in rows {
            assert_eq!(aligned.at(now_ms, interval), expected);
        }
        assert_eq!(aligned.at(500_000, interval), 500_000, "the clock went back");
        assert_eq!(aligned.at(515_001, interval), 515_000);
        let mut fast = Aligned::from(0);
        assert_eq!(fast.at(101, Duration::from_millis(100)), 100, "1 % of the interval");
        assert_eq!(fast.at(202, Duration::from_millis(100)), 202);
    }

    #[test]
    fn of_samples_one_is_asked_for() {
        let interval = Duration::from_secs(300);
        let step = interval / 3;
        let begin_ns = 1_700_000_000_123_456_789_u64;
        for target in ["a", "b", "c", "d"] {
            let first_ns = begin_ns + offset(target, step, begin_ns).as_nanos() as u64;
            let turns: Vec<bool> = (0..30)
                .map(|index| (first_ns + index * step.as_nanos() as u64) / 1_000_000)
                .map(|time_ms| is_turn(target, interval, 3, time_ms as i64))
                .collect();
            assert_eq!(turns.iter().filter(|is_turn| **is_turn).count(), 10, "{turns:?}");
            assert!(turns.windows(3).all(|three| three.iter().filter(|is_turn| **is_turn).count() == 1));
        }
    }

    #[test]
    fn a_target_has_its_place() {
        let interval = Duration::from_secs(10);
        let at = |now_ns: u64| now_ns + offset("a", interval, now_ns).as_nanos() as u64;
        let place = at(1_000_000_000_000) % 10_000_000_000;
        for now_ns in [1_700_000_000_123_456_789, 5, 9_999_999_999] {
            assert_eq!(at(now_ns) % 10_000_000_000, place);
            assert!(offset("a", interval, now_ns) < interval);
        }
        let places: Vec<Duration> = (0..100).map(|target| offset(target, interval, 0)).collect();
        let early = places.iter().filter(|place| **place < Duration::from_secs(5)).count();
        assert!((30..70).contains(&early), "{early} of 100 in the first half");
    }
}
