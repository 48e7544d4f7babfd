//! The components that a configuration can name: receivers and processors, and those of the Collector that are not here.

use weir_collector::processors::{
    probabilistic_sampler::ProbabilisticSamplerConfig, tail_sampling::TailSamplingConfig,
};

use weir_proto::nearest::unknown;

use super::{
    check::Findings,
    elsewhere::{self, Standing},
    receivers,
    yaml::{Entry, Node, Position, Problem, Reading, Step, Value},
};

/// A kind of component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Receiver,
    Processor,
    Exporter,
    Connector,
    Extension,
}

impl Kind {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Connector => "connector",
            Self::Extension => "extension",
        }
    }

    /// Its section.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Connector => "connectors",
            Self::Extension => "extensions",
        }
    }

    /// The types that exist here.
    fn types(self) -> Vec<&'static str> {
        match self {
            Self::Receiver => receivers::TYPES.concat(),
            Self::Processor => PROCESSORS.iter().map(|(name, _)| *name).collect(),
            Self::Exporter | Self::Connector | Self::Extension => Vec::new(),
        }
    }
}

/// A processor as configured.
#[derive(Debug)]
pub(super) struct ProcessorBlock {
    pub(super) id: String,
    pub(super) at: Position,
    pub(super) config: ProcessorConfig,
}

/// Its settings, by type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ProcessorConfig {
    ProbabilisticSampler(ProbabilisticSamplerConfig),
    TailSampling(Box<TailSamplingConfig>),
}

/// Reads settings that stand there; `None` when something is wrong with them, and said.
type ReadProcessor = fn(&Node, &[Step], &mut Reading<'_>) -> Option<ProcessorConfig>;

/// The types of processors: a row each.
const PROCESSORS: &[(&str, ReadProcessor)] = &[
    ("probabilistic_sampler", |node, steps, reading| {
        reading.read(node, steps, |_| Ok(())).map(ProcessorConfig::ProbabilisticSampler)
    }),
    ("tail_sampling", |node, steps, reading| {
        reading
            .read(node, steps, TailSamplingConfig::check)
            .map(|config| ProcessorConfig::TailSampling(Box::new(config)))
    }),
];

/// A component's id as the Collector writes it, `type` or `type/name`, without the blanks around.
pub(super) fn id_of(text: &str) -> String {
    match text.split_once('/') {
        Some((component_type, name)) => format!("{}/{}", component_type.trim(), name.trim()),
        None => text.trim().to_owned(),
    }
}

/// The components of a section whose type exists here; what is wrong with the others is said.
pub(super) fn usable<'n>(root: &'n Node, kind: Kind, findings: &mut Findings) -> Vec<(String, &'n Entry)> {
    let Some(section) = root.get(kind.section()) else { return Vec::new() };
    if !matches!(section.node.value, Value::Map(_) | Value::Null) {
        findings.problem(
            section.node.at,
            &[kind.section()],
            format!("{}: expected keys and values here", kind.section()),
        );
    }
    let mut usable = Vec::new();
    for entry in section.node.entries() {
        let id = id_of(&entry.key);
        let component_type = id.split('/').next().unwrap_or_default();
        let way = [kind.section(), &entry.key];
        if id.ends_with('/') {
            findings.problem(entry.at, &way, format!("`{id}` has no name after the /"));
            continue;
        }
        if kind.types().contains(&component_type) {
            usable.push((id, entry));
            continue;
        }
        let word = kind.word();
        match elsewhere::standing(kind, component_type) {
            Some(Standing::Needless(words)) => {
                findings.warning(entry.at, &way, format!("{word} `{id}` is not needed here: {words}"));
            }
            Some(Standing::Missing(words)) => {
                findings.problem(entry.at, &way, format!("{word} `{id}` is not there yet: {words}"));
            }
            None => findings.problem(entry.at, &way, unknown(word, component_type, &kind.types())),
        }
    }
    usable
}

/// `processors`, in the order written.
pub(super) fn processors(root: &Node, findings: &mut Findings) -> Vec<ProcessorBlock> {
    let mut blocks = Vec::new();
    for (id, entry) in usable(root, Kind::Processor, findings) {
        let steps = [Step::Key("processors".into()), Step::Key(entry.key.clone())];
        let mut reading = Reading { problems: &mut findings.problems };
        let name = id.split('/').next();
        let row = PROCESSORS.iter().find(|(of, _)| Some(*of) == name);
        if let Some(config) = row.and_then(|(_, read)| read(&entry.node, &steps, &mut reading)) {
            blocks.push(ProcessorBlock { id, at: entry.at, config });
        }
    }
    blocks
}

/// `exporters`, `connectors` and `extensions`, of which there are none.
pub(super) fn others(root: &Node, findings: &mut Findings) {
    for kind in [Kind::Exporter, Kind::Connector, Kind::Extension] {
        usable(root, kind, findings);
    }
}

/// The ids that a section has, usable or not.
pub(super) fn written(root: &Node, kind: Kind) -> Vec<String> {
    let section = root.get(kind.section());
    section.iter().flat_map(|section| section.node.entries()).map(|entry| id_of(&entry.key)).collect()
}

impl Findings {
    /// Something is wrong; `way` leads to what is to be taken out.
    pub(super) fn problem(&mut self, at: Position, way: &[&str], message: impl Into<String>) {
        let steps = way.iter().map(|key| Step::Key((*key).to_owned())).collect();
        self.problems.push(Problem { at, steps, message: message.into() });
    }

    /// Something is without effect.
    pub(super) fn warning(&mut self, at: Position, way: &[&str], message: impl Into<String>) {
        let steps = way.iter().map(|key| Step::Key((*key).to_owned())).collect();
        self.warnings.push(Problem { at, steps, message: message.into() });
    }
}
