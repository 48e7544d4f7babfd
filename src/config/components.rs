//! The components that a configuration can name: receivers and processors, and those of the Collector that are not here.

use std::collections::BTreeMap;

use weir_collector::{
    processors::{probabilistic_sampler::ProbabilisticSamplerConfig, tail_sampling::TailSamplingConfig},
    receivers::{
        elasticsearch::ElasticsearchConfig, filelog::FilelogConfig, loki::LokiConfig, otlp::OtlpConfig,
        prometheus::PrometheusConfig, remote_write::RemoteWriteConfig, splunk_hec::SplunkHecConfig,
        synthetic::SyntheticConfig, syslog::SyslogConfig, zipkin::ZipkinConfig,
    },
};

use weir_proto::nearest::unknown;

use super::{
    check::Findings,
    elsewhere::{self, Standing},
    prometheus,
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
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Receiver => &[
                "elasticsearch_bulk",
                "file_log",
                "filelog",
                "loki",
                "otlp",
                "prometheus",
                "prometheusremotewrite",
                "splunk_hec",
                "synthetic",
                "syslog",
                "zipkin",
            ],
            Self::Processor => &["probabilistic_sampler", "tail_sampling"],
            Self::Exporter | Self::Connector | Self::Extension => &[],
        }
    }
}

/// A receiver of one of the types, with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReceiverConfig {
    /// `otlp`.
    Otlp(Box<OtlpConfig>),
    /// `prometheus`.
    Prometheus(Box<PrometheusConfig>),
    /// `prometheusremotewrite`.
    RemoteWrite(RemoteWriteConfig),
    /// `zipkin`.
    Zipkin(ZipkinConfig),
    /// `loki`.
    Loki(LokiConfig),
    /// `elasticsearch_bulk`.
    Elasticsearch(ElasticsearchConfig),
    /// `splunk_hec`.
    SplunkHec(SplunkHecConfig),
    /// `syslog`.
    Syslog(Box<SyslogConfig>),
    /// `filelog`.
    Filelog(Box<FilelogConfig>),
    /// `synthetic`.
    Synthetic(Box<SyntheticConfig>),
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

/// A component's id as the Collector writes it, `type` or `type/name`, without the blanks around.
pub(super) fn id_of(text: &str) -> String {
    match text.split_once('/') {
        Some((component_type, name)) => format!("{}/{}", component_type.trim(), name.trim()),
        None => text.trim().to_owned(),
    }
}

/// The components of a section whose type exists here; what is wrong with the others is said.
fn usable<'n>(root: &'n Node, kind: Kind, findings: &mut Findings) -> Vec<(String, &'n Entry)> {
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
            None => findings.problem(entry.at, &way, unknown(word, component_type, kind.types())),
        }
    }
    usable
}

/// `receivers`, by id; `None` when the file says nothing of them.
pub(super) fn receivers(root: &Node, findings: &mut Findings) -> Option<BTreeMap<String, ReceiverConfig>> {
    root.get("receivers").filter(|section| !matches!(section.node.value, Value::Null))?;
    let mut receivers = BTreeMap::new();
    for (id, entry) in usable(root, Kind::Receiver, findings) {
        let steps = [Step::Key("receivers".into()), Step::Key(entry.key.clone())];
        let mut node = entry.node.clone();
        elsewhere::take_out(&mut node, &entry.key, &mut findings.problems, &mut findings.warnings);
        prometheus::take_out(&mut node, &steps, findings);
        let mut reading = Reading { problems: &mut findings.problems };
        let config = match id.split('/').next().unwrap_or_default() {
            "zipkin" => {
                let check = |config: &ZipkinConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(ReceiverConfig::Zipkin)
            }
            "loki" => {
                let check = |config: &LokiConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(ReceiverConfig::Loki)
            }
            "elasticsearch_bulk" => {
                let check = |config: &ElasticsearchConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(ReceiverConfig::Elasticsearch)
            }
            "splunk_hec" => {
                let check = |config: &SplunkHecConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(ReceiverConfig::SplunkHec)
            }
            "syslog" => {
                let check = |config: &SyslogConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(|config| ReceiverConfig::Syslog(Box::new(config)))
            }
            "filelog" | "file_log" => {
                let check = |config: &FilelogConfig| config.check();
                reading.read(&node, &steps, check).map(|config| ReceiverConfig::Filelog(Box::new(config)))
            }
            "synthetic" => {
                let check = |config: &SyntheticConfig| config.check();
                reading.read(&node, &steps, check).map(|config| ReceiverConfig::Synthetic(Box::new(config)))
            }
            "prometheus" => {
                let check = |config: &PrometheusConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(|config| ReceiverConfig::Prometheus(Box::new(config)))
            }
            "prometheusremotewrite" => {
                let check = |config: &RemoteWriteConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(ReceiverConfig::RemoteWrite)
            }
            _ => {
                let check = |config: &OtlpConfig| config.check().map_err(|error| flaw(&error.to_string()));
                reading.read(&node, &steps, check).map(|config| ReceiverConfig::Otlp(Box::new(config)))
            }
        };
        if let Some(config) = config {
            receivers.insert(id, config);
        }
    }
    Some(receivers)
}

/// `receivers.TYPE.KEY: PROBLEM` in its parts.
fn flaw(message: &str) -> (String, String) {
    let parts = message.split_once(": ").and_then(|(path, problem)| Some((path.splitn(3, '.').nth(2)?, problem)));
    parts.map_or_else(|| (String::new(), message.to_owned()), |(key, problem)| (key.to_owned(), problem.to_owned()))
}

/// `processors`, in the order written.
pub(super) fn processors(root: &Node, findings: &mut Findings) -> Vec<ProcessorBlock> {
    let mut blocks = Vec::new();
    for (id, entry) in usable(root, Kind::Processor, findings) {
        let steps = [Step::Key("processors".into()), Step::Key(entry.key.clone())];
        let mut reading = Reading { problems: &mut findings.problems };
        let config = if id.split('/').next() == Some("probabilistic_sampler") {
            reading.read(&entry.node, &steps, |_| Ok(())).map(ProcessorConfig::ProbabilisticSampler)
        } else {
            let check = |config: &TailSamplingConfig| config.check().map_err(|problem| (String::new(), problem));
            reading.read(&entry.node, &steps, check).map(|config| ProcessorConfig::TailSampling(Box::new(config)))
        };
        if let Some(config) = config {
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
