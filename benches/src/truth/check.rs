//! Looks every trace up by its id and compares what is there with its truth.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use tokio::task::JoinSet;

use super::{
    LateBatch, TrueTrace, TrueTraffic,
    estimate::Estimate,
    operations::{LATE_STEP, RARE},
    shown::{ShownSpan, shown},
};
use crate::query::Query;

/// Questions asked at the same time; the server answers eight at a time.
const QUESTIONS: u64 = 6;

/// Of so many kept traces with resent spans one is asked for with every row.
const RAW_EVERY: u64 = 5;

/// What is wrong, shown at most so often.
const WRONG_SHOWN_MAX: usize = 8;

/// So many, and how many of them are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recall {
    /// In truth.
    pub there: u64,
    /// Kept.
    pub kept: u64,
}

/// What looking every trace up came to.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Traces of which the main part was kept.
    pub kept_traces: u64,
    /// Rows that the kept spans must have, resent ones included.
    pub kept_rows: u64,
    /// Traces with an error, with a slow span, of a gold customer, of a rare operation.
    pub failed: Recall,
    /// See `failed`.
    pub slow: Recall,
    /// See `failed`.
    pub gold: Recall,
    /// See `failed`.
    pub rare: Recall,
    /// Late spans of traces whose verdict is remembered: those of kept traces, and whether they are there.
    pub late_known: Recall,
    /// Late failed spans of traces whose verdict is forgotten.
    pub late_failed: Recall,
    /// Kept traces by the policy that decided.
    pub policies: BTreeMap<String, u64>,
    /// Spans by name, rare operations as one, and `traces`.
    pub estimates: BTreeMap<String, Estimate>,
    /// Traces that are not what they must be.
    pub wrong: u64,
    /// Some of them, in words.
    pub wrong_ones: Vec<String>,
}

/// Looks up every trace. `known` came late to remembered verdicts, `again` to forgotten ones.
pub(super) async fn check(
    query: &Arc<Query>,
    traffic: TrueTraffic,
    known: LateBatch,
    again: LateBatch,
) -> anyhow::Result<Findings> {
    let mut asking = JoinSet::new();
    for part in 0..QUESTIONS {
        let query = Arc::clone(query);
        asking.spawn(async move {
            let mut findings = Findings::default();
            for number in (part..traffic.traces).step_by(QUESTIONS as usize) {
                let trace = traffic.trace(number);
                let spans = shown(&query, trace.id(), false).await?;
                let (late, main): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| span.name == LATE_STEP.0);
                let weight = findings.main(&traffic, &trace, &main);
                findings.late(&trace, &late, weight, known, again);
                let rows: u64 = trace.spans().iter().map(|span| traffic.copies(number, span)).sum();
                if weight.is_some() {
                    findings.kept_rows += rows;
                }
                findings.kept_rows += late.len() as u64;
                if weight.is_some() && rows > trace.span_count() && number % RAW_EVERY == 0 {
                    let raw = shown(&query, trace.id(), true).await?.len() - late.len();
                    findings.must(raw as u64 == rows, &trace, || format!("{raw} of {rows} rows"));
                }
            }
            anyhow::Ok(findings)
        });
    }
    let mut findings = Findings::default();
    while let Some(part) = asking.join_next().await {
        findings.merge(part.context("a task of the check ended")??);
    }
    Ok(findings)
}

