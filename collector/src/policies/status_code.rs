//! `status_code`: traces of which a span has one of these status codes.

use serde::Deserialize;

use super::{Plan, PlanError, Policy, PolicySettings, numeric_attribute::AnySpan, predicates::Predicate};

/// Which codes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusCode {
    status_codes: Vec<Code>,
}

/// As the Collector writes them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Code {
    Unset = 0,
    Ok = 1,
    Error = 2,
}

impl PolicySettings for StatusCode {
    fn check(&self) -> Result<(), String> {
        if self.status_codes.is_empty() {
            Err("status_codes needs at least one of OK, ERROR, UNSET".into())
        } else {
            Ok(())
        }
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let codes = self.status_codes.iter().fold(0, |codes, code| codes | 1 << *code as u8);
        Ok(Box::new(AnySpan { bits: plan.predicate(Predicate::Status(codes))?, invert: false }))
    }
}
