//! Where time enters: nanoseconds since the Unix epoch, from a clock that is passed in.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// Tells the time in Unix ns. The system's clock in production, one set by hand in tests.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `now_ns` until [`Clock::set`].
    pub fn fixed(now_ns: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(now_ns))))
    }

    /// Moves a fixed clock; does nothing to the system's.
    pub fn set(&self, now_ns: u64) {
        if let Some(fixed) = &self.0 {
            fixed.store(now_ns, Ordering::Release);
        }
    }

    /// Now, in Unix ns.
    pub fn now_ns(&self) -> u64 {
        match &self.0 {
            Some(fixed) => fixed.load(Ordering::Acquire),
            None => system_now_ns(),
        }
    }
}

/// The one place that asks the operating system for the time of day.
#[allow(clippy::disallowed_methods)]
fn system_now_ns() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
