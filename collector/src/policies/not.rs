//! `not`: traces that its policy does not want.

use serde::Deserialize;

use super::{DueTrace, Luck, Named, Plan, PlanError, Policy, PolicyConfig, PolicySettings, Vote};

/// The policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Not {
    not_sub_policy: Box<PolicyConfig>,
}

impl PolicySettings for Not {
    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(Opposite { parts: plan.build_all(std::slice::from_ref(&*self.not_sub_policy))? }))
    }
}

#[derive(Debug)]
struct Opposite {
    /// One.
    parts: Vec<Named>,
}

impl Policy for Opposite {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        Vote::sampled_if(!self.parts.iter_mut().any(|part| part.policy.vote(trace, luck).is_yes()))
    }

    fn parts(&self) -> &[Named] {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut [Named] {
        &mut self.parts
    }
}