impl Findings {
    /// Compares a trace without its late span; answers its adjusted count when it was kept.
    fn main(&mut self, traffic: &TrueTraffic, trace: &TrueTrace, found: &[ShownSpan]) -> Option<f64> {
        let kept = !found.is_empty();
        let weight = found.first().map(ShownSpan::weight);
        self.kept_traces += u64::from(kept);
        for (is, recall) in [
            (trace.failed, &mut self.failed),
            (trace.slow, &mut self.slow),
            (trace.gold, &mut self.gold),
            (trace.rare.is_some(), &mut self.rare),
        ] {
            recall.note(is, kept);
        }
        self.must(kept || !trace.must_stay(), trace, || "is not there".to_owned());
        self.estimates.entry("traces".to_owned()).or_default().add(1, weight);
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        for span in trace.spans() {
            let name = if trace.rare.is_some() && span.parent.is_none() { format!("{RARE}…") } else { span.name };
            *names.entry(name).or_default() += 1;
        }
        for (name, spans) in names {
            self.estimates.entry(name).or_default().add(spans, weight);
        }
        if let (Some(first), Some(weight)) = (found.first(), weight) {
            let policy = first.policy();
            *self.policies.entry(policy.to_owned()).or_default() += 1;
            self.must(same_spans(trace, found), trace, || format!("has {} other spans than were sent", found.len()));
            let alike = found.iter().all(|span| span.is_kept() && span.policy() == policy && span.weight() == weight);
            self.must(alike, trace, || "has spans of different verdicts".to_owned());
            let agrees = found.iter().all(ShownSpan::threshold_agrees);
            self.must(agrees, trace, || format!("ot=th is not adjusted count {weight}"));
            self.must(weight == 1.0 || !trace.must_stay(), trace, || format!("was certain but counts {weight}"));
            self.must(!trace.failed || policy == "errors", trace, || format!("failed, but {policy} kept it"));
        }
        debug_assert!(trace.number < traffic.traces, "one of those that were sent");
        weight
    }

    /// Compares a late span: with the verdict that is remembered, or by itself.
    fn late(&mut self, trace: &TrueTrace, found: &[ShownSpan], main: Option<f64>, known: LateBatch, again: LateBatch) {
        let there = !found.is_empty();
        let estimate = |findings: &mut Self, weight| {
            findings.estimates.entry(LATE_STEP.0.to_owned()).or_default().add(1, weight);
        };
        if known.has(trace.number) {
            self.late_known.note(main.is_some(), there);
            self.must(there == main.is_some(), trace, || format!("its late span: {there}, itself: {}", main.is_some()));
            let weight = found.first().map(ShownSpan::weight);
            self.must(weight == main, trace, || format!("its late span counts {weight:?}, itself {main:?}"));
            estimate(self, weight);
        } else if again.has(trace.number) {
            let failed = again.fails(trace.number);
            self.late_failed.note(failed, there);
            self.must(there || !failed, trace, || "its late failed span is not there".to_owned());
            estimate(self, found.first().map(ShownSpan::weight));
        } else {
            self.must(!there, trace, || "has a late span that nobody sent".to_owned());
        }
    }

    fn must(&mut self, holds: bool, trace: &TrueTrace, what: impl FnOnce() -> String) {
        if holds {
            return;
        }
        self.wrong += 1;
        if self.wrong_ones.len() < WRONG_SHOWN_MAX {
            self.wrong_ones.push(format!("trace {} ({}, {trace:?}): {}", trace.number, trace.id(), what()));
        }
    }

    fn merge(&mut self, other: Self) {
        self.kept_traces += other.kept_traces;
        self.kept_rows += other.kept_rows;
        self.failed.merge(other.failed);
        self.slow.merge(other.slow);
        self.gold.merge(other.gold);
        self.rare.merge(other.rare);
        self.late_known.merge(other.late_known);
        self.late_failed.merge(other.late_failed);
        for (policy, traces) in other.policies {
            *self.policies.entry(policy).or_default() += traces;
        }
        for (name, estimate) in &other.estimates {
            self.estimates.entry(name.clone()).or_default().merge(estimate);
        }
        self.wrong += other.wrong;
        let room = WRONG_SHOWN_MAX.saturating_sub(self.wrong_ones.len());
        self.wrong_ones.extend(other.wrong_ones.into_iter().take(room));
    }
}

impl Recall {
    fn note(&mut self, is: bool, kept: bool) {
        if is {
            self.there += 1;
            self.kept += u64::from(kept);
        }
    }

    fn merge(&mut self, other: Self) {
        self.there += other.there;
        self.kept += other.kept;
    }

    /// Whether there were some, and all were kept.
    pub fn is_whole(&self) -> bool {
        self.there > 0 && self.kept == self.there
    }
}

/// Whether these are the trace's spans, each once, failed as they were sent.
fn same_spans(trace: &TrueTrace, found: &[ShownSpan]) -> bool {
    let mut expected: Vec<_> = trace.spans().into_iter().map(|span| (span.id.to_string(), span.failed)).collect();
    let mut there: Vec<_> = found.iter().map(|span| (span.span_id.clone(), span.failed())).collect();
    expected.sort();
    there.sort();
    expected == there
}
