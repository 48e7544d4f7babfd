//! `anomaly`: traces with a span that is slow for its operation, by what this operation's durations have been.

use std::{collections::HashMap, time::Duration};

use foldhash::quality::RandomState;
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_proto::duration;
use weir_store::sampling::{ArrivedSpan, TraceAccount};

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote};

/// Durations are learned in microseconds, to about 6 %, up to an hour.
const NS_PER_UNIT: u64 = 1_000;
const UNITS_MAX: u64 = 3_600_000_000;
const DIGITS: u8 = 1;

/// Layout of what is saved.
const VERSION: u8 = 1;

/// What is slow, and how it is learned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Anomaly {
    /// Slow is `factor` times the duration that this share of the operation's spans stays below.
    quantile: f64,
    factor: f64,
    /// Spans of an operation before it can have slow ones.
    warm_up_spans: u32,
    /// What was learned counts half after this time.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    half_life: Duration,
    /// Nothing shorter is slow.
    #[serde(deserialize_with = "duration::deserialize")]
    duration_min: Duration,
    /// Operations learned; what is beyond them has no slow spans.
    operations_max: u32,
}

impl Default for Anomaly {
    fn default() -> Self {
        Self {
            quantile: 0.99,
            factor: 2.0,
            warm_up_spans: 500,
            half_life: Duration::from_secs(600),
            duration_min: Duration::from_millis(1),
            operations_max: 5_000,
        }
    }
}

impl PolicySettings for Anomaly {
    fn check(&self) -> Result<(), String> {
        // Written so that NaN fails.
        if !(self.quantile > 0.0 && self.quantile <= 1.0) {
            return Err(format!("quantile {} is not above 0 and at most 1", self.quantile));
        }
        if !(self.factor >= 1.0 && self.factor <= 1e6) {
            return Err(format!("factor {} is not between 1 and 1000000", self.factor));
        }
        if self.warm_up_spans == 0 || self.operations_max == 0 || self.operations_max > 100_000 {
            return Err("warm_up_spans must be 1 or more, operations_max 1 to 100000".into());
        }
        Ok(())
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Ok(Box::new(SlowSpans {
            settings: self.clone(),
            half_life_ns: ns(self.half_life),
            duration_min_ns: ns(self.duration_min),
            bit: plan.account_bit()?,
            operations: HashMap::default(),
            swept_ns: 0,
            slow: 0,
            overflowed: 0,
        }))
    }

    fn when_absent() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Debug)]
struct SlowSpans {
    settings: Anomaly,
    half_life_ns: u64,
    duration_min_ns: u64,
    bit: u64,
    operations: HashMap<u64, Learned, RandomState>,
    swept_ns: u64,
    /// Slow spans so far.
    slow: u64,
    /// Spans whose operation found no room.
    overflowed: u64,
}

/// What an operation's durations have been.
#[derive(Debug)]
struct Learned {
    durations: Histogram<u32>,
    /// Above this a span is slow; `u64::MAX` during the warm-up.
    limit_ns: u64,
    /// Spans until the limit is found again: finding it takes longer than noting a span.
    until_limit: u32,
    halved_ns: u64,
    seen_ns: u64,
}

impl Learned {
    fn new(now_ns: u64) -> Self {
        let durations = Histogram::new_with_bounds(1, UNITS_MAX, DIGITS).expect("bounds that are valid");
        Self { durations, limit_ns: u64::MAX, until_limit: 0, halved_ns: now_ns, seen_ns: now_ns }
    }

    /// Halves what was learned, for each half life that has passed.
    fn decay(&mut self, half_life_ns: u64, now_ns: u64) {
        let passed = now_ns.saturating_sub(self.halved_ns) / half_life_ns;
        if passed == 0 {
            return;
        }
        self.halved_ns += passed * half_life_ns;
        let shift = passed.min(31) as u32;
        let mut halved = Self::new(now_ns).durations;
        for step in self.durations.iter_recorded() {
            let count = u64::from(step.count_at_value() >> shift);
            if count > 0 {
                halved.record_n(step.value_iterated_to(), count as u32).expect("a value that it held before");
            }
        }
        self.durations = halved;
        self.until_limit = 0;
    }

    fn find_limit(&mut self, settings: &Anomaly, duration_min_ns: u64) {
        let count = self.durations.len();
        let warm_up = u64::from(settings.warm_up_spans);
        if count < warm_up {
            // Decay may take an operation below its warm-up again: what it knew still holds.
            self.until_limit = u32::try_from(warm_up - count).unwrap_or(u32::MAX);
            return;
        }
        let usual_ns = self.durations.value_at_quantile(settings.quantile) * NS_PER_UNIT;
        self.limit_ns = ((usual_ns as f64 * settings.factor) as u64).max(duration_min_ns);
        self.until_limit = u32::try_from(count / 8).unwrap_or(u32::MAX).max(16);
    }
}

