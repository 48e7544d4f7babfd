//! A token bucket on journal time, and how large a share of what was offered it lets through.

use super::{DueTrace, Luck, Vote, luck::Variable, saved};

const NS_PER_SECOND: f64 = 1e9;

/// What was offered and kept counts half after this time.
const HALF_LIFE_SECONDS: f64 = 5.0;

/// Layout of what is saved.
const VERSION: u8 = 1;

/// No share is taken for smaller.
const SHARE_MIN: f64 = 1e-6;

/// Lets so much through per second, and a burst.
#[derive(Debug)]
pub(super) struct Limiter {
    per_second: f64,
    burst: f64,
    tokens: f64,
    last_ns: u64,
    share: ShareKept,
    /// What was weighed last and is not in `share` yet: the odds of a decision are those from before it.
    weighed: Option<(f64, bool)>,
    variable: Variable,
}

/// The share of what was offered lately that was kept: what a kept trace's adjusted count rests on.
///
/// Kept traces stand for the dropped ones around them, so the share lags behind a change of rate. What the counts owe, or
/// have said too much, is therefore made good by the traces kept next: over some seconds they add up to what was offered.
#[derive(Debug, Default)]
pub(super) struct ShareKept {
    offered: f64,
    kept: f64,
    /// Offered so far, less what counts have added up to.
    owed: f64,
    last_ns: u64,
}

impl ShareKept {
    /// 1 before anything was offered.
    pub(super) fn share(&self) -> f64 {
        let stands_for = self.offered + self.owed;
        if self.kept <= 0.0 || stands_for <= self.kept { 1.0 } else { (self.kept / stands_for).max(SHARE_MIN) }
    }

    /// Takes note of what was offered.
    pub(super) fn note(&mut self, amount: f64, kept: bool, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.last_ns) as f64 / NS_PER_SECOND;
        self.last_ns = self.last_ns.max(now_ns);
        self.owed += amount - if kept { amount / self.share() } else { 0.0 };
        let decay = (-elapsed / HALF_LIFE_SECONDS).exp2();
        self.offered = self.offered * decay + amount;
        self.kept = self.kept * decay + if kept { amount } else { 0.0 };
        // An outage of the limit must not be paid for by a few traces.
        self.owed = self.owed.clamp(-self.offered, self.offered);
    }
}

impl Limiter {
    /// A full bucket.
    pub(super) fn new(per_second: f64, burst: f64, variable: Variable) -> Self {
        Self { per_second, burst, tokens: burst, last_ns: 0, share: ShareKept::default(), weighed: None, variable }
    }

    /// Keeps a trace of this size when the bucket holds so much.
    pub(super) fn vote(&mut self, trace: &DueTrace<'_>, amount: f64, luck: &mut Luck) -> Vote {
        if let Some(below) = luck.below(self.variable, self.share.share()) {
            return Vote::sampled_if(below);
        }
        self.refill(trace.now_ns);
        let keep = amount <= self.tokens;
        if keep {
            self.tokens -= amount;
        }
        self.weighed = Some((amount, keep));
        Vote::sampled_if(keep)
    }

    /// After the decision.
    pub(super) fn settle(&mut self, now_ns: u64) {
        if let Some((amount, kept)) = self.weighed.take() {
            self.share.note(amount, kept, now_ns);
        }
    }

    /// Takes tokens for what an earlier process kept.
    pub(super) fn take(&mut self, amount: f64, now_ns: u64) {
        self.refill(now_ns);
        self.tokens = (self.tokens - amount).max(-self.burst);
    }

    /// How full the bucket is, for the next process.
    pub(super) fn save(&self) -> Option<Vec<u8>> {
        Some(saved::write(VERSION, [self.tokens.to_bits(), self.last_ns]))
    }

    /// Takes that back; a bucket that is smaller now holds no more.
    pub(super) fn restore(&mut self, saved: &[u8]) {
        let [tokens, last_ns] = saved::read(VERSION, saved)[..] else { return };
        let tokens = f64::from_bits(tokens);
        if tokens.is_finite() {
            self.tokens = tokens.clamp(-self.burst, self.burst);
            self.last_ns = last_ns;
        }
    }

    fn refill(&mut self, now_ns: u64) {
        if self.last_ns == 0 {
            self.last_ns = now_ns;
        }
        let elapsed = now_ns.saturating_sub(self.last_ns) as f64 / NS_PER_SECOND;
        self.last_ns = self.last_ns.max(now_ns);
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
    }
}
