//! `rare`: the first traces in a window of each combination of service, operation, status and error type.

use std::{collections::HashMap, hash::BuildHasher, time::Duration};

use foldhash::quality::{FixedState, RandomState};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_proto::duration;
use weir_store::sampling::{ArrivedSpan, TraceAccount};

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote, config::amount, saved};

/// Traces that a combination remembers, to count none of them twice and to know after a restart which of them it marked.
const REMEMBERED: usize = 8;

const NS_PER_SECOND: f64 = 1e9;

/// Layout of what is saved.
const VERSION: u8 = 2;
/// Numbers for each combination: itself, since when, counts, then the traces.
const SAVED_NUMBERS: usize = 3 + REMEMBERED / 2;

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
    seen: HashMap<u64, Seen, RandomState>,
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
    /// Where the next trace goes among the newest.
    next: u8,
    /// Which of the newest were marked, one bit each.
    marked: u8,
    /// Hashes of the newest traces, of the window before as well: they may be pending.
    newest: [u32; REMEMBERED],
}

impl FirstOnes {
    /// Finds or opens the combination's window; `None` when there is no room.
    fn seen(&mut self, combination: u64, now_ns: u64) -> Option<&mut Seen> {
        let fresh = Seen { since_ns: now_ns, traces: 0, next: 0, marked: 0, newest: [0; REMEMBERED] };
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
            *seen = Seen { since_ns: now_ns, traces: 0, ..*seen };
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
        // Never 0, which stands for no trace.
        let trace = FixedState::default().hash_one(account.trace_id.0) as u32 | 1;
        if let Some(at) = seen.newest.iter().position(|known| *known == trace) {
            // In recovery the account is a new one, and the trace counted already.
            if seen.marked & (1 << at) != 0 {
                account.bits |= self.bit;
            }
            return;
        }
        if seen.traces >= most {
            return;
        }
        seen.traces += 1;
        let at = usize::from(seen.next);
        seen.next = (seen.next + 1) % REMEMBERED as u8;
        seen.newest[at] = trace;
        seen.marked &= !(1 << at);
        if account.bits & self.bit == 0 && !self.has_token(span.arrived_ns) {
            return;
        }
        account.bits |= self.bit;
        if let Some(seen) = self.seen.get_mut(&combination) {
            seen.marked |= 1 << at;
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        let bucket = [self.tokens.to_bits(), self.refilled_ns];
        let combinations = self.seen.iter().flat_map(|(combination, seen)| seen.save(*combination));
        Some(saved::write(VERSION, bucket.into_iter().chain(combinations)))
    }

    fn restore(&mut self, saved: &[u8]) {
        let numbers = saved::read(VERSION, saved);
        let [tokens, refilled_ns, combinations @ ..] = &numbers[..] else { return };
        if let Some(tokens) = saved::amount(*tokens) {
            self.tokens = tokens.min(self.settings.traces_per_second_max.max(1.0));
            self.refilled_ns = *refilled_ns;
        }
        let (combinations, _) = combinations.as_chunks::<SAVED_NUMBERS>();
        self.seen.clear();
        self.seen.extend(combinations.iter().take(self.settings.combinations_max as usize).map(Seen::restore));
    }

    fn report(&self) -> Option<Value> {
        Some(json!({ "combinations": self.seen.len(), "spans_without_room": self.overflowed }))
    }
}

impl Seen {
    fn save(&self, combination: u64) -> [u64; SAVED_NUMBERS] {
        let counts = u64::from(self.traces) | u64::from(self.next) << 16 | u64::from(self.marked) << 24;
        let mut numbers = [0; SAVED_NUMBERS];
        numbers[..3].copy_from_slice(&[combination, self.since_ns, counts]);
        for (number, pair) in numbers[3..].iter_mut().zip(self.newest.chunks_exact(2)) {
            *number = u64::from(pair[0]) | u64::from(pair[1]) << 32;
        }
        numbers
    }

    fn restore(numbers: &[u64; SAVED_NUMBERS]) -> (u64, Self) {
        let [combination, since_ns, counts, pairs @ ..] = *numbers;
        let mut newest = [0; REMEMBERED];
        for (pair, number) in newest.chunks_exact_mut(2).zip(pairs) {
            pair.copy_from_slice(&[number as u32, (number >> 32) as u32]);
        }
        let next = (counts >> 16) as u8 % REMEMBERED as u8;
        (combination, Self { since_ns, traces: counts as u16, next, marked: (counts >> 24) as u8, newest })
    }
}
