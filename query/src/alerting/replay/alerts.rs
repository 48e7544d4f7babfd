//! Alerts of the past: a group's alerting rules at each time, by the same evaluation as now.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weir_proto::metrics::Labels;

use super::{Answer, Stretch};
use crate::alerting::{
    group::{Asks, GroupState, Health, Settings, StoredSample, Vector},
    rules::{Query, RuleGroup},
    state::AlertState,
};

/// An alert of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedAlert {
    /// Its name.
    pub name: String,
    /// With its name.
    pub labels: Labels,
    /// As they were last.
    pub annotations: Vec<(String, String)>,
    /// Since when its result was there, Unix ms.
    pub active_ms: i64,
    /// When it began to fire.
    pub fired_ms: Option<i64>,
    /// When it was over; still there at the end without.
    pub ended_ms: Option<i64>,
}

/// The alerts of a group's rules, in the order in which they began; and what went wrong. The answers belong to the
/// rules of the group by number; a rule without one is left out.
pub fn replay(
    group: &RuleGroup,
    answers: &HashMap<usize, Answer>,
    stretch: Stretch,
    external_labels: &[(String, String)],
) -> (Vec<ReplayedAlert>, Vec<String>) {
    let mut alerts_only = group.clone();
    alerts_only.rules.clear();
    let mut given = Vec::new();
    for (number, rule) in group.rules.iter().enumerate() {
        if let (true, Some(answer)) = (rule.is_alert(), answers.get(&number)) {
            alerts_only.rules.push(rule.clone());
            given.push(answer);
        }
    }
    // Samples are asked for at their own time.
    alerts_only.query_offset = None;
    let settings = Settings {
        interval_ms: stretch.step_ms,
        external_labels: external_labels.to_vec(),
        results_max: usize::MAX,
        ..Settings::default()
    };
    let mut state = GroupState::new(&alerts_only, Arc::new(settings));
    let mut given = Given {
        cursors: given.iter().map(|answer| vec![0; answer.series.len()]).collect(),
        answers: given,
        next: 0,
        has_asked: false,
    };
    let mut history = History::default();
    let mut at_ms = stretch.start_ms;
    while at_ms <= stretch.end_ms {
        given.next = 0;
        state.evaluate(&alerts_only, at_ms, &mut given, &mut Vec::new());
        history.take(&alerts_only, &state, at_ms);
        at_ms += stretch.step_ms;
    }
    history.finished()
}

/// Answers rules one after the other from what is known already.
struct Given<'a> {
    answers: Vec<&'a Answer>,
    /// How far each series was read.
    cursors: Vec<Vec<usize>>,
    /// The rule that asks next.
    next: usize,
    /// Whether it has asked: then it is its templates that ask, and they get nothing.
    has_asked: bool,
}

impl Asks for Given<'_> {
    fn instant(&mut self, _: &Query, at_ms: i64) -> Result<Vector, String> {
        let number = self.next;
        let answer = self.answers.get(number).filter(|_| !std::mem::replace(&mut self.has_asked, true));
        let Some(answer) = answer else { return Ok(Vec::new()) };
        let mut vector = Vec::new();
        for (series, cursor) in answer.series.iter().zip(&mut self.cursors[number]) {
            while series.points.get(*cursor).is_some_and(|(time, _)| *time < at_ms) {
                *cursor += 1;
            }
            if let Some((_, value)) = series.points.get(*cursor).filter(|(time, _)| *time == at_ms) {
                vector.push((series.labels.clone(), value.point()));
            }
        }
        Ok(vector)
    }

    fn keep(&mut self, _: &[StoredSample]) {
        // What a rule gave is kept when it is done.
        self.next += 1;
        self.has_asked = false;
    }
}

/// What became of alerts.
#[derive(Default)]
struct History {
    open: BTreeMap<(usize, Labels), ReplayedAlert>,
    over: Vec<ReplayedAlert>,
    errors: BTreeMap<String, u64>,
}

impl History {
    fn take(&mut self, group: &RuleGroup, state: &GroupState, at_ms: i64) {
        for (number, (rule, state)) in group.rules.iter().zip(&state.rules).enumerate() {
            if let Health::Bad(error) = &state.health {
                *self.errors.entry(format!("{}: {error}", rule.name())).or_default() += 1;
                continue;
            }
            for alert in state.active() {
                let key = (number, alert.labels.clone());
                let known = self.open.entry(key).or_insert_with(|| ReplayedAlert {
                    name: rule.name().to_owned(),
                    labels: alert.labels.clone(),
                    annotations: Vec::new(),
                    active_ms: alert.active_at,
                    fired_ms: None,
                    ended_ms: None,
                });
                known.annotations = alert.annotations.to_vec();
                if alert.state == AlertState::Firing {
                    known.fired_ms.get_or_insert(at_ms);
                }
            }
            let is_over = |labels: &Labels| !state.active().any(|alert| alert.labels == *labels);
            let over: Vec<_> =
                self.open.keys().filter(|(of, labels)| *of == number && is_over(labels)).cloned().collect();
            for key in over {
                if let Some(mut alert) = self.open.remove(&key) {
                    alert.ended_ms = Some(at_ms);
                    self.over.push(alert);
                }
            }
        }
    }

    fn finished(mut self) -> (Vec<ReplayedAlert>, Vec<String>) {
        self.over.extend(self.open.into_values());
        self.over.sort_by(|one, other| (one.active_ms, &one.labels).cmp(&(other.active_ms, &other.labels)));
        let errors = self.errors.into_iter().map(|(error, times)| format!("{error} ({times} times)"));
        (self.over, errors.collect())
    }
}
