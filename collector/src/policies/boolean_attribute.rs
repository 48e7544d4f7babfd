//! `boolean_attribute`: traces of which a span or its resource has this boolean.

use serde::Deserialize;

use super::{
    Plan, PlanError, Policy, PolicySettings,
    numeric_attribute::{AnySpan, check_key},
    predicates::{Predicate, ValueTest},
};

/// Which attribute, and its value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BooleanAttribute {
    key: String,
    #[serde(default)]
    value: bool,
    #[serde(default)]
    invert_match: bool,
}

impl PolicySettings for BooleanAttribute {
    fn check(&self) -> Result<(), String> {
        check_key(&self.key)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let test = ValueTest::Bool(self.value);
        let bits = plan.predicate(Predicate::Attribute(self.key.as_str().into(), test))?;
        Ok(Box::new(AnySpan { bits, invert: self.invert_match }))
    }
}
