//! `bytes_limiting`: as many bytes per second as allowed, in whole traces.

use serde::Deserialize;

use super::{
    DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Settlement, Vote, limiter::Limiter, rate_limiting::burst,
};

/// What a span of an earlier process is taken for: verdicts say how many spans a trace had, not how many bytes.
const SPAN_BYTES_USUAL: f64 = 400.0;

/// The rate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BytesLimiting {
    bytes_per_second: u64,
    /// Left out, or 0: twice `bytes_per_second`. A trace larger than this is never kept here.
    #[serde(default)]
    burst_capacity: u64,
}

impl PolicySettings for BytesLimiting {
    fn check(&self) -> Result<(), String> {
        burst(self.bytes_per_second, self.burst_capacity).map(drop)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let burst = burst(self.bytes_per_second, self.burst_capacity).expect("checked when it was read");
        Ok(Box::new(ByteRate(Limiter::new(self.bytes_per_second as f64, burst as f64, plan.variable(true)))))
    }
}

#[derive(Debug)]
struct ByteRate(Limiter);

impl Policy for ByteRate {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        self.0.vote(trace, trace.account.bytes as f64, luck)
    }

    fn settle(&mut self, trace: &DueTrace<'_>, _: Settlement) {
        self.0.settle(trace.now_ns);
    }

    fn recall(&mut self, spans: u32, decided: bool, now_ns: u64) {
        if decided {
            self.0.take(f64::from(spans) * SPAN_BYTES_USUAL, now_ns);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.0.save()
    }

    fn restore(&mut self, saved: &[u8]) {
        self.0.restore(saved);
    }
}
