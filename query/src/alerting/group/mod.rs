//! One group's evaluation: rules in order, results to samples, alerts through their states. Knows no clock and no store.
//!
//! [`GroupState::evaluate`] is called for one moment with [`Asks`] behind it: the server's are a snapshot and what the
//! evaluation gave so far, those of unit tests are samples in memory.

mod alerts;
mod evaluate;
mod recover;
mod slots;
mod state;
mod take_over;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use weir_proto::metrics::Labels;

pub(crate) use self::{
    evaluate::{ended, recorded},
    slots::slot_hash,
    state::{GroupState, Health, RuleState},
};
use super::rules::Query;
use crate::promql::value::Point;

/// The name of the series that say which alerts there are.
pub(crate) const ALERTS: &str = "ALERTS";

/// The name of the series that say since when, in Unix seconds.
pub(crate) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// The label with an alert's name.
pub(crate) const ALERT_NAME: &str = "alertname";

/// The label of [`ALERTS`] with the state.
pub(crate) const ALERT_STATE: &str = "alertstate";

/// What a query gave: one value a series.
pub(crate) type Vector = Vec<(Labels, Point)>;

/// Whoever answers the questions of rules.
pub(crate) trait Asks {
    /// Asks at one time, Unix ms. A number without labels comes as a vector of one.
    fn instant(&mut self, query: &Query, at_ms: i64) -> Result<Vector, String>;

    /// Takes what a rule gave: the rules behind it see it.
    fn keep(&mut self, samples: &[StoredSample]);

    /// Since when whatever a query selects is there again, Unix ms: each of its selectors that found something at
    /// `before_ms` has samples since then, from `since_ms` on. `None` while one has not.
    fn again(&mut self, _query: &Query, _before_ms: i64, since_ms: i64, _to_ms: i64) -> Result<Option<i64>, String> {
        Ok(Some(since_ms))
    }
}

/// A sample that an evaluation gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredSample {
    pub(crate) labels: Labels,
    pub(crate) time_ms: i64,
    pub(crate) point: Point,
}

/// What holds for all groups.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Where a group says nothing.
    pub(crate) interval_ms: i64,
    /// Where a group says nothing.
    pub(crate) query_offset_ms: i64,
    /// A firing alert is sent again after this long.
    pub(crate) resend_delay_ms: i64,
    /// Results that one rule may give; more are an error.
    pub(crate) results_max: usize,
    /// For templates.
    pub(crate) external_labels: Vec<(String, String)>,
    /// For templates and links, without a slash at the end.
    pub(crate) external_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval_ms: 60_000,
            query_offset_ms: 0,
            resend_delay_ms: 60_000,
            results_max: 100_000,
            external_labels: Vec::new(),
            external_url: String::new(),
        }
    }
}

/// What became of one evaluation of a group.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    /// What is to be told, for each rule in order.
    pub(crate) sent: Vec<SentAlert>,
    /// Rules that failed.
    pub(crate) failures: usize,
    /// Whether there is something about alerts that a restart would need and was not there before.
    pub(crate) is_changed: bool,
}

/// An alert as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentAlert {
    pub(crate) labels: Labels,
    pub(crate) annotations: Arc<[(String, String)]>,
    pub(crate) starts_at_ms: i64,
    pub(crate) ends_at_ms: i64,
    /// The rule's query, for a link to it.
    pub(crate) expr: Arc<str>,
    /// Whether it ended.
    pub(crate) is_resolved: bool,
    /// Whether nobody was told of this state yet.
    pub(crate) is_new: bool,
}
