//! Keeps uploads within a bandwidth: bytes are taken before they are sent, and who takes more than there are waits.

use parking_lot::Mutex;

use super::{metrics, options::Surroundings};

/// Nanoseconds of bandwidth that may be saved up.
const SAVED_NS: u64 = 1_000_000_000;

/// A bucket of tokens that is written down as the time at which it is full of debt paid: one number.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_s: Option<u64>,
    /// When all that was taken so far may have been sent.
    sent_ns: Mutex<u64>,
}

impl Throttle {
    pub(super) fn new(bytes_per_s: Option<u64>, now_ns: u64) -> Self {
        Self { bytes_per_s: bytes_per_s.filter(|rate| *rate > 0), sent_ns: Mutex::new(now_ns.saturating_sub(SAVED_NS)) }
    }

    /// Waits until `bytes` may be sent.
    pub(super) async fn take(&self, bytes: u64, surroundings: &Surroundings) {
        let wait_ns = self.reserve(bytes, surroundings.clock.now_ns());
        if wait_ns > 0 {
            let wait = std::time::Duration::from_nanos(wait_ns);
            metrics::THROTTLED_SECONDS.inc_by(wait.as_secs_f64());
            (surroundings.wait)(wait).await;
        }
    }

    /// Takes the bytes; how long to wait before they are sent.
    fn reserve(&self, bytes: u64, now_ns: u64) -> u64 {
        let Some(rate) = self.bytes_per_s else { return 0 };
        let cost_ns = (u128::from(bytes) * 1_000_000_000 / u128::from(rate)) as u64;
        let mut sent_ns = self.sent_ns.lock();
        let start_ns = (*sent_ns).max(now_ns.saturating_sub(SAVED_NS));
        *sent_ns = start_ns.saturating_add(cost_ns);
        // A clock that was set back must not make an upload wait for years.
        let wait_ns = sent_ns.saturating_sub(now_ns);
        if wait_ns > cost_ns.saturating_add(3600 * SAVED_NS) {
            *sent_ns = now_ns.saturating_add(cost_ns);
            return cost_ns;
        }
        wait_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_saved_up_and_then_it_is_the_rate() {
        let second = 1_000_000_000;
        let throttle = Throttle::new(Some(1000), 100 * second);
        assert_eq!(throttle.reserve(1000, 100 * second), 0);
        assert_eq!(throttle.reserve(500, 100 * second), second / 2);
        assert_eq!(throttle.reserve(500, 100 * second), second);
        assert_eq!(throttle.reserve(1, 103 * second), 0, "idle time counts for one second only");
        assert_eq!(throttle.reserve(1999, 103 * second), second);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_it() {
        let second = 1_000_000_000;
        let throttle = Throttle::new(Some(1000), 1_000_000 * second);
        assert_eq!(throttle.reserve(2000, 5 * second), 2 * second);
    }

    #[test]
    fn without_a_bound_nobody_waits() {
        assert_eq!(Throttle::new(None, 0).reserve(u64::MAX, 0), 0);
        assert_eq!(Throttle::new(Some(0), 0).reserve(u64::MAX, 0), 0);
    }
}
