//! `ottl_condition`: traces of which a span, or an event of a span, fulfils a condition in OTTL's words.

use serde::Deserialize;

use super::{
    Plan, PlanError, Policy, PolicySettings, numeric_attribute::AnySpan, ottl::Condition, predicates::Predicate,
};

/// Most conditions of one policy.
const CONDITIONS_MAX: usize = 64;

/// The conditions; one that holds is enough.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OttlCondition {
    /// Has no effect: of what is understood here nothing can fail once it was read.
    #[serde(default)]
    #[allow(dead_code, reason = "the Collector's key, read so that its value is checked")]
    error_mode: ErrorMode,
    /// About spans.
    #[serde(default)]
    span: Vec<String>,
    /// About their events.
    #[serde(default)]
    spanevent: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ErrorMode {
    #[default]
    Propagate,
    Ignore,
    Silent,
}

impl OttlCondition {
    fn condition(&self) -> Result<Condition, String> {
        Condition::parse(&self.span, &self.spanevent)
    }
}

impl PolicySettings for OttlCondition {
    fn check(&self) -> Result<(), String> {
        let count = self.span.len() + self.spanevent.len();
        if count == 0 || count > CONDITIONS_MAX {
            return Err(format!("span and spanevent need 1 to {CONDITIONS_MAX} conditions together"));
        }
        self.condition().map(drop)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let condition = self.condition().expect("checked when it was read");
        Ok(Box::new(AnySpan { bits: plan.predicate(Predicate::Condition(condition))?, invert: false }))
    }
}
