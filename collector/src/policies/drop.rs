//! `drop`: traces that all of its policies want are dropped, whoever else wants them.

use serde::Deserialize;

use super::{Plan, PlanError, Policy, PolicyConfig, PolicySettings, Vote, and::All, config::policies};

/// The policies.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drop {
    #[serde(deserialize_with = "policies")]
    drop_sub_policy: Vec<PolicyConfig>,
}

impl PolicySettings for Drop {
    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(All { parts: plan.build_all(&self.drop_sub_policy)?, yes: Vote::Dropped }))
    }
}
