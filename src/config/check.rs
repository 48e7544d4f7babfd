//! From a file's tree to a configuration: every section is read, and the check across sections made, whatever was wrong before.

use std::sync::Arc;

use weir_query::http::QueryConfig;

use weir_proto::nearest::unknown;

use super::{
    AlertingConfig, Config, StorageConfig, components, elsewhere, listeners,
    pipelines::{self, Connected},
    receivers,
    service::{self, Name},
    yaml::{Node, Position, Problem, Reading, Step, Value},
};

/// The sections of a file.
const SECTIONS: &[&str] =
    &["receivers", "processors", "exporters", "connectors", "extensions", "service", "storage", "query", "alerting"];

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// What is without effect.
    pub(super) warnings: Vec<Problem>,
    /// Ways to names of what was found wrong, or without effect, elsewhere.
    pub(super) silent: Vec<Vec<Step>>,
}

impl Findings {
    /// Something is wrong at the end of this way.
    pub(super) fn at_steps(&mut self, at: Position, steps: Vec<Step>, message: impl Into<String>) {
        self.problems.push(Problem { at, steps, message: message.into() });
    }

    /// Something is wrong with a name.
    pub(super) fn at_name(&mut self, name: &Name, message: impl Into<String>) {
        self.at_steps(name.at, name.steps.clone(), message);
    }
}

/// Reads the whole file. The configuration is what can be read of it: worth something only without problems.
pub(super) fn check(root: &Node, findings: &mut Findings) -> Config {
    if !matches!(root.value, Value::Map(_) | Value::Null) {
        findings.at_steps(root.at, Vec::new(), "expected keys and values here");
    }
    for entry in root.entries().filter(|entry| !SECTIONS.contains(&entry.key.as_str())) {
        let message = match elsewhere::section(&entry.key) {
            Some(words) => format!("`{}` is no section here: {words}", entry.key),
            None => unknown("key", &entry.key, SECTIONS),
        };
        findings.problem(entry.at, &[&entry.key], message);
    }
    let receivers = receivers::receivers(root, findings);
    let receivers = receivers.unwrap_or_else(|| Config::built_in().receivers);
    let blocks = components::processors(root, findings);
    components::others(root, findings);
    let service = service::service(root, findings);
    let storage = section::<StorageConfig>(root, "storage", findings);
    let query = section::<QueryConfig>(root, "query", findings);
    let alerting = alerting(root, findings);
    let Connected { receivers, processors } =
        pipelines::connect(root, receivers, blocks, service.pipelines.as_deref(), findings);
    listeners::check(&receivers, &query.endpoint, root, findings);
    Config {
        receivers,
        processors: Arc::new(processors),
        storage,
        query,
        alerting,
        drain_max: service.drain_max,
        freed_memory: service.freed_memory,
        warnings: Vec::new(),
        shown: String::new(),
    }
}

/// The section about rules, and its check.
fn alerting(root: &Node, findings: &mut Findings) -> AlertingConfig {
    let Some(entry) = root.get("alerting") else { return AlertingConfig::default() };
    let steps = [Step::Key("alerting".to_owned())];
    let reading = Reading { problems: &mut findings.problems }.read(&entry.node, &steps, AlertingConfig::check);
    reading.unwrap_or_default()
}

/// A section that is read by itself.
fn section<T: serde::de::DeserializeOwned + Default>(root: &Node, key: &str, findings: &mut Findings) -> T {
    let Some(entry) = root.get(key) else { return T::default() };
    let steps = [Step::Key(key.to_owned())];
    Reading { problems: &mut findings.problems }.read(&entry.node, &steps, |_| Ok(())).unwrap_or_default()
}
