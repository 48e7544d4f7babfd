//! Time that goes on whatever the clock does: it never steps back, and never far ahead at once.

/// Longest step at once: who was stopped for a day has not looked for a day either.
const STEP_NS_MAX: u64 = 600_000_000_000;

/// What waits and rests are measured by.
#[derive(Debug)]
pub(super) struct Steady {
    clock_ns: u64,
    steady_ns: u64,
}

impl Steady {
    /// As the clock stands.
    pub(super) fn new(clock_ns: u64) -> Self {
        Self { clock_ns, steady_ns: clock_ns }
    }

    /// How far it is when the clock stands so.
    pub(super) fn at(&mut self, clock_ns: u64) -> u64 {
        self.steady_ns += clock_ns.saturating_sub(self.clock_ns).min(STEP_NS_MAX);
        self.clock_ns = clock_ns;
        self.steady_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_clock_are_short() {
        let mut steady = Steady::new(1000);
        let hour = 3_600_000_000_000;
        assert_eq!([1005, 3, 4, hour * 30, 5, 6].map(|clock_ns| steady.at(clock_ns)), {
            let ahead = 1006 + STEP_NS_MAX;
            [1005, 1005, 1006, ahead, ahead, ahead + 1]
        });
    }
}
