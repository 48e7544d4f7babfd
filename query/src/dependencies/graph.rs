//! Calls by caller and callee: how many, how many failed, how long they took.

use std::collections::HashMap;

use serde::Serialize;

use super::call::{Callee, Code, Names};
use crate::weight::{Weight, WeightedHistogram};

/// Pairs of caller and callee in an answer; calls between further ones are left out. Each takes up to 30 KB.
const PAIRS_MAX: usize = if cfg!(test) { 5 } else { 4096 };

/// Calls from one service to one callee. All but `calls_seen` is weighted: a call counts as many times as it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Dependency {
    pub(crate) caller: String,
    pub(crate) callee: String,
    pub(crate) callee_kind: Callee,
    pub(crate) calls: u64,
    /// Calls among the spans that are here, which the other figures rest on.
    pub(crate) calls_seen: u64,
    /// Calls of which either side's status is an error.
    pub(crate) errors: u64,
    /// Percentiles of what the callee took (of a callee without spans: the caller's span), within 1 %.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
}

/// The calls found so far.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pairs: HashMap<(Code, Code), Calls>,
    /// Calls for which there was no room.
    pub(super) left_out: u64,
}

#[derive(Debug)]
struct Calls {
    seen: u64,
    calls: f64,
    errors: f64,
    durations: WeightedHistogram,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) duration_ns: f32,
    /// How many calls it stands for.
    pub(super) weight: f32,
    pub(super) is_error: bool,
}

impl Graph {
    pub(super) fn add(&mut self, caller: Code, callee: Code, call: Call) {
        let full = self.pairs.len() >= PAIRS_MAX;
        if full && !self.pairs.contains_key(&(caller, callee)) {
            self.left_out += 1;
            return;
        }
        let calls = self.pairs.entry((caller, callee)).or_insert_with(|| Calls {
            seen: 0,
            calls: 0.0,
            errors: 0.0,
            durations: WeightedHistogram::new(2),
        });
        let weight = f64::from(call.weight);
        calls.seen += 1;
        calls.calls += weight;
        if call.is_error {
            calls.errors += weight;
        }
        calls.durations.record(call.duration_ns as u64, Weight(weight));
    }

    /// By caller, then callee; of one in so many traces, counts are multiplied.
    pub(super) fn dependencies(self, names: &Names, traces_one_in: u64) -> Vec<Dependency> {
        let named = |(pair, calls): (_, Calls)| calls.named(pair, names, traces_one_in);
        let mut dependencies: Vec<_> = self.pairs.into_iter().map(named).collect();
        dependencies.sort_by(|a, b| {
            let key = |one: &Dependency| (one.caller.clone(), one.callee.clone(), one.callee_kind);
            key(a).cmp(&key(b))
        });
        dependencies
    }
}

impl Calls {
    fn named(&self, (caller, callee): (Code, Code), names: &Names, traces_one_in: u64) -> Dependency {
        let (_, caller) = names.name(caller);
        let (callee_kind, callee) = names.name(callee);
        // Sums are rounded, not what they are made of.
        let count = |sum: f64| (sum * traces_one_in as f64).round() as u64;
        Dependency {
            caller: caller.clone(),
            callee: callee.clone(),
            callee_kind: *callee_kind,
            calls: count(self.calls),
            calls_seen: self.seen,
            errors: count(self.errors),
            p50_ns: self.durations.percentile(0.50),
            p99_ns: self.durations.percentile(0.99),
        }
    }
}
