//! Which receivers are started, and which processors their spans pass through.

use std::collections::BTreeMap;

use weir_collector::processors::tail_sampling::{TailSampling, TailSamplingConfig};
use weir_proto::Signal;

use weir_proto::nearest::unknown;

use super::{
    ProcessorConfig, ReceiverConfig,
    check::Findings,
    components::{Kind, ProcessorBlock, id_of, written},
    service::{Name, Pipeline},
    yaml::{Node, Step},
};

/// Processors, and the way of each receiver's spans through them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pipelines {
    /// The processors that any pipeline names, by id.
    pub(crate) blocks: BTreeMap<String, ProcessorConfig>,
    /// For each receiver that has any: ids of processors, in order.
    pub(crate) of_receiver: BTreeMap<String, Vec<String>>,
}

/// What is started.
#[derive(Debug, Default)]
pub(super) struct Connected {
    pub(super) receivers: BTreeMap<String, ReceiverConfig>,
    pub(super) processors: Pipelines,
}

/// Connects receivers and processors as the pipelines say; without pipelines every receiver feeds every processor, in the order
/// written. What no pipeline names is not started, as in the Collector, and is warned of.
pub(super) fn connect(
    root: &Node,
    mut receivers: BTreeMap<String, ReceiverConfig>,
    blocks: Vec<ProcessorBlock>,
    pipelines: Option<&[Pipeline]>,
    findings: &mut Findings,
) -> Connected {
    let mut connected = Pipelines::default();
    let Some(pipelines) = pipelines else {
        let all: Vec<Name> = blocks.iter().map(of_block).collect();
        let ids = order(&all, &blocks, findings);
        if !ids.is_empty() {
            connected.of_receiver = receivers.keys().map(|receiver| (receiver.clone(), ids.clone())).collect();
        }
        connected.blocks = used(blocks, &connected, findings);
        return Connected { receivers, processors: connected };
    };
    let sections = Written::of(root);
    let mut started = BTreeMap::new();
    for pipeline in pipelines {
        let names = sections.known(Kind::Processor, &pipeline.processors, &|id| is_block(&blocks, id), findings);
        sections.known(Kind::Exporter, &pipeline.exporters, &|_| false, findings);
        let is_receiver = |id: &str| receivers.contains_key(id) || started.contains_key(id);
        let named = sections.known(Kind::Receiver, &pipeline.receivers, &is_receiver, findings);
        if pipeline.signal != Signal::Traces {
            for name in names {
                let items = pipeline.signal.items();
                let message = format!("`{}` is for spans: {items} go through no processor yet", name.id);
                findings.at_name(&name, message);
            }
            let named = named.iter().filter_map(|name| receivers.get_key_value(&name.id));
            started.extend(named.map(|(id, config)| (id.clone(), config.clone())));
            continue;
        }
        let ids = order(&names, &blocks, findings);
        for name in named {
            if let Some((id, config)) = receivers.remove_entry(&name.id) {
                started.insert(id.clone(), config);
                connected.of_receiver.insert(id, ids.clone());
            } else if connected.of_receiver.get(&name.id) != Some(&ids) {
                let message = format!(
                    "receiver `{}` is in two pipelines with different processors; its spans are kept once, so they can go \
                     one way only",
                    name.id
                );
                findings.at_name(&name, message);
            }
        }
    }
    for entry in root.get("receivers").iter().flat_map(|section| section.node.entries()) {
        let id = id_of(&entry.key);
        if receivers.contains_key(&id) && !started.contains_key(&id) {
            let message = format!("receiver `{id}` has no effect: it is in no pipeline");
            findings.warning(entry.at, &["receivers", &entry.key], message);
        }
    }
    connected.blocks = used(blocks, &connected, findings);
    connected.of_receiver.retain(|_, ids| !ids.is_empty());
    Connected { receivers: started, processors: connected }
}

fn of_block(block: &ProcessorBlock) -> Name {
    let steps = vec![Step::Key("processors".into()), Step::Key(block.id.clone())];
    Name { id: block.id.clone(), at: block.at, steps }
}

fn is_block(blocks: &[ProcessorBlock], id: &str) -> bool {
    blocks.iter().any(|block| block.id == id)
}

