//! What a group remembers from one evaluation to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weir_proto::metrics::Labels;

use super::{Settings, slots};
use crate::alerting::{
    rules::RuleGroup,
    state::{Alert, AlertState},
};

/// Of one group.
#[derive(Debug, Clone)]
pub(crate) struct GroupState {
    pub(crate) settings: Arc<Settings>,
    pub(crate) rules: Vec<RuleState>,
    /// Series of rules that are gone: they end with the next evaluation.
    pub(super) leaving: BTreeSet<Labels>,
    /// The last moment it was evaluated for, Unix ms.
    pub(crate) last_slot_ms: Option<i64>,
    /// Set by a restart: from when on what comes is new, Unix ms.
    pub(super) resumed_ms: Option<i64>,
    /// The last moment before that.
    pub(super) before_ms: i64,
}

/// Of one rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleState {
    /// By their labels.
    pub(crate) alerts: BTreeMap<Labels, Alert>,
    /// What it gave last.
    pub(super) series: BTreeSet<Labels>,
    /// Whether what it selects was not there again yet after a restart.
    pub(super) is_waiting: bool,
    /// Whether `for` became longer.
    pub(super) holds_longer: bool,
    pub(crate) health: Health,
    /// Seconds that the last evaluation took.
    pub(crate) seconds: f64,
}

/// How a rule fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Health {
    #[default]
    Unknown,
    Good,
    Bad(String),
}

impl GroupState {
    /// Of a group that was never evaluated.
    pub(crate) fn new(group: &RuleGroup, settings: Arc<Settings>) -> Self {
        Self {
            settings,
            rules: group.rules.iter().map(|_| RuleState::default()).collect(),
            leaving: BTreeSet::new(),
            last_slot_ms: None,
            resumed_ms: None,
            before_ms: 0,
        }
    }

    /// How often it is evaluated, in ms.
    pub(crate) fn interval_ms(&self, group: &RuleGroup) -> i64 {
        group.interval.map_or(self.settings.interval_ms, |interval| interval.as_millis() as i64).max(1)
    }

    /// How far back it asks, in ms.
    pub(crate) fn query_offset_ms(&self, group: &RuleGroup) -> i64 {
        group.query_offset.map_or(self.settings.query_offset_ms, |offset| offset.as_millis() as i64)
    }

    /// The first moment after `now_ms` that it is to be evaluated for.
    pub(crate) fn next_slot_ms(&self, hash: u64, group: &RuleGroup, now_ms: i64) -> i64 {
        slots::next_slot(hash, self.interval_ms(group), now_ms)
    }

    /// All series that its rules gave last, and those of rules that are gone.
    pub(crate) fn series(&self) -> impl Iterator<Item = &Labels> {
        self.rules.iter().flat_map(|rule| &rule.series).chain(&self.leaving)
    }
}

impl RuleState {
    /// Pending and firing ones.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.state != AlertState::Inactive)
    }

    /// The furthest that one of its alerts got; `None` before there was an evaluation.
    pub(crate) fn state(&self) -> Option<AlertState> {
        let furthest = self.alerts.values().map(|alert| alert.state).max();
        match furthest {
            Some(state) if state != AlertState::Inactive => Some(state),
            _ => (self.health != Health::Unknown).then_some(AlertState::Inactive),
        }
    }
}
