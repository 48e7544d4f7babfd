//! `and`: traces that all of its policies want.

use serde::Deserialize;

use super::{DueTrace, Luck, Named, Plan, PlanError, Policy, PolicyConfig, PolicySettings, Vote, config::policies};

/// The policies.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct And {
    #[serde(deserialize_with = "policies")]
    and_sub_policy: Vec<PolicyConfig>,
}

impl PolicySettings for And {
    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(All { parts: plan.build_all(&self.and_sub_policy)?, yes: Vote::Sampled }))
    }
}

/// A vote that takes the yes of every part. The first no ends it: what limits rates stands last, and uses up nothing.
#[derive(Debug)]
pub(super) struct All {
    pub(super) parts: Vec<Named>,
    pub(super) yes: Vote,
}

impl Policy for All {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        for part in &mut self.parts {
            if !part.policy.vote(trace, luck).is_yes() {
                return Vote::NotSampled;
            }
        }
        self.yes
    }

    fn parts(&self) -> &[Named] {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut [Named] {
        &mut self.parts
    }
}