/// The ids that stand in the file's sections, usable or not.
struct Written {
    receivers: Vec<String>,
    processors: Vec<String>,
    exporters: Vec<String>,
    connectors: Vec<String>,
}

impl Written {
    fn of(root: &Node) -> Self {
        let mut receivers = written(root, Kind::Receiver);
        if root.get("receivers").is_none() {
            receivers = vec!["otlp".to_owned(), "prometheus".to_owned()];
        }
        Self {
            receivers,
            processors: written(root, Kind::Processor),
            exporters: written(root, Kind::Exporter),
            connectors: written(root, Kind::Connector),
        }
    }

    /// The names that can be used. Of those that stand in their section and cannot, the section has said why.
    fn known(
        &self,
        kind: Kind,
        names: &[Name],
        is_usable: &dyn Fn(&str) -> bool,
        findings: &mut Findings,
    ) -> Vec<Name> {
        let ids = match kind {
            Kind::Receiver => &self.receivers,
            Kind::Processor => &self.processors,
            _ => &self.exporters,
        };
        let mut usable = Vec::new();
        for name in names {
            if is_usable(&name.id) {
                usable.push(Name { id: name.id.clone(), at: name.at, steps: name.steps.clone() });
            } else if ids.contains(&name.id) || (kind != Kind::Processor && self.connectors.contains(&name.id)) {
                findings.silent.push(name.steps.clone());
            } else {
                let known: Vec<&str> = ids.iter().map(String::as_str).collect();
                findings.at_name(name, unknown(kind.word(), &name.id, &known));
            }
        }
        usable
    }
}

/// Checks one pipeline's processors: head sampling comes once, before tail sampling. What stands wrong is not among the answer.
fn order(names: &[Name], blocks: &[ProcessorBlock], findings: &mut Findings) -> Vec<String> {
    let (mut head, mut tail) = (None::<&str>, None::<&str>);
    let mut ids = Vec::new();
    for name in names {
        let id = name.id.as_str();
        let is_tail =
            blocks.iter().any(|block| block.id == id && matches!(block.config, ProcessorConfig::TailSampling(_)));
        if is_tail {
            tail = Some(id);
        } else if let Some(tail) = tail {
            let message = format!(
                "`{id}` after `{tail}`: spans are thinned before traces are decided, so it must stand before it"
            );
            findings.at_name(name, message);
            continue;
        } else if let Some(head) = head.replace(id) {
            let message = format!("`{head}` and `{id}` in one pipeline: a probabilistic_sampler can be there once");
            findings.at_name(name, message);
            continue;
        }
        ids.push(name.id.clone());
    }
    ids
}

/// The processors that spans pass through, after a look at whether their policies fit together. The others are warned of.
fn used(
    blocks: Vec<ProcessorBlock>,
    connected: &Pipelines,
    findings: &mut Findings,
) -> BTreeMap<String, ProcessorConfig> {
    let mut used = BTreeMap::new();
    let mut tail = Vec::new();
    for block in blocks {
        let way = ["processors", &block.id];
        if !connected.of_receiver.values().any(|ids| ids.contains(&block.id)) {
            let message = format!("processor `{}` has no effect: it is in no pipeline that a receiver feeds", block.id);
            findings.warning(block.at, &way, message);
            continue;
        }
        if let ProcessorConfig::TailSampling(config) = &block.config {
            tail.push((block.id.clone(), (**config).clone()));
            // Found here, the error is about this block: without it all was well.
            if let Err(error) = TailSampling::new(&tail, None) {
                findings.problem(block.at, &way, error.to_string());
                tail.pop();
                continue;
            }
        }
        used.insert(block.id, block.config);
    }
    used
}

impl Pipelines {
    /// The blocks of tail sampling.
    pub(crate) fn tail_sampling(&self) -> Vec<(String, TailSamplingConfig)> {
        let blocks = self.blocks.iter().filter_map(|(id, config)| match config {
            ProcessorConfig::TailSampling(config) => Some((id.clone(), (**config).clone())),
            ProcessorConfig::ProbabilisticSampler(_) => None,
        });
        blocks.collect()
    }
}
