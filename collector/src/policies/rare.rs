//! `rare`: the first traces in a window of each combination of service, operation, status and error type.

use std::{collections::HashMap, hash::BuildHasher, time::Duration};

use foldhash::quality::FixedState;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_proto::duration;
use weir_store::sampling::{ArrivedSpan, TraceAccount};

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote, config::amount};

/// Traces that a combination remembers, to count none of them twice.
const REMEMBERED: usize = 8;

const NS_PER_SECOND: f64 = 1e9;

/// Layout of what is saved.
const VERSION: u8 = 1;
const SAVED_BYTES: usize = 18;

/// How many of what, at most.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rare {
    /// Of each combination, in each window.
    traces: u16,
    #[serde(deserialize_with = "duration::deserialize_positive")]
    window: Duration,
    /// Combinations remembered; what is beyond them is not rare.
    combinations_max: u32,
    /// Traces per second kept for all combinations together, so that a flood of new names does not keep everything.
    #[serde(deserialize_with = "amount")]
    traces_per_second_max: f64,
}

impl Default for Rare {
    fn default() -> Self {
        Self { traces: 3, window: Duration::from_secs(3600), combinations_max: 50_000, traces_per_second_max: 100.0 }
    }
}

impl PolicySettings for Rare {
    fn check(&self) -> Result<(), String> {
        if self.traces == 0 || self.combinations_max == 0 {
            return Err("traces and combinations_max must be 1 or more".into());
        }
        if self.combinations_max > 1_000_000 {
            return Err("combinations_max is at most 1000000".into());
        }
        Ok(())
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        plan.want_error_type();
        Ok(Box::new(FirstOnes {
            settings: self.clone(),
            window_ns: u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX),
            bit: plan.account_bit()?,
            seen: HashMap::default(),
            swept_ns: 0,
            tokens: self.traces_per_second_max.max(1.0),
            refilled_ns: 0,
            overflowed: 0,
        }))
    }

    fn when_absent() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Debug)]
struct FirstOnes {
    settings: Rare,
    window_ns: u64,
    bit: u64,
    seen: HashMap<u64, Seen, FixedState>,
    swept_ns: u64,
    tokens: f64,
    refilled_ns: u64,
    /// Spans whose combination found no room.
    overflowed: u64,
}

/// A combination in its window.
#[derive(Debug, Clone, Copy)]
struct Seen {
    since_ns: u64,
    traces: u16,
    /// Hashes of the newest of them.
    newest: [u32; REMEMBERED],
}

impl FirstOnes {
    /// Finds or opens the combination's window; `None` when there is no room.
    fn seen(&mut self, combination: u64, now_ns: u64) -> Option<&mut Seen> {
        let fresh = Seen { since_ns: now_ns, traces: 0, newest: [0; REMEMBERED] };
        if !self.seen.contains_key(&combination) && self.seen.len() >= self.settings.combinations_max as usize {
            // Looking through all of them is worth it once in a while only.
            if now_ns.saturating_sub(self.swept_ns) > self.window_ns / 16 {
                self.swept_ns = now_ns;
                self.seen.retain(|_, seen| now_ns.saturating_sub(seen.since_ns) < self.window_ns);
            }
            if self.seen.len() >= self.settings.combinations_max as usize {
                self.overflowed += 1;
                return None;
            }
        }
        let seen = self.seen.entry(combination).or_insert(fresh);
        if now_ns.saturating_sub(seen.since_ns) >= self.window_ns {
            *seen = fresh;
        }
        Some(seen)
    }

    /// Whether one more may be kept this second.
    fn has_token(&mut self, now_ns: u64) -> bool {
        let rate = self.settings.traces_per_second_max;
        let elapsed = now_ns.saturating_sub(self.refilled_ns) as f64 / NS_PER_SECOND;
        self.refilled_ns = self.refilled_ns.max(now_ns);
        self.tokens = (self.tokens + elapsed * rate).min(rate.max(1.0));
        if self.tokens < 1.0 || rate == 0.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl Policy for FirstOnes {
    fn vote(&mut self, trace: &DueTrace<'_>, _: &mut Luck) -> Vote {
        Vote::sampled_if(trace.has(self.bit))
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, span: &ArrivedSpan<'_>, account: &mut TraceAccount) {
        let combination = FixedState::with_seed(span.operation).hash_one((span.mark.key, span.status_code));
        let most = self.settings.traces;
        let Some(seen) = self.seen(combination, span.arrived_ns) else { return };
        if seen.traces >= most {
            return;
        }
        // Never 0, which stands for no trace.
        let trace = FixedState::default().hash_one(account.trace_id.0) as u32 | 1;
        if seen.newest.contains(&trace) {
            return;
        }
        seen.newest[usize::from(seen.traces) % REMEMBERED] = trace;
        seen.traces += 1;
        if account.bits & self.bit == 0 && self.has_token(span.arrived_ns) {
            account.bits |= self.bit;
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        let mut saved = vec![VERSION];
        for (combination, seen) in &self.seen {
            saved.extend_from_slice(&combination.to_le_bytes());
            saved.extend_from_slice(&seen.since_ns.to_le_bytes());
            saved.extend_from_slice(&seen.traces.to_le_bytes());
        }
        Some(saved)
    }

    fn restore(&mut self, saved: &[u8]) {
        let Some((&VERSION, rest)) = saved.split_first() else { return };
        for entry in rest.chunks_exact(SAVED_BYTES).take(self.settings.combinations_max as usize) {
            let combination = u64::from_le_bytes(entry[..8].try_into().expect("eight bytes"));
            let since_ns = u64::from_le_bytes(entry[8..16].try_into().expect("eight bytes"));
            let traces = u16::from_le_bytes(entry[16..].try_into().expect("two bytes"));
            self.seen.insert(combination, Seen { since_ns, traces, newest: [0; REMEMBERED] });
        }
    }

    fn report(&self) -> Option<Value> {
        Some(json!({ "combinations": self.seen.len(), "spans_without_room": self.overflowed }))
    }
}
