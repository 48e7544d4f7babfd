//! `budget`: spans per second, shared fairly over operations: rare ones are kept whole, frequent ones thinned.
//!
//! Every few seconds each operation's rate is measured and a level is sought such that all operations together, each kept up
//! to that level, come to the budget. An operation below it is kept whole; of one above it the share level / rate is kept, by
//! a hash of the trace id. A trace belongs to its root's operation. What other policies keep for certain comes out of the budget first.

use std::{collections::HashMap, time::Duration};

use foldhash::quality::RandomState;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_proto::duration;

use super::{
    DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Settlement, Vote, config::amount, luck::Variable, saved,
    text::salted,
};

/// How much the newest interval says of an operation's rate.
const NEWEST_WEIGHT: f64 = 0.5;

/// Operations slower than this, in spans per second, are forgotten.
const RATE_MIN: f64 = 0.001;

/// No trace has less of a chance: what is never kept cannot be counted.
const SHARE_MIN: f64 = 1e-4;

/// Part of the budget that is there whatever other policies keep.
const PART_MIN: f64 = 0.1;

/// Part of an interval before its shares may be found anew; each further time after twice as much of it.
const FIRST_REVISION: f64 = 0.01;

/// Layout of what is saved.
const VERSION: u8 = 2;
/// Numbers for each operation: itself, spans, rate, share.
const SAVED_NUMBERS: usize = 4;

/// The budget.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    #[serde(deserialize_with = "amount")]
    spans_per_second: f64,
    /// How often shares are found anew.
    #[serde(default = "interval", deserialize_with = "duration::deserialize_positive")]
    interval: Duration,
    /// Operations told apart; those beyond are one together.
    #[serde(default = "operations_max")]
    operations_max: u32,
    /// Whether what other policies keep comes out of the budget.
    #[serde(default = "count_others")]
    count_others: bool,
}

fn interval() -> Duration {
    Duration::from_secs(5)
}

fn operations_max() -> u32 {
    10_000
}

fn count_others() -> bool {
    true
}

impl PolicySettings for Budget {
    fn check(&self) -> Result<(), String> {
        if self.spans_per_second < 1.0 || self.spans_per_second > 1e12 {
            return Err(format!("spans_per_second {} is not between 1 and 10^12", self.spans_per_second));
        }
        if self.operations_max == 0 || self.operations_max > 1_000_000 {
            return Err("operations_max must be 1 to 1000000".into());
        }
        if self.interval > Duration::from_secs(300) {
            return Err("interval is at most 5m".into());
        }
        Ok(())
    }

    fn build(&self, name: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(FairShares {
            interval_seconds: self.interval.as_secs_f64(),
            settings: self.clone(),
            salt: format!("budget {name}"),
            variable: plan.variable(false),
            operations: HashMap::default(),
            rest: Operation::default(),
            began_ns: 0,
            revise_after: FIRST_REVISION,
            others_spans: 0.0,
            others_rate: 0.0,
            used_spans: 0.0,
            level: f64::INFINITY,
        }))
    }
}

#[derive(Debug)]
struct FairShares {
    settings: Budget,
    interval_seconds: f64,
    salt: String,
    variable: Variable,
    operations: HashMap<u64, Operation, RandomState>,
    /// All operations that found no room.
    rest: Operation,
    /// When this interval began.
    began_ns: u64,
    /// Part of the interval after which shares may be found anew within it.
    revise_after: f64,
    /// Kept for certain by other policies in this interval, and per second.
    others_spans: f64,
    others_rate: f64,
    /// Kept in this interval by whom it may be.
    used_spans: f64,
    /// Spans per second of an operation that are kept.
    level: f64,
}

#[derive(Debug, Clone, Copy)]
struct Operation {
    /// Offered in this interval.
    spans: f64,
    /// Spans per second.
    rate: f64,
    share: f64,
}

impl Default for Operation {
    fn default() -> Self {
        Self { spans: 0.0, rate: 0.0, share: 1.0 }
    }
}

