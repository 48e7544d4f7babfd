//! `string_attribute`: traces of which a span or its resource has one of some strings.

use serde::Deserialize;

use super::{
    Plan, PlanError, Policy, PolicySettings,
    numeric_attribute::{AnySpan, check_key},
    predicates::{Predicate, ValueTest},
    text::{TextMatch, VALUES_MAX},
};

/// Which attribute, and its values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StringAttribute {
    key: String,
    values: Vec<String>,
    /// `values` are regular expressions.
    #[serde(default)]
    enabled_regex_matching: bool,
    /// Has no effect: expressions are compiled to an automaton that needs no cache of results.
    #[serde(default)]
    #[allow(dead_code, reason = "the Collector's key, read so that its value is checked")]
    cache_max_size: u64,
    #[serde(default)]
    invert_match: bool,
}

impl StringAttribute {
    fn text(&self) -> Result<TextMatch, String> {
        if self.enabled_regex_matching { TextMatch::regexes(&self.values) } else { Ok(TextMatch::exact(&self.values)) }
    }
}

impl PolicySettings for StringAttribute {
    fn check(&self) -> Result<(), String> {
        check_key(&self.key)?;
        if self.values.is_empty() || self.values.len() > VALUES_MAX {
            return Err(format!("values needs 1 to {VALUES_MAX} of them"));
        }
        self.text().map(drop)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let text = self.text().expect("checked when it was read");
        let bits = plan.predicate(Predicate::Attribute(self.key.as_str().into(), ValueTest::Text(text)))?;
        Ok(Box::new(AnySpan { bits, invert: self.invert_match }))
    }
}
