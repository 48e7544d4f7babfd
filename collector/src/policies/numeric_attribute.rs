//! `numeric_attribute`: traces of which a span or its resource has a number between two bounds.

use serde::Deserialize;

use super::{
    DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote,
    predicates::{Predicate, ValueTest},
};

/// Which attribute, and its bounds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumericAttribute {
    key: String,
    /// Left out: none.
    #[serde(default)]
    min_value: Option<i64>,
    /// Left out: none.
    #[serde(default)]
    max_value: Option<i64>,
    #[serde(default)]
    invert_match: bool,
}

impl PolicySettings for NumericAttribute {
    fn check(&self) -> Result<(), String> {
        check_key(&self.key)?;
        match (self.min_value, self.max_value) {
            (Some(min), Some(max)) if min > max => Err(format!("min_value {min} is above max_value {max}")),
            _ => Ok(()),
        }
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let test = ValueTest::Number(self.min_value, self.max_value);
        let bits = plan.predicate(Predicate::Attribute(self.key.as_str().into(), test))?;
        Ok(Box::new(AnySpan { bits, invert: self.invert_match }))
    }
}

/// An attribute's key must be something.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() { Err("key must not be empty".into()) } else { Ok(()) }
}

/// Votes by whether a predicate holds for any span of the trace.
#[derive(Debug)]
pub(super) struct AnySpan {
    pub(super) bits: u64,
    pub(super) invert: bool,
}

impl Policy for AnySpan {
    fn vote(&mut self, trace: &DueTrace<'_>, _: &mut Luck) -> Vote {
        Vote::matched(trace.has(self.bits), self.invert)
    }
}
