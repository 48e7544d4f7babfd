//! Takes an alerting rule's results to its alerts: new ones, those that go on, those that end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weir_proto::metrics::Labels;

use super::{
    ALERT_NAME, Asks, Evaluation, GroupState, RuleState, SentAlert, Settings, StoredSample, Vector,
    evaluate::{Moment, replaced},
    recover,
};
use crate::{
    alerting::{
        rules::Rule,
        state::{Alert, AlertState, RESOLVED_KEPT_MS},
        template,
    },
    promql::value::Point,
};

/// A rule and what its query gave.
pub(super) struct Given<'a> {
    pub(super) rule: &'a Rule,
    pub(super) name: &'a str,
    pub(super) result: Vector,
}

/// Evaluates one rule; its samples and what is to be told are added.
pub(super) fn evaluate(
    group: &mut GroupState,
    moment: &Moment<'_>,
    number: usize,
    given: Given<'_>,
    asks: &mut dyn Asks,
    (out, evaluation): (&mut Vec<StoredSample>, &mut Evaluation),
) -> Result<(), String> {
    let settings = Arc::clone(&group.settings);
    if given.result.len() > settings.results_max {
        let count = given.result.len();
        clear(&mut group.rules[number], evaluation);
        return Err(format!("exceeded limit of {} with {count} alerts", settings.results_max));
    }
    let rule = given.rule;
    let found = found(moment, &settings, given, asks)?;
    let waits = recover::waits(group, moment, number, rule, &found, asks)?;
    let state = &mut group.rules[number];
    let present: BTreeSet<Labels> = found.keys().cloned().collect();
    for (labels, alert) in found {
        match state.alerts.get_mut(&labels).filter(|known| known.state != AlertState::Inactive) {
            Some(known) => {
                known.value = alert.value;
                known.annotations = alert.annotations;
            }
            None => {
                evaluation.is_changed = true;
                // It ended, begins again, and nobody was told of the end: a kill was in between.
                if let Some(ended) = state.alerts.insert(labels, alert).filter(|ended| ended.is_news()) {
                    evaluation.sent.push(outgoing(&ended, moment, &rule.expr.as_str().into(), &settings));
                }
            }
        }
    }
    let elapsed_ms = group.last_slot_ms.map_or(0, |last| moment.at_ms.saturating_sub(last)).max(0);
    let step = Step { moment, rule, present: &present, waits, elapsed_ms, holds_longer: state.holds_longer };
    let before = out.len();
    let mut active = 0;
    let mut gone = Vec::new();
    for (labels, alert) in &mut state.alerts {
        let was = (alert.state, alert.keep_firing_since, alert.active_at);
        match step.take(alert) {
            Next::Gone => gone.push(labels.clone()),
            Next::Ended => {}
            Next::Goes => {
                active += 1;
                let (time_ms, since) = (moment.sample_ms, alert.active_at.div_euclid(1000) as f64);
                let sample = |labels, value| StoredSample { labels, time_ms, point: Point::Float(value) };
                out.push(sample(alert.series(), 1.0));
                out.push(sample(alert.for_state_series(), since));
            }
        }
        evaluation.is_changed |= was != (alert.state, alert.keep_firing_since, alert.active_at);
    }
    state.holds_longer = false;
    evaluation.is_changed |= !gone.is_empty();
    gone.iter().for_each(|labels| drop(state.alerts.remove(labels)));
    let limit = moment.group.limit;
    if limit > 0 && active > limit {
        out.truncate(before);
        clear(state, evaluation);
        return Err(format!("exceeded limit of {limit} with {active} alerts"));
    }
    send(state, moment, rule, &settings, evaluation);
    Ok(())
}

/// Every alert is gone, without a word.
fn clear(state: &mut RuleState, evaluation: &mut Evaluation) {
    evaluation.is_changed |= !state.alerts.is_empty();
    state.alerts.clear();
}

