//! Runs unit tests: time passes in steps, rules are evaluated at each, what is expected is compared.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use weir_proto::metrics::Labels;

use super::{
    AlertTest, GroupReport, Style, TestFile, TestGroup,
    compare::{self, ShownAlert},
    memory::{self, Memory},
};
use crate::{
    alerting::{
        group::{Asks, GroupState, Health, Settings},
        rules::{Language, Query, RuleFile, RuleGroup},
        state::AlertState,
    },
    gotemplate::layout,
    promql::{
        script::{Described, Loaded, Sequence},
        syntax::{duration, quote::quoted},
        value::Point,
    },
};

/// Evaluations of a test; what lies beyond is an error.
const EVALUATIONS_MAX: i64 = 1_000_000;

/// Runs the tests whose names pass.
pub fn run(file: &TestFile, rules: &[RuleFile], passes: &dyn Fn(&str) -> bool, style: Style) -> Vec<GroupReport> {
    let mut reports = Vec::new();
    for (number, test) in file.tests.iter().enumerate() {
        if !passes(&test.name) {
            continue;
        }
        let name = if test.name.is_empty() { format!("unnamed#{number}") } else { test.name.clone() };
        let failures = match Running::new(file, test, rules) {
            Ok(mut running) => running.run(style),
            Err(error) => vec![error],
        };
        reports.push(GroupReport { name, failures });
    }
    reports
}

/// A test under way.
struct Running<'t> {
    file: &'t TestFile,
    test: &'t TestGroup,
    groups: Vec<(&'t RuleGroup, GroupState)>,
    memory: Memory,
    interval_ms: i64,
}

impl<'t> Running<'t> {
    fn new(file: &'t TestFile, test: &'t TestGroup, rules: &'t [RuleFile]) -> Result<Self, String> {
        if let Some(alert) = test.alerts.iter().find(|alert| alert.name.is_empty()) {
            let of = if test.name.is_empty() { String::new() } else { format!(" (in TestGroup {})", test.name) };
            let time = duration::format(alert.eval_time_ms);
            return Err(format!(
                "an item under alert_rule_test misses required attribute alertname at eval_time {time}{of}"
            ));
        }
        let input = test.input.as_ref().map_err(Clone::clone)?;
        let step_ms = ms(test.interval);
        let mut samples = Loaded::default();
        for (labels, time_ms, point) in points(input, test.start_ms, step_ms) {
            samples.insert(&labels, time_ms, point);
        }
        let interval_ms = ms(file.evaluation_interval);
        let settings = Arc::new(Settings {
            interval_ms,
            external_labels: test.external_labels.clone(),
            external_url: test.external_url.clone(),
            ..Settings::default()
        });
        let mut groups: Vec<_> = rules.iter().flat_map(|file| &file.groups).collect();
        // What is not named goes with the first.
        let place = |group: &&RuleGroup| file.group_eval_order.iter().position(|name| *name == group.name).unwrap_or(0);
        groups.sort_by_key(place);
        let results = results(test, &groups, step_ms)?;
        let groups = groups.into_iter().map(|group| (group, GroupState::new(group, Arc::clone(&settings)))).collect();
        let memory = Memory { samples, results, until_ms: test.start_ms, interval_ms, kept: 0, conflicts: Vec::new() };
        Ok(Self { file, test, groups, memory, interval_ms })
    }

    fn run(&mut self, style: Style) -> Vec<String> {
        let mut failures = Vec::new();
        let test = self.test;
        let alert_times = test.alerts.iter().map(|alert| alert.eval_time_ms);
        let times: BTreeSet<i64> = alert_times.collect();
        let expression_times = test.expressions.iter().map(|expression| expression.eval_time_ms);
        let last_ms = times.iter().copied().chain(expression_times).max().unwrap_or(0);
        if last_ms / self.interval_ms > EVALUATIONS_MAX {
            return vec![format!("more than {EVALUATIONS_MAX} evaluations")];
        }
        let mut since_start_ms = 0;
        while since_start_ms <= last_ms {
            let errors = self.evaluate(since_start_ms);
            if !errors.is_empty() {
                failures.extend(errors);
                return failures;
            }
            // What is asked between two evaluations is what the one before gave.
            for time_ms in times.range(since_start_ms..since_start_ms + self.interval_ms) {
                for alert in test.alerts.iter().filter(|alert| alert.eval_time_ms == *time_ms) {
                    failures.extend(self.alert_failure(alert, style));
                }
            }
            since_start_ms += self.interval_ms;
        }
        for expression in &test.expressions {
            let begin =
                format!("    expr: {}, time: {}", quoted(&expression.expr), duration::format(expression.eval_time_ms));
            let at_ms = test.start_ms.saturating_add(expression.eval_time_ms);
            let found =
                Query::read(Language::PromQl, &expression.expr).and_then(|query| self.memory.instant(&query, at_ms));
            let compared =
                found.and_then(|found| compare::samples(&expression.expected, found, self.file.fuzzy_compare, style));
            match compared {
                Ok(None) => {}
                Ok(Some(words)) => failures.push(format!("{begin},{words}")),
                Err(error) => failures.push(format!("{begin}, err: {error}")),
            }
        }
        failures
    }

