//! What happens over and over is said once, and then once a minute with how often it happened.

use std::time::{Duration, Instant};

/// Between two lines about the same thing.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// How often a thing happened, and when it was said last.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    said_at: Option<Instant>,
    unsaid: u64,
}

impl Repeats {
    /// It happened. When it is to be said: how often it did since it was said last, this time counted.
    pub(crate) fn happened(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        if self.said_at.is_some_and(|at| now.saturating_duration_since(at) < BETWEEN_LINES) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_minute() {
        let begin = Instant::now();
        let mut repeats = Repeats::default();
        let mut lines = Vec::new();
        for tenth in 0..1_500 {
            if let Some(times) = repeats.happened(begin + Duration::from_millis(100 * tenth)) {
                lines.push((tenth / 10, times));
            }
        }
        assert_eq!(lines, [(0, 1), (60, 600), (120, 600)], "at which second, how often since");
        assert_eq!(repeats.happened(begin + Duration::from_secs(3600)), Some(300));
    }
}
