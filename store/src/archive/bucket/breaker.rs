//! Stops asking a store that is away: after failures in a row nobody tries for a while, then one does.

use parking_lot::Mutex;

use super::{metrics, options::BreakerBounds};

/// Counts failures in a row over all requests of a bucket.
#[derive(Debug)]
pub(super) struct Breaker {
    bounds: BreakerBounds,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Requests go through; so many failed in a row.
    Closed { failures: u32 },
    /// Nobody asks before this time.
    Open { until_ns: u64 },
    /// One request asks.
    Probing,
}

/// The leave to ask. Dropped without a word (the request was given up), it leaves things as they were.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(super) fn new(bounds: BreakerBounds) -> Self {
        metrics::BREAKER_STATE.set(0);
        Self { bounds, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Leave to ask, or `None` while the store counts as away.
    pub(super) fn enter(&self, now_ns: u64) -> Option<Leave<'_>> {
        let mut state = self.state.lock();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until_ns } if now_ns >= until_ns => {
                self.put(&mut state, State::Probing);
                true
            }
            State::Open { .. } | State::Probing => return None,
        };
        Some(Leave { breaker: self, probe, settled: false })
    }

    /// Whether a request would be refused now.
    pub(super) fn is_open(&self, now_ns: u64) -> bool {
        match *self.state.lock() {
            State::Closed { .. } => false,
            State::Open { until_ns } => now_ns < until_ns,
            State::Probing => true,
        }
    }

    fn put(&self, state: &mut State, next: State) {
        metrics::BREAKER_STATE.set(match next {
            State::Closed { .. } => 0,
            State::Probing => 1,
            State::Open { .. } => 2,
        });
        *state = next;
    }

    fn failed(&self, now_ns: u64) {
        let mut state = self.state.lock();
        let until_ns = now_ns.saturating_add(self.bounds.pause.as_nanos() as u64);
        match *state {
            State::Closed { failures } if failures + 1 < self.bounds.failures_max => {
                *state = State::Closed { failures: failures + 1 };
            }
            State::Closed { .. } | State::Probing => self.put(&mut state, State::Open { until_ns }),
            State::Open { .. } => {}
        }
    }
}

impl Leave<'_> {
    /// The store answered.
    pub(super) fn succeeded(mut self) {
        self.settled = true;
        let mut state = self.breaker.state.lock();
        // A late success of a request from before does not close what opened since; a probe's does.
        if self.probe || matches!(*state, State::Closed { .. }) {
            self.breaker.put(&mut state, State::Closed { failures: 0 });
        }
    }

    /// It did not, or said that it cannot.
    pub(super) fn failed(mut self, now_ns: u64) {
        self.settled = true;
        self.breaker.failed(now_ns);
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            // The next one may try at once: this one learned nothing.
            self.breaker.put(&mut self.breaker.state.lock(), State::Open { until_ns: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerBounds { failures_max: 2, pause: Duration::from_nanos(10) })
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_try() {
        let breaker = breaker();
        breaker.enter(0).expect("closed").failed(0);
        breaker.enter(0).expect("closed").succeeded();
        breaker.enter(0).expect("closed").failed(0);
        breaker.enter(1).expect("one failure in a row").failed(1);
        assert!(breaker.enter(10).is_none() && breaker.is_open(10));
        let probe = breaker.enter(11).expect("the pause is over");
        assert!(breaker.enter(11).is_none(), "one at a time");
        probe.failed(11);
        assert!(breaker.enter(20).is_none());
        breaker.enter(21).expect("once more").succeeded();
        assert!(breaker.enter(21).is_some() && breaker.enter(21).is_some());
    }

    #[test]
    fn a_probe_that_is_given_up_lets_the_next_try() {
        let breaker = breaker();
        breaker.enter(0).expect("closed").failed(0);
        breaker.enter(0).expect("closed").failed(0);
        drop(breaker.enter(10).expect("a probe"));
        breaker.enter(10).expect("the next").succeeded();
        assert!(!breaker.is_open(10));
    }
}
