//! The configuration: YAML in the OpenTelemetry Collector's shape, every error with its place and a suggestion.
//!
//! Text → `env` (variables) → YAML → sections → the check across sections → [`Config`]. docs/configuration.md lists every key.

mod bytes;
mod components;
mod env;
mod error;
mod period;
mod service;
mod storage;

use std::{collections::BTreeMap, fmt::Write, path::Path, time::Duration};

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use weir_collector::receivers::otlp::OtlpConfig;
use weir_query::http::QueryConfig;

use self::{
    components::{Exporter, Nothing, Processor, Receivers},
    env::Expanded,
    error::unknown,
    service::{Pipeline, Service},
};
pub(crate) use self::{
    error::ConfigError,
    storage::{Accept, StorageConfig},
};

/// What runs without a configuration file, and the receivers of a file that names none.
const BUILT_IN: &str = include_str!("../../configs/all_in_one.yaml");

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// The receivers to start, by id (`otlp`, `otlp/internal`).
    pub(crate) receivers: BTreeMap<String, OtlpConfig>,
    /// Where and how data is kept.
    pub(crate) storage: StorageConfig,
    /// The reading side.
    pub(crate) query: QueryConfig,
    /// Longest wait for requests under way when stopping.
    pub(crate) drain_max: Duration,
}

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    receivers: Option<Receivers>,
    #[serde(deserialize_with = "or_default")]
    #[allow(dead_code, reason = "parsed so that a name in it is refused with its place")]
    processors: Nothing<Processor>,
    #[serde(deserialize_with = "or_default")]
    #[allow(dead_code, reason = "parsed so that a name in it is refused with its place")]
    exporters: Nothing<Exporter>,
    #[serde(deserialize_with = "or_default")]
    service: Service,
    #[serde(deserialize_with = "or_default")]
    storage: StorageConfig,
    #[serde(deserialize_with = "or_default")]
    query: QueryConfig,
}

/// A section that is there without a value (`storage:`) is as good as left out.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Config {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: path.to_owned(), source };
        let bytes_len = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes_len > FILE_BYTES_MAX {
            return Err(unreadable(std::io::Error::other(format!("more than {FILE_BYTES_MAX} bytes"))));
        }
        let source = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&source, &path.display().to_string(), |name| std::env::var(name).ok())
    }

    /// What runs without a file.
    pub(crate) fn built_in() -> Self {
        Self::parse(BUILT_IN, "configs/all_in_one.yaml", |_| None).expect("a test parses the file that is built in")
    }

    /// Checks a text; errors name it `file`, and `variable` looks environment variables up.
    fn parse(source: &str, file: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let expanded = env::expand(source, file, variable)?;
        let options = serde_saphyr::options! { with_snippet: false };
        let sections: Sections = serde_saphyr::from_str_with_options(&expanded.text, options)
            .map_err(|error| ConfigError::from_yaml(file, &expanded, &error))?;
        let receivers = match sections.receivers {
            Some(receivers) => receivers.0,
            None => Self::built_in().receivers,
        };
        let receivers = match &sections.service.pipelines {
            Some(pipelines) => in_pipelines(receivers, pipelines.values(), file, &expanded)?,
            None => receivers,
        };
        Ok(Self {
            receivers,
            storage: sections.storage,
            query: sections.query,
            drain_max: sections.service.drain_max.0,
        })
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
        line
    }

    /// The top-level sections in which `other` differs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        // By name, so that a field added to a configuration is placed in a section before this compiles.
        let Self { receivers, storage, query, drain_max } = self;
        let sections = [
            ("receivers", *receivers != other.receivers),
            ("service", *drain_max != other.drain_max),
            ("storage", *storage != other.storage),
            ("query", *query != other.query),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }
}

/// The receivers that a pipeline names; the others are not started, as in the Collector.
fn in_pipelines<'a>(
    mut receivers: BTreeMap<String, OtlpConfig>,
    pipelines: impl Iterator<Item = &'a Pipeline>,
    file: &str,
    expanded: &Expanded,
) -> Result<BTreeMap<String, OtlpConfig>, ConfigError> {
    let mut started = BTreeMap::new();
    let refused = |kind, name: &Spanned<String>, known: &[&str]| {
        ConfigError::at_location(file, expanded, name.referenced, unknown(kind, &name.value, known))
    };
    for pipeline in pipelines {
        for name in &pipeline.receivers {
            if started.contains_key(&name.value) {
                continue;
            }
            match receivers.remove_entry(&name.value) {
                Some((id, config)) => {
                    started.insert(id, config);
                }
                None => {
                    let known: Vec<&str> = receivers.keys().chain(started.keys()).map(String::as_str).collect();
                    return Err(refused("receiver", name, &known));
                }
            }
        }
        if let Some(name) = pipeline.processors.first() {
            return Err(refused("processor", name, &[]));
        }
        if let Some(name) = pipeline.exporters.first() {
            return Err(refused("exporter", name, &[]));
        }
    }
    Ok(started)
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