    /// What went wrong with rules.
    fn evaluate(&mut self, since_start_ms: i64) -> Vec<String> {
        let at_ms = self.test.start_ms.saturating_add(since_start_ms);
        self.memory.until_ms = at_ms;
        let time = layout::duration(at_ms.saturating_mul(1_000_000));
        let mut errors = Vec::new();
        for (group, state) in &mut self.groups {
            (self.memory.kept, self.memory.conflicts) = (0, Vec::new());
            state.evaluate(group, at_ms, &mut self.memory, &mut Vec::new());
            for (number, (rule, state)) in group.rules.iter().zip(&state.rules).enumerate() {
                let error = match &state.health {
                    Health::Bad(error) => error.as_str(),
                    _ if self.memory.conflicts.contains(&number) => "duplicate sample for timestamp",
                    _ => continue,
                };
                errors.push(format!("    rule: {}, time: {time}, err: {error}", rule.name()));
            }
        }
        errors
    }

    fn alert_failure(&self, alert: &AlertTest, style: Style) -> Option<String> {
        let mut found = Vec::new();
        for (group, state) in &self.groups {
            let rules = group.rules.iter().zip(&state.rules);
            for (_, state) in rules.filter(|(rule, _)| rule.is_alert() && rule.name() == alert.name) {
                for active in state.active().filter(|active| active.state == AlertState::Firing) {
                    let pairs = active.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                    let mut annotations = active.annotations.to_vec();
                    annotations.sort();
                    found.push(ShownAlert { labels: pairs.collect(), annotations });
                }
            }
        }
        let expected = alert.expected.iter().map(|expected| ShownAlert::expected(expected, &alert.name)).collect();
        let words = compare::alerts(expected, found, style)?;
        let name = &self.test.name;
        let name = if name.is_empty() { String::new() } else { format!("    name: {name},\n") };
        let time = duration::format(alert.eval_time_ms);
        Some(format!("{name}    alertname: {}, time: {time}, {words}", alert.name))
    }
}

fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The samples that series describe.
fn points(series: &[Described], start_ms: i64, step_ms: i64) -> impl Iterator<Item = (Labels, i64, Point)> + '_ {
    series.iter().flat_map(move |series| {
        series.values.iter().enumerate().filter_map(move |(index, value)| {
            let time_ms = start_ms.saturating_add(step_ms.saturating_mul(index as i64));
            let point = match value {
                Sequence::Omitted => return None,
                Sequence::Float(value) => Point::Float(*value),
                Sequence::Histogram { histogram, .. } => Point::Histogram(Arc::clone(histogram)),
            };
            Some((series.labels.clone(), time_ms, point))
        })
    })
}

/// Samples by the text of the query that gives them.
type Results = HashMap<String, Vec<(Labels, i64, Point)>>;

/// What rules in other languages give.
fn results(test: &TestGroup, groups: &[&RuleGroup], step_ms: i64) -> Result<Results, String> {
    let mut results = HashMap::new();
    for result in &test.results {
        let mut rules = groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.name() == result.rule);
        let Some(key) = rules.find_map(|rule| memory::key(&rule.query)) else {
            return Err(format!("{}: no rule in LogQL or SQL is called {:?}", result.at(), result.rule));
        };
        let points = points(&result.series, test.start_ms, step_ms)
            .filter(|(_, _, point)| !matches!(point, Point::Float(value) if weir_proto::metrics::is_stale(*value)));
        results.insert(key, points.collect());
    }
    Ok(results)
}
