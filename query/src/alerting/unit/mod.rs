//! Unit tests of rules, as promtool has them: samples in memory, time that passes when it is told to, the answers compared.

mod compare;
mod histogram;
mod memory;
mod read;
mod report;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{
    read::read,
    report::{GroupReport, Style, junit},
    run::run,
};
use crate::{alerting::rules::Position, promql::script::Described};

/// A file of tests.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// As it was named.
    pub path: String,
    /// Patterns of the files of rules, relative to the file.
    pub rule_files: Vec<String>,
    /// How often rules are evaluated.
    pub evaluation_interval: Duration,
    /// Groups that are evaluated in this order; others with the first of them.
    pub group_eval_order: Vec<String>,
    /// Whether numbers next to each other are equal.
    pub fuzzy_compare: bool,
    /// In order.
    pub tests: Vec<TestGroup>,
}

/// Samples, and what is asked of them.
#[derive(Debug, Clone)]
pub struct TestGroup {
    /// May be empty.
    pub name: String,
    /// Between two samples of the input.
    pub interval: Duration,
    /// What there is.
    input: Result<Vec<Described>, String>,
    /// What rules in other languages than PromQL give.
    results: Vec<RuleResult>,
    alerts: Vec<AlertTest>,
    expressions: Vec<ExprTest>,
    external_labels: Vec<(String, String)>,
    external_url: String,
    /// When the first sample is, Unix ms.
    start_ms: i64,
}

/// What a rule gives that no sample in memory answers.
#[derive(Debug, Clone)]
struct RuleResult {
    /// The alert's name, or that of the series.
    rule: String,
    series: Vec<Described>,
    at: Position,
}

/// What alerts fire at a time.
#[derive(Debug, Clone)]
struct AlertTest {
    eval_time_ms: i64,
    name: String,
    expected: Vec<ExpectedAlert>,
}

/// An alert that should fire.
#[derive(Debug, Clone)]
struct ExpectedAlert {
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
}

/// What an expression gives at a time.
#[derive(Debug, Clone)]
struct ExprTest {
    expr: String,
    eval_time_ms: i64,
    expected: Vec<ExpectedSample>,
}

/// A sample that should be there.
#[derive(Debug, Clone)]
struct ExpectedSample {
    labels: String,
    value: f64,
    /// Counts instead of the value when it is not empty.
    histogram: String,
}
