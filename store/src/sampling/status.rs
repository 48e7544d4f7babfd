//! How sampling fares: what `/api/v1/sampling` and the metrics tell.

use std::{collections::BTreeMap, sync::LazyLock};

use prometheus::{
    Histogram, IntCounterVec, IntGauge, histogram_opts, register_histogram, register_int_counter_vec,
    register_int_gauge,
};
use serde::Serialize;

use super::Cause;
use crate::verdict::{names::PolicyNames, outcome::Outcome};

/// Upper bounds of [`SamplingStatus::lateness`], in milliseconds; what is later is in one more bucket.
pub const LATENESS_MS: [u64; 12] = [5, 10, 20, 35, 50, 75, 100, 150, 200, 500, 1000, 5000];

/// Sampling at one moment; counts are since the process started.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SamplingStatus {
    /// The configuration in force; 0 when nothing is sampled.
    pub generation: u32,
    /// Whether traces from before the last reload still wait for their verdicts.
    pub reloading: bool,
    /// Traces without a decision.
    pub pending_traces: u64,
    /// Their spans.
    pub pending_spans: u64,
    /// Their encoded bytes.
    pub pending_bytes: u64,
    /// Memory of accounts, table, wheel, slots and cache.
    pub memory_bytes: u64,
    /// Decided traces whose late spans are recognised, kept ones.
    pub cached_kept_traces: u64,
    /// The same, dropped ones.
    pub cached_dropped_traces: u64,
    /// Spans that wait for the sampler.
    pub lag_spans: u64,
    /// Whether verdicts wait for space on the disk.
    pub waits_for_space: bool,
    /// Files of the verdict journal.
    pub verdict_files: u64,
    /// Traces decided before their time, for too many pending traces or bytes.
    pub early_traces: u64,
    /// Traces decided because they alone were too large.
    pub too_large_traces: u64,
    /// Spans that came after their trace's verdict and were kept with it.
    pub late_kept_spans: u64,
    /// Spans that came after their trace's verdict and were dropped with it.
    pub late_dropped_spans: u64,
    /// By policy: what it kept.
    pub kept: BTreeMap<String, DecidedCount>,
    /// By policy: what it dropped.
    pub dropped: BTreeMap<String, DecidedCount>,
    /// Verdicts by the time from due to settled: one count for each of [`LATENESS_MS`], and one for what was later.
    pub lateness: [u64; LATENESS_MS.len() + 1],
    /// The policies' own figures.
    pub policies: serde_json::Value,
}

/// Decided traces and their spans, late ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DecidedCount {
    /// Traces.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
}

/// What took effect in one turn, by policy and decision and by when it was due, so that metrics are looked up once.
#[derive(Debug, Default)]
pub(super) struct TurnCounts {
    decided: Vec<(Outcome, DecidedCount)>,
    /// Moments at which verdicts were due, in journal time, and how many.
    due: Vec<(u64, u64)>,
    late: [u64; 2],
}

impl TurnCounts {
    /// A trace with its verdict.
    pub(super) fn add_trace(&mut self, outcome: Outcome, spans: u64) {
        self.add(outcome, DecidedCount { traces: 1, spans });
    }

    /// A verdict that was due then, in journal time. They come in about that order.
    pub(super) fn add_due(&mut self, due_ns: u64) {
        match self.due.last_mut() {
            Some((due, verdicts)) if *due == due_ns => *verdicts += 1,
            _ => self.due.push((due_ns, 1)),
        }
    }

    /// Spans that followed their trace's verdict.
    pub(super) fn add_late(&mut self, outcome: Outcome, spans: u64) {
        self.late[usize::from(outcome.keep)] += spans;
        self.add(outcome, DecidedCount { traces: 0, spans });
    }

    fn add(&mut self, outcome: Outcome, more: DecidedCount) {
        let is_same =
            |(known, _): &&mut (Outcome, DecidedCount)| known.policy == outcome.policy && known.keep == outcome.keep;
        match self.decided.iter_mut().find(is_same) {
            Some((_, count)) => {
                count.traces += more.traces;
                count.spans += more.spans;
            }
            None => self.decided.push((outcome, more)),
        }
    }
}

impl SamplingStatus {
    /// Adds the counts of a turn whose verdicts took effect at `now_ns` of journal time.
    pub(super) fn add(&mut self, names: &PolicyNames, counts: TurnCounts, now_ns: u64) {
        for (due_ns, verdicts) in counts.due {
            self.count_lateness(now_ns.saturating_sub(due_ns), verdicts);
        }
        for (outcome, count) in counts.decided {
            self.count_decided(names, outcome, count);
        }
        for keep in [false, true] {
            if counts.late[usize::from(keep)] > 0 {
                self.count_late(keep, counts.late[usize::from(keep)]);
            }
        }
    }

