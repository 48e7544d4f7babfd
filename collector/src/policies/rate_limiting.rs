//! `rate_limiting`: as many spans per second as allowed, in whole traces.

use serde::Deserialize;

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Settlement, Vote, limiter::Limiter};

/// Largest rate and burst that are told apart from none.
pub(super) const RATE_MAX: u64 = 1 << 53;

/// The rate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimiting {
    spans_per_second: u64,
    /// Left out, or 0: twice `spans_per_second`. A trace larger than this is never kept here.
    #[serde(default)]
    burst_capacity: u64,
}

/// The bucket's size.
pub(super) fn burst(per_second: u64, configured: u64) -> Result<u64, String> {
    let burst = if configured == 0 { per_second.saturating_mul(2) } else { configured };
    if per_second > RATE_MAX || burst > 2 * RATE_MAX {
        return Err(format!("too large; a rate is at most {RATE_MAX}"));
    }
    Ok(burst)
}

impl PolicySettings for RateLimiting {
    fn check(&self) -> Result<(), String> {
        burst(self.spans_per_second, self.burst_capacity).map(drop)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let burst = burst(self.spans_per_second, self.burst_capacity).expect("checked when it was read");
        Ok(Box::new(SpanRate(Limiter::new(self.spans_per_second as f64, burst as f64, plan.variable(true)))))
    }
}

#[derive(Debug)]
struct SpanRate(Limiter);

impl Policy for SpanRate {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        self.0.vote(trace, trace.spans(), luck)
    }

    fn settle(&mut self, trace: &DueTrace<'_>, _: Settlement) {
        self.0.settle(trace.now_ns);
    }

    fn recall(&mut self, spans: u32, decided: bool, now_ns: u64) {
        if decided {
            self.0.take(f64::from(spans), now_ns);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.0.save()
    }

    fn restore(&mut self, saved: &[u8]) {
        self.0.restore(saved);
    }
}
