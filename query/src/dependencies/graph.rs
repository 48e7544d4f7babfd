//! Calls by caller and callee: how many, how many failed, how long they took.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::call::{Callee, Code, Names};

/// Pairs of caller and callee in an answer; calls between further ones are left out. Each takes up to 30 KB.
const PAIRS_MAX: usize = if cfg!(test) { 5 } else { 4096 };

/// Calls from one service to one callee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Dependency {
    pub(crate) caller: String,
    pub(crate) callee: String,
    pub(crate) callee_kind: Callee,
    pub(crate) calls: u64,
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
    errors: u64,
    durations: Histogram<u32>,
}

impl Graph {
    pub(super) fn add(&mut self, caller: Code, callee: Code, duration_ns: f32, is_error: bool) {
        let full = self.pairs.len() >= PAIRS_MAX;
        if full && !self.pairs.contains_key(&(caller, callee)) {
            self.left_out += 1;
            return;
        }
        let calls = self
            .pairs
            .entry((caller, callee))
            .or_insert_with(|| Calls { errors: 0, durations: Histogram::new(2).expect("2 digits are allowed") });
        calls.errors += u64::from(is_error);
        calls.durations.record(duration_ns as u64).expect("it grows");
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
        let percentile = |share| self.durations.value_at_quantile(share).min(self.durations.max());
        Dependency {
            caller: caller.clone(),
            callee: callee.clone(),
            callee_kind: *callee_kind,
            calls: self.durations.len().saturating_mul(traces_one_in),
            errors: self.errors.saturating_mul(traces_one_in),
            p50_ns: percentile(0.50),
            p99_ns: percentile(0.99),
        }
    }
}
