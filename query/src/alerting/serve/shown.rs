//! What is shown of a group: as it was after its last evaluation.

use std::sync::Arc;

use weir_proto::metrics::Labels;

use crate::alerting::{
    group::{GroupState, Health, RuleState},
    rules::{Rule, RuleGroup, RuleKind},
    state::{Alert, AlertState},
};

/// A group and its rules.
#[derive(Debug, Clone)]
pub(crate) struct ShownGroup {
    pub(crate) file: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) rules: Vec<ShownRule>,
    pub(crate) interval_ms: i64,
    pub(crate) limit: usize,
    /// Seconds that the last evaluation took.
    pub(crate) seconds: f64,
    /// When it began, Unix ns; 0 before the first.
    pub(crate) evaluated_ns: u64,
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct ShownRule {
    pub(crate) name: String,
    pub(crate) is_alert: bool,
    pub(crate) query: String,
    pub(crate) hold_seconds: f64,
    pub(crate) keep_firing_seconds: f64,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) annotations: Vec<(String, String)>,
    /// Pending and firing ones.
    pub(crate) alerts: Vec<ShownAlert>,
    /// Of an alerting rule; `None` before the first evaluation.
    pub(crate) state: Option<AlertState>,
    pub(crate) health: Health,
    pub(crate) seconds: f64,
    pub(crate) evaluated_ns: u64,
}

/// An alert.
#[derive(Debug, Clone)]
pub(crate) struct ShownAlert {
    pub(crate) labels: Labels,
    pub(crate) annotations: Arc<[(String, String)]>,
    pub(crate) state: AlertState,
    pub(crate) active_at_ms: i64,
    pub(crate) keep_firing_since_ms: i64,
    pub(crate) value: f64,
}

impl ShownGroup {
    /// As it stands.
    pub(super) fn of(
        file: &Arc<str>,
        group: &RuleGroup,
        state: &GroupState,
        (seconds, evaluated_ns): (f64, u64),
    ) -> Self {
        let rules = group.rules.iter().zip(&state.rules);
        let mut begun_ns = evaluated_ns;
        let shown = rules.map(|(rule, state)| {
            let shown = ShownRule::of(group, rule, state, begun_ns);
            begun_ns += (state.seconds * 1e9) as u64;
            shown
        });
        Self {
            file: Arc::clone(file),
            name: group.name.as_str().into(),
            rules: shown.collect(),
            interval_ms: state.interval_ms(group),
            limit: group.limit,
            seconds,
            evaluated_ns,
        }
    }
}

impl ShownRule {
    fn of(group: &RuleGroup, rule: &Rule, state: &RuleState, begun_ns: u64) -> Self {
        Self {
            name: rule.name().to_owned(),
            is_alert: matches!(rule.kind, RuleKind::Alert(_)),
            query: rule.query.printed().unwrap_or_else(|| rule.expr.clone()),
            hold_seconds: rule.hold.as_secs_f64(),
            keep_firing_seconds: rule.keep_firing.as_secs_f64(),
            labels: group.labels_of(rule),
            annotations: rule.annotations.clone(),
            alerts: state.active().map(ShownAlert::of).collect(),
            state: state.state(),
            health: state.health.clone(),
            seconds: state.seconds,
            evaluated_ns: if state.health == Health::Unknown { 0 } else { begun_ns },
        }
    }
}

impl ShownAlert {
    fn of(alert: &Alert) -> Self {
        Self {
            labels: alert.labels.clone(),
            annotations: Arc::clone(&alert.annotations),
            state: alert.state,
            active_at_ms: alert.active_at,
            keep_firing_since_ms: alert.keep_firing_since,
            value: alert.value,
        }
    }
}
