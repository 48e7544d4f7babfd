//! What rules would have done in the past: answers for a stretch of time go in, alerts and series come out.

mod alerts;
mod answers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use weir_proto::metrics::{Labels, METRIC_NAME};

pub use self::{
    alerts::{ReplayedAlert, replay},
    answers::{Answer, AnswerSoFar, Sample, Series, of_matrix, of_rows},
};
use super::{
    group::recorded,
    rules::{Asked, Rule, RuleGroup, RuleKind},
};
use crate::{
    gotemplate::layout,
    promql::{
        engine::{self, Options, Times, Unstopped},
        functions::date::rfc3339,
        script::Loaded,
        syntax::ast::{Expr, Node, Selector},
        value::{Stretch as Line, Value},
    },
};

/// The times that are looked at: every `step_ms`, both ends included, Unix ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first.
    pub start_ms: i64,
    /// The last at most.
    pub end_ms: i64,
    /// Above zero.
    pub step_ms: i64,
}

/// Who answers a rule's query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What is stored, in PromQL.
    PromQl,
    /// What is stored, in LogQL.
    LogQl,
    /// What is stored, in SQL: a question for each time.
    Sql,
    /// Only series that rules before it record: [`Recorded::answer`].
    Recorded,
    /// These series, which rules before it record, and others: what is stored has to do.
    Mixed(Vec<String>),
}

/// Series that rules would have recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    samples: Loaded,
    names: BTreeSet<String>,
}

impl Recorded {
    /// Who answers this rule.
    pub fn source(&self, rule: &Rule) -> Source {
        let expr = match &rule.query.0 {
            Asked::Sql(_) => return Source::Sql,
            Asked::LogQl(_) => return Source::LogQl,
            Asked::PromQl(expr) => expr,
        };
        let mut selectors = Vec::new();
        expr.selectors(&mut selectors);
        let is_ours = |selector: &&Selector| name(selector).is_some_and(|name| self.names.contains(name));
        let ours: BTreeSet<&str> = selectors.iter().filter(|one| is_ours(one)).filter_map(|one| name(one)).collect();
        match (ours.is_empty(), selectors.iter().all(is_ours)) {
            (true, _) => Source::PromQl,
            (false, true) => Source::Recorded,
            (false, false) => Source::Mixed(ours.into_iter().map(str::to_owned).collect()),
        }
    }

    /// The answer to a rule over these series.
    pub fn answer(&self, rule: &Rule, stretch: Stretch) -> Result<Answer, String> {
        let options = Options {
            lookback_ms: 5 * 60_000,
            subquery_step_ms: 60_000,
            samples_max: 500_000_000,
            bytes_max: 4 << 30,
            threads: 1,
        };
        let times = Times { start_ms: stretch.start_ms, end_ms: stretch.end_ms, step_ms: stretch.step_ms };
        let outcome = engine::range(&self.samples, &rule.expr, times, &options, &Unstopped);
        match outcome.map_err(|error| error.to_string())?.value {
            Value::Matrix(matrix) => {
                Ok(Answer { series: matrix.into_iter().map(series_of).collect(), missing: Vec::new() })
            }
            _ => Err("rule result is not a vector or scalar".to_owned()),
        }
    }

    /// Takes what a recording rule gives; its series, with their own labels.
    pub fn record(&mut self, group: &RuleGroup, rule: &Rule, answer: Answer) -> Result<Vec<Series>, String> {
        let RuleKind::Record(name) = &rule.kind else { return Ok(Vec::new()) };
        let own = group.labels_of(rule);
        let mut all = Vec::with_capacity(answer.series.len());
        let mut seen = BTreeSet::new();
        for series in answer.series {
            let labels = recorded(&series.labels, &own, name);
            if !seen.insert(labels.clone()) {
                return Err("vector contains metrics with the same labelset after applying rule labels".to_owned());
            }
            for (time_ms, value) in &series.points {
                self.samples.insert(&labels, *time_ms, value.point());
            }
            all.push(Series { labels, points: series.points });
        }
        self.names.insert(name.clone());
        Ok(all)
    }
}

/// A series of the engine's, floats and histograms in the order of their times.
fn series_of(line: Line) -> Series {
    let mut points: Vec<_> = line.floats.into_iter().map(|(time_ms, value)| (time_ms, Sample::Float(value))).collect();
    points.extend(line.histograms.into_iter().map(|(time_ms, histogram)| (time_ms, Sample::Histogram(histogram))));
    points.sort_by_key(|(time_ms, _)| *time_ms);
    Series { labels: line.labels, points }
}

/// The name that a selector asks for.
fn name(selector: &Selector) -> Option<&str> {
    if !selector.name.is_empty() {
        return Some(&selector.name);
    }
    let matcher = selector.matchers.iter().find(|matcher| matcher.name == METRIC_NAME)?;
    (matcher.op == weir_proto::metrics::MatchOp::Equal).then_some(matcher.value.as_str())
}

impl Expr {
    /// All selectors within.
    pub(crate) fn selectors<'e>(&'e self, into: &mut Vec<&'e Selector>) {
        match &self.node {
            Node::Number(_) | Node::Text(_) => {}
            Node::Selector(selector) => into.push(selector),
            Node::Range(range) => into.push(&range.selector),
            Node::Subquery(subquery) => subquery.operand.selectors(into),
            Node::Paren(inner) | Node::Unary { operand: inner, .. } => inner.selectors(into),
            Node::Binary(binary) => {
                binary.left.selectors(into);
                binary.right.selectors(into);
            }
            Node::Call(call) => call.arguments.iter().for_each(|argument| argument.selectors(into)),
            Node::Aggregate(aggregate) => {
                aggregate.parameter.iter().for_each(|parameter| parameter.selectors(into));
                aggregate.operand.selectors(into);
            }
        }
    }
}

/// How a series is printed.
pub fn shown(labels: &Labels) -> String {
    crate::promql::format::labels(labels)
}

/// Unix ms of a time of RFC 3339.
pub fn moment_ms(text: &str) -> Option<i64> {
    let read = |form| layout::parse(form, text, 0);
    let (ns, _) = read("2006-01-02T15:04:05Z07:00").or_else(|| read("2006-01-02T15:04:05.999999999Z07:00"))?;
    Some(ns.div_euclid(1_000_000))
}

/// The same, written.
pub fn moment_text(ms: i64) -> String {
    rfc3339(ms)
}
