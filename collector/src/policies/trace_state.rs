//! `trace_state`: traces of which a span's W3C tracestate has one of some values under a key.

use serde::Deserialize;

use super::{
    Plan, PlanError, Policy, PolicySettings,
    numeric_attribute::{AnySpan, check_key},
    predicates::Predicate,
    text::VALUES_MAX,
};

/// A key and its values together are shorter than this (W3C); longer values match nothing.
const ENTRY_BYTES_MAX: usize = 256;

/// Which entry, and its values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TraceState {
    key: String,
    values: Vec<String>,
}

impl PolicySettings for TraceState {
    fn check(&self) -> Result<(), String> {
        check_key(&self.key)?;
        if self.values.is_empty() || self.values.len() > VALUES_MAX {
            return Err(format!("values needs 1 to {VALUES_MAX} of them"));
        }
        Ok(())
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let mut values = self.values.clone();
        values.retain(|value| !value.is_empty() && self.key.len() + value.len() < ENTRY_BYTES_MAX);
        let bits = plan.predicate(Predicate::TraceState(self.key.as_str().into(), values))?;
        Ok(Box::new(AnySpan { bits, invert: false }))
    }
}

/// Whether the tracestate has one of `values` under `key`; the first entry with the key counts.
pub(super) fn has(trace_state: &[u8], key: &[u8], values: &[String]) -> bool {
    value(trace_state, key).is_some_and(|found| values.iter().any(|value| value.as_bytes() == found))
}

/// What the tracestate says under `key`.
pub(super) fn value<'a>(trace_state: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    trace_state.split(|byte| *byte == b',').find_map(|entry| entry.trim_ascii().strip_prefix(key)?.strip_prefix(b"="))
}
