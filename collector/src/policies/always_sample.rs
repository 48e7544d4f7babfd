//! `always_sample`: keeps every trace.

use serde::Deserialize;

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote};

/// No settings.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlwaysSample {}

impl PolicySettings for AlwaysSample {
    fn build(&self, _: &str, _: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(Always))
    }

    fn when_absent() -> Option<Self> {
        Some(Self {})
    }
}

#[derive(Debug)]
struct Always;

impl Policy for Always {
    fn vote(&mut self, _: &DueTrace<'_>, _: &mut Luck) -> Vote {
        Vote::Sampled
    }
}
