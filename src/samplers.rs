//! The samplers of a running weir: made from the configuration, replaced on SIGHUP.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use weir_collector::processors::{Processing, Stages, probabilistic_sampler::HeadSampler, tail_sampling::TailSampling};
use weir_store::{Store, sampling::Sampling};

use crate::config::{Pipelines, ProcessorConfig};

/// What samples now.
#[derive(Debug)]
pub(crate) struct Samplers {
    pipelines: Arc<Pipelines>,
    tail: Option<Arc<TailSampling>>,
    /// By receiver.
    processing: BTreeMap<String, Processing>,
    /// The last tail sampling that there was: generations go on from it.
    newest: Option<Arc<TailSampling>>,
}

impl Samplers {
    /// As configured.
    pub(crate) fn new<'a>(
        pipelines: Arc<Pipelines>,
        receivers: impl Iterator<Item = &'a String>,
    ) -> anyhow::Result<Self> {
        let tail = tail_sampling(&pipelines, None)?;
        let processing = receivers
            .map(|receiver| (receiver.clone(), Processing::new(stages(&pipelines, receiver, tail.as_ref()))))
            .collect();
        Ok(Self { pipelines, newest: tail.clone(), tail, processing })
    }

    /// What the store is to ask.
    pub(crate) fn tail(&self) -> Option<Arc<dyn Sampling>> {
        self.tail.clone().map(|tail| tail as Arc<dyn Sampling>)
    }

    /// What a receiver's spans go through.
    pub(crate) fn processing(&self, receiver: &str) -> Processing {
        self.processing.get(receiver).cloned().unwrap_or(Processing::NONE)
    }

    /// Takes on other processors, for spans that arrive and traces that begin from here on. Whether anything changed; after an
    /// error nothing has.
    pub(crate) async fn reload(&mut self, next: Arc<Pipelines>, store: &Store) -> anyhow::Result<bool> {
        if *next == *self.pipelines {
            return Ok(false);
        }
        let tail = if next.tail_sampling() == self.pipelines.tail_sampling() {
            self.tail.clone()
        } else {
            let tail = tail_sampling(&next, self.newest.as_deref())?;
            let asked = tail.clone().map(|tail| tail as Arc<dyn Sampling>);
            // The store first: it must know a generation before the first frame that has it.
            store.set_sampling(asked).await.context("cannot change tail sampling")?;
            tail
        };
        for (receiver, processing) in &self.processing {
            let mut stages = stages(&next, receiver, tail.as_ref());
            if tail.is_none() {
                // Traces that have begun get their last spans; then it retires.
                stages.tail = processing.current().tail.clone();
            }
            processing.set(stages);
        }
        self.newest = tail.clone().or(self.newest.take());
        self.tail = tail;
        self.pipelines = next;
        Ok(true)
    }
}

fn tail_sampling(pipelines: &Pipelines, previous: Option<&TailSampling>) -> anyhow::Result<Option<Arc<TailSampling>>> {
    let blocks = pipelines.tail_sampling();
    if blocks.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(TailSampling::new(&blocks, previous)?)))
}

/// The processors of a receiver's pipeline; none when no pipeline has it any more.
fn stages(pipelines: &Pipelines, receiver: &str, tail: Option<&Arc<TailSampling>>) -> Stages {
    let mut stages = Stages::default();
    for id in pipelines.of_receiver.get(receiver).into_iter().flatten() {
        match pipelines.blocks.get(id) {
            Some(ProcessorConfig::ProbabilisticSampler(config)) => {
                stages.head = Some(Arc::new(HeadSampler::new(config)));
            }
            Some(ProcessorConfig::TailSampling(_)) => stages.tail = tail.cloned(),
            None => {}
        }
    }
    stages
}
