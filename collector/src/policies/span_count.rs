//! `span_count`: traces with so many spans, bounds included.

use serde::Deserialize;

use super::{DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote};

/// Bounds.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SpanCount {
    min_spans: u32,
    /// 0: no bound.
    max_spans: u32,
}

impl PolicySettings for SpanCount {
    fn check(&self) -> Result<(), String> {
        if self.max_spans != 0 && self.max_spans < self.min_spans {
            return Err(format!("max_spans {} is below min_spans {}", self.max_spans, self.min_spans));
        }
        Ok(())
    }

    fn build(&self, _: &str, _: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let max = if self.max_spans == 0 { u32::MAX } else { self.max_spans };
        Ok(Box::new(Size { min: self.min_spans, max }))
    }
}

#[derive(Debug)]
struct Size {
    min: u32,
    max: u32,
}

impl Policy for Size {
    fn vote(&mut self, trace: &DueTrace<'_>, _: &mut Luck) -> Vote {
        Vote::sampled_if((self.min..=self.max).contains(&trace.account.spans))
    }
}
