//! What `/api/v1/sampling` says of sets of policies.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use crate::query::Query;

/// Traces and spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Traces.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
}

/// A set of policies: the one that decides, or a dry run.
#[derive(Debug, Clone, Default)]
pub struct SamplingReport {
    /// Traces that were decided.
    pub decided: Wanted,
    /// Of them kept.
    pub kept: Wanted,
    /// By policy: what it wanted, alone or with others.
    pub wanted: BTreeMap<String, Wanted>,
    /// Decided before their time.
    pub early: u64,
    /// Spans after the verdict: kept, dropped.
    pub late: (u64, u64),
    /// Spans that wait.
    pub pending_spans: u64,
}

impl SamplingReport {
    /// Reads the set at a position: 0 decides.
    pub async fn read(query: &Query, set: usize) -> anyhow::Result<Self> {
        let (status, body) = query.json("/api/v1/sampling").await?;
        anyhow::ensure!(status.is_success(), "sampling: {status}: {body}");
        let number = |name: &str| body[name].as_u64().unwrap_or_default();
        let report = find(&body["policies"], set).with_context(|| format!("no set {set} in {body}"))?;
        let policies = report["policies"].as_array().context("a set has policies")?;
        let named =
            policies.iter().filter_map(|policy| Some((policy["name"].as_str()?.to_owned(), pair(&policy["wanted"]))));
        Ok(Self {
            decided: pair(&report["decided"]),
            kept: pair(&report["kept"]),
            wanted: named.collect(),
            early: number("early_traces") + number("too_large_traces"),
            late: (number("late_kept_spans"), number("late_dropped_spans")),
            pending_spans: number("pending_spans") + number("lag_spans"),
        })
    }

    /// What a policy wanted.
    pub fn wanted(&self, policy: &str) -> u64 {
        self.wanted.get(policy).copied().unwrap_or_default().traces
    }
}

fn find(policies: &Value, set: usize) -> Option<&Value> {
    policies["sets"].get(set)
}

fn pair(value: &Value) -> Wanted {
    let number = |name: &str| value[name].as_u64().unwrap_or_default();
    Wanted { traces: number("traces"), spans: number("spans") }
}