impl Operation {
    fn adapt(&mut self, seconds: f64) {
        let newest = self.spans / seconds;
        self.rate = if self.rate == 0.0 { newest } else { self.rate + NEWEST_WEIGHT * (newest - self.rate) };
        self.spans = 0.0;
    }

    fn save(&self, number: u64) -> [u64; SAVED_NUMBERS] {
        [number, self.spans.to_bits(), self.rate.to_bits(), self.share.to_bits()]
    }

    fn restore(&[number, ref amounts @ ..]: &[u64; SAVED_NUMBERS]) -> Option<(u64, Self)> {
        let [Some(spans), Some(rate), Some(share)] = amounts.map(saved::amount) else { return None };
        (share <= 1.0).then_some((number, Self { spans, rate, share }))
    }
}

impl FairShares {
    /// How likely a trace of this operation and size is kept. Known before the draw: that keeps counts unbiased.
    fn share(&self, operation: u64, spans: f64) -> f64 {
        let known = self.operations.get(&operation);
        let is_full = self.operations.len() >= self.settings.operations_max as usize;
        let share = known.map_or(if is_full { self.rest.share } else { 1.0 }, |operation| operation.share);
        // One large trace must not take more than is left, on average.
        (share * self.slack()).min(self.left() / spans).max(SHARE_MIN)
    }

    /// 1 while the interval's spans are in their bounds; falls towards 0 when much more is kept than was foreseen, as in a
    /// flood of new operations.
    fn slack(&self) -> f64 {
        (self.left() / (self.available() * self.interval_seconds)).clamp(0.0, 1.0)
    }

    /// Spans that may still be kept in this interval: twice the budget, less what was.
    fn left(&self) -> f64 {
        2.0 * self.available() * self.interval_seconds - self.used_spans
    }

    /// Spans per second that are there to be shared.
    fn available(&self) -> f64 {
        let total = self.settings.spans_per_second;
        (total - self.others_rate).max(total * PART_MIN)
    }

    /// Finds the shares anew when the interval is over, and within it when more is kept than was foreseen: at the start, when nothing
    /// is known, and in a flood of new operations. Otherwise chances would fall towards 0 until its end.
    fn adapt(&mut self, now_ns: u64) {
        let seconds = self.seconds(now_ns);
        if seconds >= self.interval_seconds {
            self.learn(seconds);
            self.begin(now_ns);
        } else if seconds >= self.revise_after * self.interval_seconds && self.slack() < 1.0 {
            self.revise_after = 2.0 * seconds / self.interval_seconds;
        } else {
            return;
        }
        // Within an interval what has come so far counts where it is more; one span alone says nothing of a rate.
        let rate = |operation: &Operation| operation.rate.max((operation.spans - 1.0) / seconds);
        let mut rates: Vec<f64> = self.operations.values().map(rate).collect();
        rates.push(rate(&self.rest));
        let others_rate =
            self.others_rate.max(if self.settings.count_others { self.others_spans / seconds } else { 0.0 });
        let total = self.settings.spans_per_second;
        self.level = level(&mut rates, (total - others_rate).max(total * PART_MIN));
        let level = self.level;
        let share = |operation: &mut Operation| operation.share = (level / rate(operation)).min(1.0);
        self.operations.values_mut().for_each(share);
        share(&mut self.rest);
    }

    /// The rates of an interval that is over.
    fn learn(&mut self, seconds: f64) {
        for operation in self.operations.values_mut() {
            operation.adapt(seconds);
        }
        self.rest.adapt(seconds);
        self.operations.retain(|_, operation| operation.rate > RATE_MIN);
        if self.settings.count_others {
            self.others_rate += NEWEST_WEIGHT * (self.others_spans / seconds - self.others_rate);
        }
    }

    /// Seconds of this interval so far.
    fn seconds(&mut self, now_ns: u64) -> f64 {
        if self.began_ns == 0 {
            self.began_ns = now_ns;
        }
        now_ns.saturating_sub(self.began_ns) as f64 / 1e9
    }

