//! `latency`: traces that took longer, from their earliest start to their latest end.

use serde::Deserialize;

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote};

const NS_PER_MS: u64 = 1_000_000;

/// Bounds in milliseconds.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Latency {
    /// Longer than this, in whole milliseconds: 140.9 ms are not longer than 140.
    threshold_ms: u64,
    /// And not longer than this; 0: no bound.
    upper_threshold_ms: u64,
}

impl PolicySettings for Latency {
    fn check(&self) -> Result<(), String> {
        if self.upper_threshold_ms != 0 && self.upper_threshold_ms <= self.threshold_ms {
            return Err("upper_threshold_ms is not above threshold_ms: no trace is both longer and shorter".into());
        }
        Ok(())
    }

    fn build(&self, _: &str, _: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let to_ms = if self.upper_threshold_ms == 0 { u64::MAX } else { self.upper_threshold_ms };
        Ok(Box::new(Slow { above_ms: self.threshold_ms, to_ms }))
    }
}

#[derive(Debug)]
struct Slow {
    above_ms: u64,
    to_ms: u64,
}

impl Policy for Slow {
    fn vote(&mut self, trace: &DueTrace<'_>, _: &mut Luck) -> Vote {
        // Cut to milliseconds before it is compared, as the Collector does.
        let duration_ms = trace.duration_ns() / NS_PER_MS;
        Vote::sampled_if(duration_ms > self.above_ms && duration_ms <= self.to_ms)
    }
}