    /// The lateness in ms that this share of the verdicts did not exceed; `None` when there are none, or it is beyond the bounds.
    pub fn lateness_ms(&self, share: f64) -> Option<u64> {
        let wanted = (self.lateness.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (&count, bound) in self.lateness.iter().zip(LATENESS_MS) {
            seen += count;
            if seen >= wanted && seen > 0 {
                return Some(bound);
            }
        }
        None
    }

    fn count_lateness(&mut self, late_ns: u64, verdicts: u64) {
        // Gathered, then added at once: each observation of the shared one is several atomic operations.
        let histogram = LATENESS_SECONDS.local();
        (0..verdicts).for_each(|_| histogram.observe(late_ns as f64 / 1e9));
        histogram.flush();
        let bucket = LATENESS_MS.iter().position(|bound| late_ns <= bound * 1_000_000).unwrap_or(LATENESS_MS.len());
        self.lateness[bucket] += verdicts;
    }

    fn count_decided(&mut self, names: &PolicyNames, outcome: Outcome, more: DecidedCount) {
        let (by_policy, decision) =
            if outcome.keep { (&mut self.kept, "kept") } else { (&mut self.dropped, "dropped") };
        let policy = names.name(outcome.policy);
        if !by_policy.contains_key(policy) {
            by_policy.insert(policy.to_owned(), DecidedCount::default());
        }
        let count = by_policy.get_mut(policy).expect("inserted just now");
        count.traces += more.traces;
        count.spans += more.spans;
        TRACES.with_label_values(&[decision, policy]).inc_by(more.traces);
        SPANS.with_label_values(&[decision, policy]).inc_by(more.spans);
    }

    fn count_late(&mut self, keep: bool, spans: u64) {
        let (count, decision) =
            if keep { (&mut self.late_kept_spans, "kept") } else { (&mut self.late_dropped_spans, "dropped") };
        *count += spans;
        LATE_SPANS.with_label_values(&[decision]).inc_by(spans);
    }

    pub(super) fn count_cause(&mut self, cause: Cause) {
        let (count, name) = match cause {
            Cause::Due => return,
            Cause::Early => (&mut self.early_traces, "pending"),
            Cause::TooLarge => (&mut self.too_large_traces, "trace_size"),
        };
        *count += 1;
        EARLY.with_label_values(&[name]).inc();
    }

    /// Shows the moment's figures as metrics.
    pub(super) fn show(&self) {
        PENDING_TRACES.set(self.pending_traces as i64);
        PENDING_SPANS.set(self.pending_spans as i64);
        PENDING_BYTES.set(self.pending_bytes as i64);
        MEMORY_BYTES.set(self.memory_bytes as i64);
        LAG_SPANS.set(self.lag_spans as i64);
    }
}

macro_rules! gauge {
    ($name:ident, $metric:literal, $text:literal) => {
        static $name: LazyLock<IntGauge> =
            LazyLock::new(|| register_int_gauge!($metric, $text).expect("registered once"));
    };
}

macro_rules! counters {
    ($name:ident, $metric:literal, $text:literal, $labels:expr) => {
        static $name: LazyLock<IntCounterVec> =
            LazyLock::new(|| register_int_counter_vec!($metric, $text, $labels).expect("registered once"));
    };
}

// Macros, because each is three lines of which one differs.
gauge!(PENDING_TRACES, "weir_sampling_pending_traces", "Traces that wait for their decision.");
gauge!(PENDING_SPANS, "weir_sampling_pending_spans", "Their spans.");
gauge!(PENDING_BYTES, "weir_sampling_pending_bytes", "Encoded bytes of their spans.");
gauge!(MEMORY_BYTES, "weir_sampling_memory_bytes", "Memory of the sampler's accounts and decision cache.");
gauge!(LAG_SPANS, "weir_sampling_lag_spans", "Journalled spans that the sampler has not taken in.");
counters!(TRACES, "weir_sampling_traces_total", "Traces decided.", &["decision", "policy"]);
counters!(SPANS, "weir_sampling_spans_total", "Spans decided, late ones included.", &["decision", "policy"]);
counters!(LATE_SPANS, "weir_sampling_late_spans_total", "Spans that came after their trace's verdict.", &["decision"]);
counters!(EARLY, "weir_sampling_early_decisions_total", "Traces decided before their time.", &["cause"]);
static LATENESS_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let bounds = LATENESS_MS.iter().map(|&ms| ms as f64 / 1e3).collect();
    let help = "From when a verdict was due to when it took effect.";
    register_histogram!(histogram_opts!("weir_sampling_verdict_lateness_seconds", help, bounds))
        .expect("registered once")
});

/// What the sampler decided of a trace, as far as it remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedVerdict {
    /// Whether its spans are kept.
    pub keep: bool,
    /// The policy that said so.
    pub policy: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_told_by_bounds() {
        let mut status = SamplingStatus::default();
        assert_eq!(status.lateness_ms(0.99), None);
        for ms in 1..=99 {
            status.count_lateness(ms * 1_000_000, 1);
        }
        status.count_lateness(9_000_000_000, 1);
        assert_eq!([0.0, 0.05, 0.5, 0.99].map(|share| status.lateness_ms(share)), [5, 5, 50, 100].map(Some));
        assert_eq!(status.lateness_ms(1.0), None, "beyond the bounds");
    }
}
