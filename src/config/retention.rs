//! How long things are kept.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use weir_proto::duration::parse;
use weir_store::{ArchiveOptions, StoreOptions};

/// `retention` of local disk, or of the archive: how long each signal is kept there. They differ in their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, bound(deserialize = "Retentions<ARCHIVED>: Default"))]
pub(super) struct Retentions<const ARCHIVED: bool> {
    pub(super) traces: Retention,
    pub(super) logs: Retention,
    pub(super) metrics: Retention,
}

impl Default for Retentions<false> {
    fn default() -> Self {
        let options = StoreOptions::new("");
        Self {
            traces: Retention(options.retention_traces),
            logs: Retention(options.retention_logs),
            metrics: Retention(options.retention_metrics),
        }
    }
}

impl Default for Retentions<true> {
    fn default() -> Self {
        let options = ArchiveOptions::new("");
        Self {
            traces: Retention(options.retention_traces),
            logs: Retention(options.retention_logs),
            metrics: Retention(options.retention_metrics),
        }
    }
}

/// How long something is kept: a duration, or `forever` (`None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "forever" {
            return Ok(Self(None));
        }
        match parse(&text) {
            Ok(Duration::ZERO) => Err(de::Error::custom("a retention of 0 keeps nothing; write a duration or forever")),
            Ok(duration) => Ok(Self(Some(duration))),
            Err(error) => Err(de::Error::custom(format!("{error}, or forever"))),
        }
    }
}
