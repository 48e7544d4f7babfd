//! Bounds the bytes of requests being received, over all connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{metrics::INFLIGHT_BYTES, refusal::Refusal};

/// Bytes that requests may hold at once.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    used_bytes: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    /// Of so many bytes for all requests together.
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Account { used_bytes: AtomicUsize::new(0), bytes_max }))
    }

    /// A reservation of nothing yet, for one request.
    pub fn open(&self) -> Reservation {
        Reservation { account: self.0.clone(), bytes: 0 }
    }
}

/// What one request holds of the [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<Account>,
    bytes: usize,
}

impl Reservation {
    /// Takes `bytes` more, before they are allocated. [`Refusal::Busy`] when the budget does not have them now,
    /// [`Refusal::TooLarge`] when it never will: a client would come again and again.
    pub fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        let Account { used_bytes, bytes_max } = &*self.account;
        if self.bytes.checked_add(bytes).is_none_or(|total| total > *bytes_max) {
            return Err(Refusal::TooLarge { what: "the request in memory", bytes_max: *bytes_max });
        }
        let enlarge = |used: usize| used.checked_add(bytes).filter(|total| total <= bytes_max);
        used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enlarge)
            .map_err(|_| Refusal::Busy("too many bytes of requests in flight"))?;
        self.bytes += bytes;
        INFLIGHT_BYTES.add(bytes as i64);
        Ok(())
    }

    /// Gives `bytes` back.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.account.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        INFLIGHT_BYTES.sub(bytes as i64);
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_budget_and_takes_back_what_was_dropped() {
        let budget = Budget::new(100);
        let (mut a, mut b) = (budget.open(), budget.open());
        a.add(60).expect("room");
        b.add(40).expect("room");
        assert!(matches!(b.add(1), Err(Refusal::Busy(_))));
        for never in [61, usize::MAX] {
            assert!(matches!(b.add(never), Err(Refusal::TooLarge { bytes_max: 100, .. })));
        }
        a.give_back(10);
        b.add(10).expect("given back");
        drop(a);
        assert!(b.add(51).is_err());
        b.add(50).expect("dropped");
    }
}