    /// An interval begins, in which nothing is kept yet.
    fn begin(&mut self, now_ns: u64) {
        self.began_ns = now_ns;
        self.revise_after = FIRST_REVISION;
        self.others_spans = 0.0;
        self.used_spans = 0.0;
    }

    fn offered(&mut self, operation: u64, spans: f64) {
        let is_full = self.operations.len() >= self.settings.operations_max as usize;
        match self.operations.get_mut(&operation) {
            Some(operation) => operation.spans += spans,
            None if is_full => self.rest.spans += spans,
            None => drop(self.operations.insert(operation, Operation { spans, ..Operation::default() })),
        }
    }
}

/// The level at which `rates`, each cut to it, add up to `total`; infinite when they do not reach it.
fn level(rates: &mut [f64], total: f64) -> f64 {
    rates.sort_by(f64::total_cmp);
    let mut left = total;
    for (index, rate) in rates.iter().enumerate() {
        let even = left / (rates.len() - index) as f64;
        if *rate > even {
            return even;
        }
        left -= rate;
    }
    f64::INFINITY
}

impl Policy for FairShares {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        let share = self.share(trace.account.operation, trace.spans());
        let below = luck.below(self.variable, share).unwrap_or_else(|| {
            // As many digits as a double has.
            let random = (salted(&self.salt, &trace.account.trace_id.0) >> 11) as f64 / (1_u64 << 53) as f64;
            random < share
        });
        Vote::sampled_if(below)
    }

    fn settle(&mut self, trace: &DueTrace<'_>, settlement: Settlement) {
        match settlement {
            Settlement { kept: true, is_certain: true } => self.others_spans += trace.spans(),
            // Dropped whatever this policy says: nothing was asked of it.
            Settlement { kept: false, is_certain: true } => {}
            Settlement { kept, is_certain: false } => {
                self.offered(trace.account.operation, trace.spans());
                if kept {
                    self.used_spans += trace.spans();
                }
            }
        }
        self.adapt(trace.now_ns);
    }

    fn recall(&mut self, spans: u32, decided: bool, now_ns: u64) {
        // No rate is learned from it: of what was dropped nothing is told.
        if self.seconds(now_ns) >= self.interval_seconds {
            self.begin(now_ns);
        }
        if decided {
            self.used_spans += f64::from(spans);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        let interval = [self.began_ns, self.revise_after.to_bits(), self.used_spans.to_bits()];
        let others = [self.others_spans.to_bits(), self.others_rate.to_bits()];
        let operations = self.operations.iter().flat_map(|(number, operation)| operation.save(*number));
        let numbers = interval.into_iter().chain(others).chain(self.rest.save(0)).chain(operations);
        Some(saved::write(VERSION, numbers))
    }

    fn restore(&mut self, saved: &[u8]) {
        let numbers = saved::read(VERSION, saved);
        let [began_ns, interval @ ..] = &numbers[..] else { return };
        let Some((interval, operations)) = interval.split_first_chunk::<4>() else { return };
        let [Some(revise_after), Some(used), Some(others), Some(others_rate)] = interval.map(saved::amount) else {
            return;
        };
        self.began_ns = *began_ns;
        (self.revise_after, self.used_spans) = (revise_after, used);
        (self.others_spans, self.others_rate) = (others, others_rate);
        let (operations, _) = operations.as_chunks::<SAVED_NUMBERS>();
        let mut operations = operations.iter().map(Operation::restore);
        self.rest = operations.next().flatten().unwrap_or_default().1;
        self.operations.clear();
        self.operations.extend(operations.flatten().take(self.settings.operations_max as usize));
    }

    fn report(&self) -> Option<Value> {
        let thinned = self.operations.values().filter(|operation| operation.share < 1.0).count();
        Some(json!({
            "operations": self.operations.len(),
            "operations_thinned": thinned,
            "spans_per_second_of_others": self.others_rate,
            "spans_per_second_of_one_operation": self.level.is_finite().then_some(self.level),
        }))
    }
}