/// The alerts that a result would be, by their labels.
fn found(
    moment: &Moment<'_>,
    settings: &Settings,
    given: Given<'_>,
    asks: &mut dyn Asks,
) -> Result<BTreeMap<Labels, Alert>, String> {
    let Given { rule, name, result } = given;
    let own = moment.group.labels_of(rule);
    let mut found = BTreeMap::new();
    for (labels, point) in result {
        let data = template::TemplateData {
            labels: &labels,
            value: &point,
            external_labels: &settings.external_labels,
            external_url: &settings.external_url,
            at_ms: moment.at_ms,
            alert: name,
        };
        let mut expand = |text: &str| {
            let mut ask = |query: &crate::alerting::rules::Query| asks.instant(query, moment.at_ms);
            template::expand(text, &data, &mut ask).unwrap_or_else(|error| {
                tracing::warn!(alert = name, error, "a template cannot be expanded");
                format!("<error expanding template: {error}>")
            })
        };
        let set: Vec<(&str, String)> = own.iter().map(|(name, text)| (&**name, expand(text))).collect();
        let annotations: Arc<[(String, String)]> =
            rule.annotations.iter().map(|(name, text)| (name.clone(), expand(text))).collect();
        let set = set.iter().map(|(name, text)| (*name, &**text));
        let identity = replaced(&labels, set, (ALERT_NAME, name));
        let value = match &point {
            Point::Float(value) => *value,
            Point::Histogram(_) => 0.0,
        };
        let alert = Alert::found(identity.clone(), annotations, value, moment.at_ms);
        if found.insert(identity, alert).is_some() {
            return Err("vector contains metrics with the same labelset after applying alert labels".to_owned());
        }
    }
    Ok(found)
}

/// What all alerts of a rule have in common at a moment.
struct Step<'a> {
    moment: &'a Moment<'a>,
    rule: &'a Rule,
    present: &'a BTreeSet<Labels>,
    /// What is absent may only be so because nothing came since the restart.
    waits: bool,
    /// Since the evaluation before.
    elapsed_ms: i64,
    holds_longer: bool,
}

/// What becomes of an alert.
enum Next {
    Goes,
    /// It is kept, to tell about.
    Ended,
    /// It is forgotten.
    Gone,
}

impl Step<'_> {
    fn take(&self, alert: &mut Alert) -> Next {
        let at_ms = self.moment.at_ms;
        let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        if self.present.contains(&alert.labels) {
            alert.keep_firing_since = 0;
        } else if alert.state == AlertState::Inactive {
            let is_old = at_ms.saturating_sub(alert.resolved_at) > RESOLVED_KEPT_MS;
            return if is_old { Next::Gone } else { Next::Ended };
        } else if self.waits {
            if alert.state == AlertState::Pending {
                // Nobody knows whether its result is there: the time does not count.
                alert.active_at = alert.active_at.saturating_add(self.elapsed_ms);
            }
            return Next::Goes;
        } else if !self.keeps_firing(alert) {
            if alert.state == AlertState::Pending {
                return Next::Gone;
            }
            (alert.state, alert.is_handed_on) = (AlertState::Inactive, false);
            alert.resolved_at = at_ms;
            return Next::Ended;
        }
        let held = at_ms.saturating_sub(alert.active_at) >= ms(self.rule.hold);
        if alert.state == AlertState::Firing && self.holds_longer && !held {
            alert.state = AlertState::Pending;
            alert.fired_at = 0;
        }
        if alert.state == AlertState::Pending && held {
            (alert.state, alert.is_handed_on) = (AlertState::Firing, false);
            alert.fired_at = at_ms;
        }
        Next::Goes
    }

    fn keeps_firing(&self, alert: &mut Alert) -> bool {
        let keep_ms = i64::try_from(self.rule.keep_firing.as_millis()).unwrap_or(i64::MAX);
        if alert.state != AlertState::Firing || keep_ms == 0 {
            return false;
        }
        if alert.keep_firing_since == 0 {
            alert.keep_firing_since = self.moment.at_ms;
        }
        self.moment.at_ms.saturating_sub(alert.keep_firing_since) < keep_ms
    }
}

/// Collects what is to be told.
fn send(state: &mut RuleState, moment: &Moment<'_>, rule: &Rule, settings: &Settings, evaluation: &mut Evaluation) {
    let mut expr: Option<Arc<str>> = None;
    for alert in state.alerts.values_mut() {
        if !alert.needs_sending(moment.at_ms, settings.resend_delay_ms) {
            continue;
        }
        let expr = expr.get_or_insert_with(|| rule.expr.as_str().into());
        evaluation.sent.push(outgoing(alert, moment, expr, settings));
        alert.last_sent = moment.at_ms;
        alert.is_handed_on = true;
        alert.is_restored = false;
    }
}

/// An alert, firing or ended, as it is told of at a moment.
fn outgoing(alert: &Alert, moment: &Moment<'_>, expr: &Arc<str>, settings: &Settings) -> SentAlert {
    // Two evaluations, or sendings, may fail.
    let valid_until = moment.at_ms.saturating_add(4 * moment.interval_ms.max(settings.resend_delay_ms));
    let is_resolved = alert.state == AlertState::Inactive;
    SentAlert {
        labels: alert.labels.clone(),
        annotations: Arc::clone(&alert.annotations),
        starts_at_ms: alert.fired_at,
        ends_at_ms: if is_resolved { alert.resolved_at } else { valid_until },
        expr: Arc::clone(expr),
        is_resolved,
        is_new: alert.is_news(),
    }
}
