//! `trace_flags`: traces of which a span carries W3C's sampled flag.

use serde::Deserialize;

use super::{Plan, PlanError, Policy, PolicySettings, numeric_attribute::AnySpan, predicates::Predicate};

/// No settings.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TraceFlags {}

impl PolicySettings for TraceFlags {
    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        Ok(Box::new(AnySpan { bits: plan.predicate(Predicate::SampledFlag)?, invert: false }))
    }

    fn when_absent() -> Option<Self> {
        Some(Self {})
    }
}
