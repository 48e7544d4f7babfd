//! Evaluates a group at one moment: each rule asks, its results become samples, the rules behind it see them.

use std::{collections::BTreeSet, time::Instant};

use weir_proto::metrics::{Labels, METRIC_NAME, STALE_NAN};

use super::{
    Asks, Evaluation, GroupState, StoredSample, Vector,
    alerts::{self, Given},
    state::Health,
};
use crate::{
    alerting::rules::{Rule, RuleGroup, RuleKind},
    promql::value::Point,
};

/// What one evaluation is about.
pub(super) struct Moment<'a> {
    pub(super) group: &'a RuleGroup,
    /// The slot, Unix ms.
    pub(super) at_ms: i64,
    /// What samples are given and queries asked for.
    pub(super) sample_ms: i64,
    pub(super) interval_ms: i64,
}

impl GroupState {
    /// Evaluates all rules for a moment, Unix ms. `out` gets the samples that are to be stored, in order.
    pub(crate) fn evaluate(
        &mut self,
        group: &RuleGroup,
        at_ms: i64,
        asks: &mut dyn Asks,
        out: &mut Vec<StoredSample>,
    ) -> Evaluation {
        let moment = Moment {
            group,
            at_ms,
            sample_ms: at_ms.saturating_sub(self.query_offset_ms(group)),
            interval_ms: self.interval_ms(group),
        };
        let mut evaluation = Evaluation { is_changed: self.resume(&moment), ..Evaluation::default() };
        for number in 0..group.rules.len() {
            let begin = Instant::now();
            let from = out.len();
            let outcome = self.rule(&moment, number, asks, out, &mut evaluation);
            let rule = &mut self.rules[number];
            rule.health = match outcome {
                Ok(()) => Health::Good,
                Err(error) => {
                    out.truncate(from);
                    evaluation.failures += 1;
                    Health::Bad(error)
                }
            };
            asks.keep(&out[from..]);
            rule.seconds = begin.elapsed().as_secs_f64();
        }
        let leaving = std::mem::take(&mut self.leaving);
        let is_back = |labels: &Labels| self.rules.iter().any(|rule| rule.series.contains(labels));
        out.extend(leaving.into_iter().filter(|labels| !is_back(labels)).map(|labels| ended(labels, moment.sample_ms)));
        self.last_slot_ms = Some(at_ms);
        evaluation
    }

    fn rule(
        &mut self,
        moment: &Moment<'_>,
        number: usize,
        asks: &mut dyn Asks,
        out: &mut Vec<StoredSample>,
        evaluation: &mut Evaluation,
    ) -> Result<(), String> {
        let rule = &moment.group.rules[number];
        let result = asks.instant(&rule.query, moment.sample_ms)?;
        let from = out.len();
        match &rule.kind {
            RuleKind::Record(name) => record(moment, rule, name, result, out)?,
            RuleKind::Alert(name) => {
                let given = Given { rule, name, result };
                alerts::evaluate(self, moment, number, given, asks, (out, evaluation))?;
            }
        }
        let results_max = self.settings.results_max;
        if matches!(rule.kind, RuleKind::Record(_)) && out.len() - from > results_max {
            return Err(format!("exceeded limit of {results_max} with {} series", out.len() - from));
        }
        let state = &mut self.rules[number];
        let given: BTreeSet<Labels> = out[from..].iter().map(|sample| sample.labels.clone()).collect();
        out.extend(state.series.difference(&given).map(|labels| ended(labels.clone(), moment.sample_ms)));
        state.series = given;
        Ok(())
    }
}

/// The results as series of the rule's name.
fn record(
    moment: &Moment<'_>,
    rule: &Rule,
    name: &str,
    result: Vector,
    out: &mut Vec<StoredSample>,
) -> Result<(), String> {
    let own = moment.group.labels_of(rule);
    let from = out.len();
    for (labels, point) in result {
        let labels = replaced(&labels, own.iter().map(|(name, value)| (&**name, &**value)), (METRIC_NAME, name));
        out.push(StoredSample { labels, time_ms: moment.sample_ms, point });
    }
    let mut seen = BTreeSet::new();
    if !out[from..].iter().all(|sample| seen.insert(&sample.labels)) {
        return Err("vector contains metrics with the same labelset after applying rule labels".to_owned());
    }
    let (limit, count) = (moment.group.limit, out.len() - from);
    if limit > 0 && count > limit {
        return Err(format!("exceeded limit of {limit} with {count} series"));
    }
    Ok(())
}

/// The labels of a series that a rule of this name records, with its own labels.
pub(crate) fn recorded(labels: &Labels, own: &[(String, String)], name: &str) -> Labels {
    replaced(labels, own.iter().map(|(name, value)| (&**name, &**value)), (METRIC_NAME, name))
}

/// A label set without its name, with labels set over it; empty values take labels away.
pub(super) fn replaced<'a>(
    labels: &'a Labels,
    set: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    last: (&'a str, &'a str),
) -> Labels {
    let all_set = || set.clone().chain([last]);
    let is_kept = |name: &str| name != METRIC_NAME && all_set().all(|(other, _)| other != name);
    let kept = labels.iter().filter(|(name, _)| is_kept(name));
    let mut pairs: Vec<(&str, &str)> = kept.collect();
    // The one that is set last counts.
    for (name, value) in all_set() {
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
    }
    Labels::new(pairs).expect("each name is there once")
}

/// What ends a series.
pub(crate) fn ended(labels: Labels, time_ms: i64) -> StoredSample {
    StoredSample { labels, time_ms, point: Point::Float(STALE_NAN) }
}
