//! `tail_sampling`: decides on whole traces, by policies, when most of their spans have come.
//!
//! The store keeps the traces and asks; here is what it asks: marks for spans as they arrive, decisions for traces that are due.

mod config;
mod judge;
mod marker;
mod set;
mod state;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use weir_store::sampling::{Judge, Sampling, SamplingOptions, SpanMarker};

pub use self::config::{DecisionCache, SamplingStrategy, TailSamplingConfig};
use self::{judge::TailJudge, marker::Marker, set::SetConfig};
use crate::policies::{Plan, PlanError, Predicates};

/// The sets of policies of one configuration: the one that decides, and those that only would.
#[derive(Debug)]
pub struct TailSampling {
    generation: u32,
    options: SamplingOptions,
    /// The one that decides first.
    sets: Vec<SetConfig>,
    predicates: Arc<Predicates>,
    previous: Option<Arc<Predicates>>,
    is_retired: AtomicBool,
}

/// Why blocks cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TailSamplingError {
    /// Two that decide.
    #[error("{0} and {1} both decide; at most one tail_sampling block may be without `dry_run: true`")]
    TwoDecide(String, String),
    /// Their policies do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl TailSampling {
    /// Puts blocks together, by their ids in the configuration. `previous` is the one that this one follows.
    ///
    /// # Panics
    /// Without any block.
    pub fn new(blocks: &[(String, TailSamplingConfig)], previous: Option<&Self>) -> Result<Self, TailSamplingError> {
        let mut deciding = blocks.iter().filter(|(_, config)| !config.dry_run);
        let decides = deciding.next();
        if let (Some((first, _)), Some((second, _))) = (decides, deciding.next()) {
            return Err(TailSamplingError::TwoDecide(first.clone(), second.clone()));
        }
        let (_, bounds) = decides.or(blocks.first()).expect("at least one block");
        let mut sets = vec![decides.map_or_else(SetConfig::keep_all, |(id, config)| SetConfig::new(id, config))];
        sets.extend(blocks.iter().filter(|(_, config)| config.dry_run).map(|(id, config)| SetConfig::new(id, config)));
        let mut plan = Plan::default();
        set::build(&sets, &mut plan)?;
        Ok(Self {
            generation: previous.map_or(1, |previous| previous.generation.saturating_add(1)),
            options: bounds.options(),
            sets,
            predicates: Arc::new(Predicates::of_plan(plan)),
            previous: previous.map(|previous| previous.predicates.clone()),
            is_retired: AtomicBool::new(false),
        })
    }

    /// Whether spans that arrive are to be marked no more.
    pub fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }
}

impl Sampling for TailSampling {
    fn generation(&self) -> u32 {
        self.generation
    }

    fn options(&self) -> SamplingOptions {
        self.options.clone()
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(Marker::new(&self.predicates, self.previous.as_deref()))
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(TailJudge::new(&self.sets))
    }

    fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
