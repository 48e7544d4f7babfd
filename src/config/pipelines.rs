//! Which receivers are started, and which processors their spans pass through.

use std::collections::BTreeMap;

use serde_saphyr::Location;
use weir_collector::processors::tail_sampling::{TailSampling, TailSamplingConfig};

use super::{
    ConfigError, ProcessorConfig, ReceiverConfig,
    components::ProcessorBlock,
    env::Expanded,
    error::unknown,
    service::{Pipeline, PipelineId},
};

/// Processors, and the way of each receiver's spans through them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pipelines {
    /// The processors that any pipeline names, by id.
    pub(crate) blocks: BTreeMap<String, ProcessorConfig>,
    /// For each receiver that has any: ids of processors, in order.
    pub(crate) of_receiver: BTreeMap<String, Vec<String>>,
}

/// Where messages are about.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) expanded: &'a Expanded,
}

impl Place<'_> {
    pub(super) fn error(self, location: Location, message: impl Into<String>) -> ConfigError {
        ConfigError::at_location(self.file, self.expanded, location, message)
    }

    /// Line and column in the source.
    pub(super) fn position(self, location: Location) -> (u64, u64) {
        (location.line(), self.expanded.column_in_source(location.line(), location.column()))
    }
}

/// What is started, and what is written without any effect.
#[derive(Debug, Default)]
pub(super) struct Connected {
    pub(super) receivers: BTreeMap<String, ReceiverConfig>,
    pub(super) processors: Pipelines,
    /// With their places.
    pub(super) warnings: Vec<String>,
}

/// Connects receivers and processors as the pipelines say; without pipelines every receiver feeds every processor, in the order
/// written. What no pipeline names is not started, as in the Collector; processors among it are warned of.
pub(super) fn connect(
    mut receivers: BTreeMap<String, ReceiverConfig>,
    blocks: Vec<ProcessorBlock>,
    pipelines: Option<&BTreeMap<PipelineId, Pipeline>>,
    place: Place<'_>,
) -> Result<Connected, ConfigError> {
    let mut connected = Pipelines::default();
    let mut warnings = Vec::new();
    let Some(pipelines) = pipelines else {
        let all: Vec<(&str, Location)> = blocks.iter().map(|block| (block.id.as_str(), block.location)).collect();
        let ids = order(&all, &blocks, place)?;
        if !ids.is_empty() {
            connected.of_receiver = receivers.keys().map(|receiver| (receiver.clone(), ids.clone())).collect();
        }
        connected.blocks = used(blocks, &connected, place, &mut warnings)?;
        return Ok(Connected { receivers, processors: connected, warnings });
    };
    let mut started = BTreeMap::new();
    for pipeline in pipelines.values() {
        for name in &pipeline.receivers {
            if !receivers.contains_key(&name.value) && !started.contains_key(&name.value) {
                let known: Vec<&str> = receivers.keys().chain(started.keys()).map(String::as_str).collect();
                return Err(place.error(name.referenced, unknown("receiver", &name.value, &known)));
            }
        }
        let names: Vec<(&str, Location)> =
            pipeline.processors.iter().map(|name| (name.value.as_str(), name.referenced)).collect();
        let ids = order(&names, &blocks, place)?;
        if let Some(name) = pipeline.exporters.first() {
            return Err(place.error(name.referenced, unknown("exporter", &name.value, &[])));
        }
        for name in &pipeline.receivers {
            if let Some((id, config)) = receivers.remove_entry(&name.value) {
                started.insert(id.clone(), config);
                connected.of_receiver.insert(id, ids.clone());
            } else if connected.of_receiver.get(&name.value) != Some(&ids) {
                let message = format!(
                    "receiver `{}` is in two pipelines with different processors; its spans are kept once, so they can go \
                     one way only",
                    name.value
                );
                return Err(place.error(name.referenced, message));
            }
        }
    }
    connected.blocks = used(blocks, &connected, place, &mut warnings)?;
    connected.of_receiver.retain(|_, ids| !ids.is_empty());
    Ok(Connected { receivers: started, processors: connected, warnings })
}

/// Checks one pipeline's processors: they exist, and head sampling comes once, before tail sampling.
fn order(names: &[(&str, Location)], blocks: &[ProcessorBlock], place: Place<'_>) -> Result<Vec<String>, ConfigError> {
    let (mut head, mut tail) = (None, None);
    for (name, location) in names {
        let Some(block) = blocks.iter().find(|block| block.id == *name) else {
            let known: Vec<&str> = blocks.iter().map(|block| block.id.as_str()).collect();
            return Err(place.error(*location, unknown("processor", name, &known)));
        };
        if matches!(block.config, ProcessorConfig::TailSampling(_)) {
            tail = Some(name);
            continue;
        }
        if let Some(tail) = tail {
            let message = format!(
                "`{name}` after `{tail}`: spans are thinned before traces are decided, so it must stand before it"
            );
            return Err(place.error(*location, message));
        }
        if let Some(head) = head.replace(name) {
            let message = format!("`{head}` and `{name}` in one pipeline: a probabilistic_sampler can be there once");
            return Err(place.error(*location, message));
        }
    }
    Ok(names.iter().map(|(name, _)| (*name).to_owned()).collect())
}

/// The processors that spans pass through, after a look at whether their policies fit together. The others are warned of.
fn used(
    blocks: Vec<ProcessorBlock>,
    connected: &Pipelines,
    place: Place<'_>,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, ProcessorConfig>, ConfigError> {
    let mut used = BTreeMap::new();
    let mut tail = Vec::new();
    for block in blocks {
        if !connected.of_receiver.values().any(|ids| ids.contains(&block.id)) {
            let message = format!("processor `{}` has no effect: it is in no pipeline that a receiver feeds", block.id);
            warnings.push(place.error(block.location, message).to_string());
            continue;
        }
        if let ProcessorConfig::TailSampling(config) = &block.config {
            tail.push((block.id.clone(), (**config).clone()));
            // Found here, the error is about this block: without it all was well.
            TailSampling::new(&tail, None).map_err(|error| place.error(block.location, error.to_string()))?;
        }
        used.insert(block.id, block.config);
    }
    Ok(used)
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
