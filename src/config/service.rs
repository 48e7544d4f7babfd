//! `service`: which receivers feed which signal, how long stopping may take, and what the Collector has there beside.

use std::time::Duration;

use serde::Deserialize;
use weir_proto::Signal;

use weir_proto::nearest::unknown;

use super::{
    check::Findings,
    components::{Kind, id_of, written},
    period::Period,
    yaml::{Node, Position, Reading, Step, Value, split},
};

/// Signals that this weir receives.
const SIGNALS: [&str; 3] = [Signal::Traces.name(), Signal::Logs.name(), Signal::Metrics.name()];

/// Signals that OpenTelemetry has beside.
const OTHER_SIGNALS: &[&str] = &["profiles"];

/// `service`.
#[derive(Debug)]
pub(super) struct Service {
    /// In the order written. Left out: every receiver feeds the store.
    pub(super) pipelines: Option<Vec<Pipeline>>,
    /// Longest wait for requests under way when stopping.
    pub(super) drain_max: Duration,
    pub(super) freed_memory: FreedMemory,
}

/// `service.freed_memory`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FreedMemory {
    /// The process keeps it for what it needs next; the kernel takes it when it is short.
    #[default]
    Keep,
    /// The machine has it at once.
    GiveBack,
}

/// One pipeline. The store always gets what its receivers receive.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) signal: Signal,
    pub(super) receivers: Vec<Name>,
    pub(super) processors: Vec<Name>,
    pub(super) exporters: Vec<Name>,
}

/// An id, where it is named.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) id: String,
    pub(super) at: Position,
    /// The way to it.
    pub(super) steps: Vec<Step>,
}

/// The keys of `service` that say nothing about pipelines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rest {
    // Named so that an unknown key is told of them; taken out before this is read.
    #[allow(dead_code, reason = "known here")]
    pipelines: Option<()>,
    drain_max: Period<0, 3_600_000>,
    freed_memory: FreedMemory,
    #[allow(dead_code, reason = "known here")]
    extensions: Option<()>,
    #[allow(dead_code, reason = "known here")]
    telemetry: Option<()>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            pipelines: None,
            drain_max: Period(Duration::from_secs(20)),
            freed_memory: FreedMemory::default(),
            extensions: None,
            telemetry: None,
        }
    }
}

/// Reads the section.
pub(super) fn service(root: &Node, findings: &mut Findings) -> Service {
    let Some(section) = root.get("service") else {
        let Rest { drain_max, freed_memory, .. } = Rest::default();
        return Service { pipelines: None, drain_max: drain_max.0, freed_memory };
    };
    let node = &section.node;
    if let Some(telemetry) = node.get("telemetry") {
        let words = "service.telemetry is not needed here: --log-level and --log-format say what is logged, and /metrics is on \
                     the query endpoint";
        findings.warning(telemetry.at, &["service", "telemetry"], words);
    }
    extensions(root, node, findings);
    let mut rest = node.clone();
    for key in ["pipelines", "telemetry", "extensions"] {
        rest.leave_out(&[Step::Key(key.into())], false);
    }
    let steps = [Step::Key("service".into())];
    let rest: Option<Rest> = Reading { problems: &mut findings.problems }.read(&rest, &steps, |_| Ok(()));
    let Rest { drain_max, freed_memory, .. } = rest.unwrap_or_default();
    let pipelines = node.get("pipelines").filter(|entry| !matches!(entry.node.value, Value::Null));
    Service {
        pipelines: pipelines.map(|entry| pipelines_of(&entry.node, findings)),
        drain_max: drain_max.0,
        freed_memory,
    }
}

/// `service.extensions`: names of what is passed over anyway.
fn extensions(root: &Node, service: &Node, findings: &mut Findings) {
    let Some(entry) = service.get("extensions") else { return };
    let known = written(root, Kind::Extension);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let way = [Step::Key("service".into()), Step::Key("extensions".into())];
    for name in names(&entry.node, &way, findings) {
        if known.contains(&name.id.as_str()) {
            findings.silent.push(name.steps);
        } else {
            findings.at_name(&name, unknown("extension", &name.id, &known));
        }
    }
}

fn pipelines_of(node: &Node, findings: &mut Findings) -> Vec<Pipeline> {
    if !matches!(node.value, Value::Map(_)) {
        findings.problem(node.at, &["service", "pipelines"], "service.pipelines: expected keys and values here");
    }
    let mut pipelines = Vec::new();
    for entry in node.entries() {
        let id = id_of(&entry.key);
        let way = ["service", "pipelines", &entry.key];
        let signal = id.split('/').next().unwrap_or_default();
        if id.ends_with('/') {
            findings.problem(entry.at, &way, format!("`{id}` has no name after the /"));
        } else if OTHER_SIGNALS.contains(&signal) {
            findings.problem(
                entry.at,
                &way,
                format!("pipeline `{id}` is not there yet: this weir receives {}", SIGNALS.join(", ")),
            );
        } else if let Some(signal) = Signal::named(signal) {
            pipelines.push(pipeline(signal, &entry.node, &way.map(|key| Step::Key(key.to_owned())), findings));
        } else {
            findings.problem(entry.at, &way, unknown("signal", signal, &SIGNALS));
        }
    }
    pipelines
}

fn pipeline(signal: Signal, node: &Node, way: &[Step], findings: &mut Findings) -> Pipeline {
    let mut pipeline = Pipeline { signal, receivers: Vec::new(), processors: Vec::new(), exporters: Vec::new() };
    if !matches!(node.value, Value::Map(_) | Value::Null) {
        findings.at_steps(node.at, way.to_vec(), "expected keys and values here: receivers, processors, exporters");
    }
    for entry in node.entries() {
        let way = [way, &[Step::Key(entry.key.clone())]].concat();
        let list = match entry.key.as_str() {
            "receivers" => &mut pipeline.receivers,
            "processors" => &mut pipeline.processors,
            "exporters" => &mut pipeline.exporters,
            other => {
                findings.at_steps(entry.at, way, unknown("key", other, &["receivers", "processors", "exporters"]));
                continue;
            }
        };
        *list = names(&entry.node, &way, findings);
    }
    pipeline
}

/// A list of ids, or a text of several.
fn names(node: &Node, way: &[Step], findings: &mut Findings) -> Vec<Name> {
    let parts;
    let (items, is_split) = match &node.value {
        Value::Null => return Vec::new(),
        Value::List(items) => (items, false),
        Value::Scalar { text, is_plain } => {
            parts = split(text, *is_plain, node);
            (&parts, true)
        }
        Value::Map(_) => {
            findings.at_steps(node.at, way.to_vec(), "expected a list here");
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_gone) {
        let steps = if is_split { way.to_vec() } else { [way, &[Step::Item(index)]].concat() };
        match &item.value {
            Value::Scalar { text, .. } => names.push(Name { id: id_of(text), at: item.at, steps }),
            Value::Null => {}
            Value::List(_) | Value::Map(_) => findings.at_steps(item.at, steps, "expected a single value here"),
        }
    }
    names
}