impl SlowSpans {
    /// Whether there is, or can be made, room for one more operation.
    fn has_room(&mut self, now_ns: u64) -> bool {
        let most = self.settings.operations_max as usize;
        if self.operations.len() >= most && now_ns.saturating_sub(self.swept_ns) > self.half_life_ns / 16 {
            self.swept_ns = now_ns;
            self.operations.retain(|_, learned| now_ns.saturating_sub(learned.seen_ns) < 2 * self.half_life_ns);
        }
        self.operations.len() < most
    }
}

impl Policy for SlowSpans {
    fn vote(&mut self, trace: &DueTrace<'_>, _: &mut Luck) -> Vote {
        Vote::sampled_if(trace.has(self.bit))
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, span: &ArrivedSpan<'_>, account: &mut TraceAccount) {
        let now_ns = span.arrived_ns;
        if !self.operations.contains_key(&span.operation) {
            if !self.has_room(now_ns) {
                self.overflowed += 1;
                return;
            }
            self.operations.insert(span.operation, Learned::new(now_ns));
        }
        let learned = self.operations.get_mut(&span.operation).expect("put there if it was not");
        learned.seen_ns = now_ns;
        learned.decay(self.half_life_ns, now_ns);
        if span.duration_ns > learned.limit_ns {
            self.slow += 1;
            account.bits |= self.bit;
        }
        // Saturating: a count that is full says the same.
        learned.durations.saturating_record((span.duration_ns / NS_PER_UNIT).clamp(1, UNITS_MAX));
        learned.until_limit = learned.until_limit.saturating_sub(1);
        if learned.until_limit == 0 {
            learned.find_limit(&self.settings, self.duration_min_ns);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        let mut saved = vec![VERSION];
        for (operation, learned) in &self.operations {
            saved.extend_from_slice(&operation.to_le_bytes());
            saved.extend_from_slice(&learned.limit_ns.to_le_bytes());
            saved.extend_from_slice(&learned.halved_ns.to_le_bytes());
            saved.extend_from_slice(&learned.seen_ns.to_le_bytes());
            let steps: Vec<(u32, u32)> = learned
                .durations
                .iter_recorded()
                .map(|step| (step.value_iterated_to().min(UNITS_MAX) as u32, step.count_at_value()))
                .collect();
            saved.extend_from_slice(&(steps.len() as u16).to_le_bytes());
            for (value, count) in steps {
                saved.extend_from_slice(&value.to_le_bytes());
                saved.extend_from_slice(&count.to_le_bytes());
            }
        }
        Some(saved)
    }

    fn restore(&mut self, saved: &[u8]) {
        let Some((&VERSION, mut rest)) = saved.split_first() else { return };
        self.operations.clear();
        while self.operations.len() < self.settings.operations_max as usize {
            let Some((operation, learned)) = read_learned(&mut rest) else { return };
            self.operations.insert(operation, learned);
        }
    }

    fn report(&self) -> Option<Value> {
        Some(json!({
            "operations": self.operations.len(),
            "warm": self.operations.values().filter(|learned| learned.limit_ns != u64::MAX).count(),
            "slow_spans": self.slow,
            "spans_without_room": self.overflowed,
        }))
    }
}

/// Reads one operation; `None` at the end, and where the rest is not what was saved.
fn read_learned(rest: &mut &[u8]) -> Option<(u64, Learned)> {
    let mut number = || {
        let (bytes, after) = rest.split_first_chunk::<8>()?;
        *rest = after;
        Some(u64::from_le_bytes(*bytes))
    };
    let operation = number()?;
    let (limit_ns, halved_ns, seen_ns) = (number()?, number()?, number()?);
    let (steps, after) = rest.split_first_chunk::<2>()?;
    let (steps, after) = after.split_at_checked(8 * usize::from(u16::from_le_bytes(*steps)))?;
    *rest = after;
    let mut learned = Learned { limit_ns, seen_ns, ..Learned::new(halved_ns) };
    for step in steps.chunks_exact(8) {
        let value = u32::from_le_bytes(step[..4].try_into().expect("four bytes"));
        let count = u32::from_le_bytes(step[4..].try_into().expect("four bytes"));
        learned.durations.record_n(u64::from(value).clamp(1, UNITS_MAX), count).ok()?;
    }
    Some((operation, learned))
}
