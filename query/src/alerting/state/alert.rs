//! An alert: pending while its result has not been there for long enough, firing, and inactive once it is gone.

use std::sync::Arc;

use weir_proto::metrics::{Labels, METRIC_NAME};

use crate::alerting::group::{ALERT_STATE, ALERTS, ALERTS_FOR_STATE};

/// How long an alert that ended is kept, and told about.
pub(crate) const RESOLVED_KEPT_MS: i64 = 15 * 60_000;

/// How far it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertState {
    Inactive,
    Pending,
    Firing,
}

impl AlertState {
    /// As the API and the label `alertstate` have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One alert. Times are Unix ms, 0 for never.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    /// What it is known by.
    pub(crate) labels: Labels,
    pub(crate) annotations: Arc<[(String, String)]>,
    pub(crate) state: AlertState,
    pub(crate) value: f64,
    /// Since when its result is there.
    pub(crate) active_at: i64,
    pub(crate) fired_at: i64,
    /// Since when it fires without a result.
    pub(crate) keep_firing_since: i64,
    pub(crate) resolved_at: i64,
    /// When it was handed on last.
    pub(crate) last_sent: i64,
    /// Whether that was in the state that it is in.
    pub(crate) is_handed_on: bool,
    /// Whether it is from before a restart, and nobody was told of it since.
    pub(crate) is_restored: bool,
}

impl Alert {
    /// One whose result was just found.
    pub(crate) fn found(labels: Labels, annotations: Arc<[(String, String)]>, value: f64, at_ms: i64) -> Self {
        Self {
            labels,
            annotations,
            state: AlertState::Pending,
            value,
            active_at: at_ms,
            fired_at: 0,
            keep_firing_since: 0,
            resolved_at: 0,
            last_sent: 0,
            is_handed_on: false,
            is_restored: false,
        }
    }

    /// Whether Alertmanager is to be told.
    pub(crate) fn needs_sending(&self, at_ms: i64, resend_delay_ms: i64) -> bool {
        match self.state {
            AlertState::Pending => false,
            _ if self.is_restored || self.is_news() => true,
            _ => self.last_sent.saturating_add(resend_delay_ms) < at_ms,
        }
    }

    /// Whether nobody was told of its state yet.
    pub(crate) fn is_news(&self) -> bool {
        self.state != AlertState::Pending && !self.is_handed_on
    }

    /// The series that says that it is there.
    pub(crate) fn series(&self) -> Labels {
        self.named(ALERTS, Some(self.state.name()))
    }

    /// The series that says since when.
    pub(crate) fn for_state_series(&self) -> Labels {
        self.named(ALERTS_FOR_STATE, None)
    }

    fn named(&self, name: &str, state: Option<&str>) -> Labels {
        let own =
            self.labels.iter().filter(|(label, _)| *label != METRIC_NAME && (state.is_none() || *label != ALERT_STATE));
        let added = [(METRIC_NAME, name)].into_iter().chain(state.map(|state| (ALERT_STATE, state)));
        Labels::new(own.chain(added)).expect("what is added is left out before")
    }
}
