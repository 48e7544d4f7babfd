//! `service`: which receivers feed which signal, and how long stopping may take.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Spanned;

use super::{error::unknown, period::Period};

/// Signals that this weir receives.
const SIGNALS: &[&str] = &["traces"];

/// `service`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    /// Left out: every receiver feeds the store.
    pub(super) pipelines: Option<BTreeMap<PipelineId, Pipeline>>,
    /// Longest wait for requests under way when stopping.
    pub(super) drain_max: Period<0, 3_600_000>,
}

impl Default for Service {
    fn default() -> Self {
        Self { pipelines: None, drain_max: Period(Duration::from_secs(20)) }
    }
}

/// `traces` or `traces/name`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PipelineId(String);

impl<'de> Deserialize<'de> for PipelineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let (signal, name) = id.split_once('/').unwrap_or((&id, "-"));
        if name.is_empty() {
            return Err(de::Error::custom(format!("`{id}` has no name after the /")));
        }
        if !SIGNALS.contains(&signal) {
            return Err(de::Error::custom(unknown("signal", signal, SIGNALS)));
        }
        Ok(Self(id))
    }
}

/// One pipeline. The store always gets what its receivers receive.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Pipeline {
    pub(super) receivers: Vec<Spanned<String>>,
    pub(super) processors: Vec<Spanned<String>>,
    pub(super) exporters: Vec<Spanned<String>>,
}
