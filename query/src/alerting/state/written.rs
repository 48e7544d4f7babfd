//! A group's alerts as bytes, which are kept beside the samples of the evaluation that changed them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use weir_proto::metrics::Labels;

use super::{Alert, AlertState};
use crate::alerting::{
    group::{GroupState, RuleState},
    rules::RuleGroup,
};

/// Raised when an older program would misread it.
const VERSION: u32 = 1;

/// What was remembered of a group.
#[derive(Debug, Clone)]
pub(crate) struct Restored {
    pub(crate) file: String,
    pub(crate) group: String,
    pub(crate) rules: Vec<RestoredRule>,
    pub(crate) leaving: BTreeSet<Labels>,
    pub(crate) last_slot_ms: Option<i64>,
    pub(crate) resumed_ms: Option<i64>,
    pub(crate) before_ms: i64,
    /// How often it was evaluated, where that is known.
    pub(crate) interval_ms: Option<i64>,
    pub(crate) query_offset_ms: i64,
}

/// Of a rule: what it is met by, and its state.
#[derive(Debug, Clone)]
pub(crate) struct RestoredRule {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) is_alert: bool,
    pub(crate) hold_ms: i64,
    pub(crate) state: RuleState,
}

#[derive(Serialize, Deserialize)]
struct WrittenGroup {
    version: u32,
    file: String,
    group: String,
    rules: Vec<WrittenRule>,
}

#[derive(Serialize, Deserialize)]
struct WrittenRule {
    name: String,
    labels: Vec<(String, String)>,
    hold_ms: i64,
    alerts: Vec<WrittenAlert>,
}

/// Times are Unix ms, 0 for never.
#[derive(Serialize, Deserialize)]
struct WrittenAlert {
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    state: WrittenState,
    /// Bits, for JSON has no infinity.
    value: u64,
    active_at: i64,
    fired_at: i64,
    keep_firing_since: i64,
    resolved_at: i64,
    last_sent: i64,
    is_handed_on: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenState {
    Inactive,
    Pending,
    Firing,
}

/// Everything that a restart needs of a group's alerts; nothing when there are none.
pub(crate) fn write_state(file: &str, group: &RuleGroup, state: &GroupState) -> Vec<u8> {
    let with_alerts = group.rules.iter().zip(&state.rules).filter(|(_, state)| !state.alerts.is_empty());
    let rules: Vec<WrittenRule> = with_alerts
        .map(|(rule, state)| WrittenRule {
            name: rule.name().to_owned(),
            labels: group.labels_of(rule),
            hold_ms: rule.hold.as_millis() as i64,
            alerts: state.alerts.values().map(WrittenAlert::of).collect(),
        })
        .collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let written = WrittenGroup { version: VERSION, file: file.to_owned(), group: group.name.clone(), rules };
    serde_json::to_vec(&written).expect("texts and numbers can be written")
}

/// What [`write_state`] wrote; why it cannot be read otherwise.
pub(crate) fn read_state(bytes: &[u8], last_slot_ms: Option<i64>) -> Result<Restored, String> {
    let written: WrittenGroup = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if written.version > VERSION {
        return Err(format!("a newer version wrote it ({})", written.version));
    }
    let rules: Result<Vec<_>, String> = written
        .rules
        .into_iter()
        .map(|rule| {
            let alerts: Result<BTreeMap<_, _>, String> = rule.alerts.into_iter().map(WrittenAlert::read).collect();
            let mut state = RuleState::default();
            state.alerts = alerts?;
            Ok(RestoredRule { name: rule.name, labels: rule.labels, is_alert: true, hold_ms: rule.hold_ms, state })
        })
        .collect();
    Ok(Restored {
        file: written.file,
        group: written.group,
        rules: rules?,
        leaving: BTreeSet::new(),
        last_slot_ms,
        resumed_ms: None,
        before_ms: 0,
        interval_ms: None,
        query_offset_ms: 0,
    })
}

impl WrittenAlert {
    fn of(alert: &Alert) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            labels: alert.labels.iter().map(owned).collect(),
            annotations: alert.annotations.to_vec(),
            state: match alert.state {
                AlertState::Inactive => WrittenState::Inactive,
                AlertState::Pending => WrittenState::Pending,
                AlertState::Firing => WrittenState::Firing,
            },
            value: alert.value.to_bits(),
            active_at: alert.active_at,
            fired_at: alert.fired_at,
            keep_firing_since: alert.keep_firing_since,
            resolved_at: alert.resolved_at,
            last_sent: alert.last_sent,
            is_handed_on: alert.is_handed_on,
        }
    }

    fn read(self) -> Result<(Labels, Alert), String> {
        let labels = Labels::new(self.labels.iter().map(|(name, value)| (&**name, &**value)));
        let labels = labels.map_err(|error| error.to_string())?;
        let alert = Alert {
            labels: labels.clone(),
            annotations: Arc::from(self.annotations),
            state: match self.state {
                WrittenState::Inactive => AlertState::Inactive,
                WrittenState::Pending => AlertState::Pending,
                WrittenState::Firing => AlertState::Firing,
            },
            value: f64::from_bits(self.value),
            active_at: self.active_at,
            fired_at: self.fired_at,
            keep_firing_since: self.keep_firing_since,
            resolved_at: self.resolved_at,
            last_sent: self.last_sent,
            is_handed_on: self.is_handed_on,
            is_restored: false,
        };
        Ok((labels, alert))
    }
}
