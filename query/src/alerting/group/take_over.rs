//! A group takes over what another one remembers: the same after a reload or a restart, or one that it was renamed from.

use std::{collections::BTreeSet, sync::Arc};

use super::{GroupState, RuleState, Settings};
use crate::alerting::{
    rules::RuleGroup,
    state::{AlertState, Restored, RestoredRule},
};

impl GroupState {
    /// What is to be remembered of a group whose rules are no longer these.
    pub(crate) fn leave(self, file: &str, group: &RuleGroup) -> Restored {
        let (interval_ms, query_offset_ms) = (self.interval_ms(group), self.query_offset_ms(group));
        let rules = group.rules.iter().zip(self.rules).map(|(rule, state)| RestoredRule {
            name: rule.name().to_owned(),
            labels: group.labels_of(rule),
            is_alert: rule.is_alert(),
            hold_ms: rule.hold.as_millis() as i64,
            state,
        });
        Restored {
            file: file.to_owned(),
            group: group.name.clone(),
            rules: rules.collect(),
            leaving: self.leaving,
            last_slot_ms: self.last_slot_ms,
            resumed_ms: self.resumed_ms,
            before_ms: self.before_ms,
            interval_ms: Some(interval_ms),
            query_offset_ms,
        }
    }

    /// A group that goes on where another one was. Rules meet their state by name and labels, in order; the series of
    /// those that are gone end.
    pub(crate) fn take_over(group: &RuleGroup, settings: Arc<Settings>, from: Restored) -> Self {
        let mut state = Self::new(group, settings);
        let mut left: Vec<Option<RestoredRule>> = from.rules.into_iter().map(Some).collect();
        for (rule, own) in group.rules.iter().zip(&mut state.rules) {
            let labels = group.labels_of(rule);
            let is_same =
                |old: &RestoredRule| old.name == rule.name() && old.is_alert == rule.is_alert() && old.labels == labels;
            let Some(old) = left.iter_mut().find(|old| old.as_ref().is_some_and(is_same)).and_then(Option::take) else {
                continue;
            };
            *own = old.state;
            own.holds_longer |= rule.hold.as_millis() as i64 > old.hold_ms;
        }
        state.leaving = from.leaving;
        for old in left.into_iter().flatten() {
            state.leaving.extend(old.state.series);
        }
        state.last_slot_ms = from.last_slot_ms;
        state.resumed_ms = from.resumed_ms;
        state.before_ms = from.before_ms;
        state
    }
}

impl Restored {
    /// Whether one of its rules is a rule of a group.
    pub(crate) fn resembles(&self, group: &RuleGroup) -> bool {
        group.rules.iter().any(|rule| {
            let is_named = |old: &RestoredRule| old.name == rule.name() && old.is_alert == rule.is_alert();
            self.rules.iter().any(|old| is_named(old) && old.labels == group.labels_of(rule))
        })
    }

    /// What it gave last, and what ends.
    pub(crate) fn series(self) -> BTreeSet<weir_proto::metrics::Labels> {
        let mut series = self.leaving;
        series.extend(self.rules.into_iter().flat_map(|rule| rule.state.series));
        series
    }

    /// Marks it as read after a restart, at a moment in Unix ms; of news up to `told_ms` everybody knows.
    pub(crate) fn resumed_at(&mut self, now_ms: i64, told_ms: Option<i64>) {
        self.resumed_ms = Some(now_ms);
        self.before_ms = self.last_slot_ms.unwrap_or(0);
        for rule in &mut self.rules {
            rule.state.restored(told_ms.unwrap_or(i64::MIN));
        }
    }
}

impl RuleState {
    fn restored(&mut self, told_ms: i64) {
        self.is_waiting = true;
        for alert in self.alerts.values_mut() {
            alert.is_restored = true;
            let news_ms = if alert.state == AlertState::Firing { alert.fired_at } else { alert.resolved_at };
            if news_ms > told_ms {
                // It was handed on, and nobody knows whether it went out.
                alert.is_handed_on = false;
            }
            if alert.state != AlertState::Inactive {
                self.series.extend([alert.series(), alert.for_state_series()]);
            }
        }
    }
}
