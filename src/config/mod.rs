//! The configuration: YAML in the OpenTelemetry Collector's shape, every error with its place and a suggestion.
//!
//! Text → YAML → variables put in → sections → the check across sections → [`Config`]. What is wrong is left out and the
//! rest looked at all the same, so that one run says everything. docs/configuration.md lists every key.

mod alerting;
mod archive;
mod bytes;
mod check;
mod components;
mod convert;
mod elsewhere;
mod error;
mod hidden;
mod listeners;
mod period;
mod pipelines;
mod prometheus;
mod receivers;
mod retention;
mod service;
mod storage;
mod synthetic;

use std::{collections::BTreeMap, fmt::Write, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer};
use weir_proto::yaml::{self, Found};
use weir_query::http::QueryConfig;

pub(crate) use self::{
    alerting::AlertingConfig,
    components::ProcessorConfig,
    convert::convert,
    error::ConfigError,
    pipelines::Pipelines,
    prometheus::target_groups,
    receivers::ReceiverConfig,
    service::FreedMemory,
    storage::{Accept, StorageConfig},
};
use self::{
    check::{Findings, check},
    error::lines,
};

/// What runs without a configuration file, and the receivers of a file that names none.
const BUILT_IN: &str = include_str!("../../configs/all_in_one.yaml");

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Sections that the Collector does not have. A variable that is not set is an error in them: data must not lie
/// somewhere else because of it.
const OWN_SECTIONS: &[&str] = &["storage", "query", "alerting"];

/// A configuration that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The receivers to start, by id (`otlp`, `otlp/internal`).
    pub(crate) receivers: BTreeMap<String, ReceiverConfig>,
    /// What each of them passes its spans through, in order, by id.
    pub(crate) processors: Arc<Pipelines>,
    /// Where and how data is kept.
    pub(crate) storage: StorageConfig,
    /// The reading side.
    pub(crate) query: QueryConfig,
    /// Rules, and who is told.
    pub(crate) alerting: AlertingConfig,
    /// Longest wait for requests under way when stopping.
    pub(crate) drain_max: Duration,
    /// What becomes of memory that is not needed any more.
    pub(crate) freed_memory: FreedMemory,
    /// What is written without any effect, in words with its place.
    pub(crate) warnings: Vec<String>,
    /// The text itself, without secrets.
    pub(crate) shown: String,
}

/// A section that is there without a value (`journal:`) is as good as left out.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Config {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?, &path.display().to_string(), |name| std::env::var(name).ok())
    }

    /// Checks a text that is built in under this name.
    pub(crate) fn of_text(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::parse(text, name, |_| None)
    }

    /// What runs without a file.
    pub(crate) fn built_in() -> Self {
        Self::parse(BUILT_IN, "configs/all_in_one.yaml", |_| None).expect("a test parses the file that is built in")
    }

    /// Checks a text; errors name it `file`, and `variable` looks environment variables up.
    fn parse(source: &str, file: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut findings = Findings::default();
        let config = yaml::parse(source, &mut findings.problems).map(|mut root| {
            prometheus::warn_of_doubled(&root, &mut findings);
            let found = Found { problems: &mut findings.problems, warnings: &mut findings.warnings };
            yaml::expand(&mut root, OWN_SECTIONS, &variable, found);
            check(&root, &mut findings)
        });
        let warnings = lines(file, findings.warnings);
        match config {
            Some(config) if findings.problems.is_empty() => {
                Ok(Self { warnings, shown: hidden::without_secrets(source), ..config })
            }
            _ => Err(ConfigError::Wrong { lines: lines(file, findings.problems), warnings }),
        }
    }

    /// One line about what it starts.
    pub(crate) fn summary(&self) -> String {
        let mut line = String::from("receivers: ");
        for (index, id) in self.receivers.keys().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let _ = write!(line, "{comma}{id}");
        }
        if self.receivers.is_empty() {
            line.push_str("none");
        }
        for (index, id) in self.processors.blocks.keys().enumerate() {
            let separator = if index > 0 { ", " } else { "; processors: " };
            let _ = write!(line, "{separator}{id}");
        }
        line
    }

    /// The top-level sections in which `other` differs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        // By name, so that a field added to a configuration is placed in a section before this compiles.
        // Alerting takes on another configuration as it runs, as scraping does, but for two keys.
        let Self { receivers, processors, storage, query, alerting, drain_max, freed_memory, warnings: _, shown: _ } =
            self;
        // Scraping and probing take on another configuration as they run.
        let others = |receivers: &BTreeMap<String, ReceiverConfig>| {
            let mut receivers = receivers.clone();
            receivers
                .retain(|_, config| !matches!(config, ReceiverConfig::Prometheus(_) | ReceiverConfig::Synthetic(_)));
            receivers
        };
        let sections = [
            ("receivers", others(receivers) != others(&other.receivers)),
            ("processors", *processors != other.processors),
            ("service", (drain_max, freed_memory) != (&other.drain_max, &other.freed_memory)),
            ("storage", *storage != other.storage),
            ("query", *query != other.query),
            ("alerting", alerting.evaluations_max != other.alerting.evaluations_max),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }
}

/// A file's text, within its bound.
fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: path.to_owned(), source };
    let bytes_len = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes_len > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other(format!("more than {FILE_BYTES_MAX} bytes"))));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
