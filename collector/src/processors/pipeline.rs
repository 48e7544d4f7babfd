//! What the processors of a pipeline mean for its receivers.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;

use super::{probabilistic_sampler::HeadSampler, tail_sampling::TailSampling};

/// What is done with spans on their way in.
#[derive(Debug, Clone, Default)]
pub struct Stages {
    /// Thins spans before the journal.
    pub head: Option<Arc<HeadSampler>>,
    /// Marks spans for tail sampling.
    pub tail: Option<Arc<TailSampling>>,
}

/// A receiver's stages. A reload replaces them while the receiver goes on; clones are one.
#[derive(Debug, Clone)]
pub struct Processing(Option<Arc<ArcSwap<Stages>>>);

impl Processing {
    /// For a receiver whose spans are only stored.
    pub const NONE: Self = Self(None);

    /// For a receiver whose stages may be replaced.
    pub fn new(stages: Stages) -> Self {
        Self(Some(Arc::new(ArcSwap::from_pointee(stages))))
    }

    /// From here on spans go through these.
    pub fn set(&self, stages: Stages) {
        if let Some(current) = &self.0 {
            current.store(Arc::new(stages));
        }
    }

    /// What spans go through now.
    pub fn current(&self) -> Arc<Stages> {
        static NONE: LazyLock<Arc<Stages>> = LazyLock::new(Arc::default);
        self.0.as_ref().map_or_else(|| NONE.clone(), |current| current.load_full())
    }
}
