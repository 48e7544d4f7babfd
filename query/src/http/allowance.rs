//! How many bytes answers may hold: each by itself, and all of them together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::QueryConfig;

/// What an answer may hold without asking: small ones are never cut for the sake of large ones.
const FREE_BYTES: u64 = if cfg!(test) { 1 << 10 } else { 256 << 10 };

/// What all answers of the process hold, and the most of it since [`most_held`] was last asked.
static HELD: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

/// The most bytes that answers and their rows held at once since this was last asked; small ones hold none.
pub fn most_held() -> u64 {
    MOST.swap(HELD.load(Ordering::Relaxed), Ordering::Relaxed)
}

/// What is left for all answers together.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    left: Arc<AtomicU64>,
    /// For each answer's bytes, and for each answer's rows.
    answer_bytes_max: u64,
}

/// Bytes that an answer holds; given back when dropped.
#[derive(Debug)]
pub(super) struct Holding {
    allowance: Allowance,
    /// All of them, and what of that is taken from the others.
    bytes: u64,
    taken: u64,
    bytes_max: u64,
}

/// Rows take more than what is written of them.
const ROWS_PER_ANSWER: u64 = 4;

impl Allowance {
    /// As configured.
    pub(super) fn of(config: &QueryConfig) -> Self {
        Self::new(config.answer_bytes_max.get() as u64, config.answers_bytes_max.get() as u64)
    }

    pub(super) fn new(answer_bytes_max: u64, answers_bytes_max: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(answers_bytes_max)), answer_bytes_max }
    }

    /// `query.answer_bytes_max`.
    pub(super) fn answer_bytes_max(&self) -> u64 {
        self.answer_bytes_max
    }

    /// For an answer's rows.
    pub(super) fn rows(&self) -> Holding {
        self.holding(self.answer_bytes_max.saturating_mul(ROWS_PER_ANSWER))
    }

    /// For an answer's bytes.
    pub(super) fn body(&self) -> Holding {
        self.holding(self.answer_bytes_max)
    }

    fn holding(&self, bytes_max: u64) -> Holding {
        Holding { allowance: self.clone(), bytes: 0, taken: 0, bytes_max }
    }
}

impl Holding {
    /// Takes more; false when the answer, or all of them, have enough.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let after = self.bytes.saturating_add(bytes);
        if after > self.bytes_max {
            return false;
        }
        let more = after.saturating_sub(FREE_BYTES).saturating_sub(self.taken);
        let less = |left: u64| left.checked_sub(more);
        if more > 0 && self.allowance.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            return false;
        }
        if more > 0 {
            MOST.fetch_max(HELD.fetch_add(more, Ordering::Relaxed) + more, Ordering::Relaxed);
        }
        self.bytes = after;
        self.taken += more;
        true
    }

    /// Whether so many more are within what this answer may have, whatever others hold.
    pub(super) fn has_own_room(&self, bytes: u64) -> bool {
        self.bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// Gives back as many.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.shrink_to(self.bytes.saturating_sub(bytes));
    }

    /// Gives back all but `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let back = self.taken.saturating_sub(bytes.saturating_sub(FREE_BYTES));
        self.allowance.left.fetch_add(back, Ordering::Relaxed);
        HELD.fetch_sub(back, Ordering::Relaxed);
        self.taken -= back;
        self.bytes = self.bytes.min(bytes);
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_bound_and_all_have_theirs() {
        let allowance = Allowance::new(10_000, 15_000);
        let mut first = allowance.body();
        assert!(first.take(10_000) && !first.take(1));
        let mut second = allowance.body();
        assert!(second.take(1 << 10), "a little is free");
        assert!(!second.take(6_100) && second.has_own_room(6_100), "of 15,000 some 6,000 are left");
        assert!(!second.has_own_room(9_000));
        assert!(second.take(5_900));
        drop(first);
        assert!(second.take(10_000 - 5_900 - (1 << 10)));
        second.shrink_to(2_000);
        assert!(second.take(8_000) && !second.take(1));
        second.give_back(1_000);
        assert_eq!(second.bytes, 9_000);
        drop(second);
        assert_eq!(allowance.left.load(Ordering::Relaxed), 15_000);
        assert!(allowance.rows().take(15_000));
    }
}
