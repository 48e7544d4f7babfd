//! Files of rules, in Prometheus' format: what they say, and what is wrong with them.

mod check;
mod fields;
mod lint;
mod query;
mod read;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

pub use weir_proto::yaml::Position;

pub(crate) use self::{fields::Findings, query::Asked};
pub use self::{
    lint::{Duplicate, doubts, duplicates},
    query::{Language, Query},
    read::read,
};

/// Largest file of rules that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// A file of rules.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// As it was named.
    pub path: String,
    /// In the order of the file; each name once.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated together, one after the other.
#[derive(Debug, Clone)]
pub struct RuleGroup {
    /// Its name, unique in its file.
    pub name: String,
    /// How often; else the global interval.
    pub interval: Option<Duration>,
    /// How far back in time it asks; else the global offset.
    pub query_offset: Option<Duration>,
    /// How many series or alerts one of its rules may give; 0 for any number.
    pub limit: usize,
    /// Labels for whatever its rules give, by name; those of a rule win. [`Self::labels_of`] has both.
    pub labels: Vec<(String, String)>,
    /// What its rules are written in.
    pub language: Language,
    /// In order.
    pub rules: Vec<Rule>,
    /// Where it begins.
    pub at: Position,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What becomes of its result.
    pub kind: RuleKind,
    /// The query as it is written.
    pub expr: String,
    /// The same, read.
    pub query: Query,
    /// `for`: how long a result has to be there before it fires.
    pub hold: Duration,
    /// `keep_firing_for`: how long it fires on when the result is gone.
    pub keep_firing: Duration,
    /// By name; templates where it is an alert.
    pub labels: Vec<(String, String)>,
    /// By name; templates.
    pub annotations: Vec<(String, String)>,
    /// Where it begins.
    pub at: Position,
}

/// What becomes of a rule's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Series of this name.
    Record(String),
    /// Alerts of this name.
    Alert(String),
}

impl RuleGroup {
    /// The labels that a rule of the group sets, by name.
    pub fn labels_of(&self, rule: &Rule) -> Vec<(String, String)> {
        let is_kept = |(name, _): &&(String, String)| !rule.labels.iter().any(|(other, _)| other == name);
        let mut labels: Vec<_> = self.labels.iter().filter(is_kept).chain(&rule.labels).cloned().collect();
        labels.sort();
        labels
    }
}

impl Rule {
    /// The name of its series, or of its alerts.
    pub fn name(&self) -> &str {
        match &self.kind {
            RuleKind::Record(name) | RuleKind::Alert(name) => name,
        }
    }

    /// Whether it gives alerts.
    pub fn is_alert(&self) -> bool {
        matches!(self.kind, RuleKind::Alert(_))
    }
}

/// Something that is wrong with a file of rules: `file:line:column: what`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// The file.
    pub path: String,
    /// Where in it.
    pub at: Position,
    /// What, in Prometheus' words where it has some.
    pub message: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.at, self.message)
    }
}

impl std::error::Error for RuleProblem {}
