//! Fills in what a query leaves to its times, and finds what is the same at all of them.

use super::Times;
use crate::promql::syntax::{
    ast::{At, Expr, Length, Node, Selector, Shift},
    duration::{self, QueryTimes},
};

/// Resolves `start()`, `end()` and computed durations, sorts groupings, and marks what does not depend on time.
pub(super) fn prepare(expr: &mut Expr, times: Times, query: QueryTimes) -> Result<(), String> {
    Preparation { times, query, counts: false, needs_buckets: false }.prepare(expr)
}

#[derive(Clone, Copy)]
struct Preparation {
    times: Times,
    query: QueryTimes,
    /// Whether only counts and sums of histograms are asked for.
    counts: bool,
    needs_buckets: bool,
}

impl Preparation {
    fn prepare(&self, expr: &mut Expr) -> Result<(), String> {
        expr.is_fixed = match &mut expr.node {
            Node::Number(_) | Node::Text(_) => true,
            Node::Paren(inner) | Node::Unary { operand: inner, .. } => self.all(std::slice::from_mut(&mut **inner))?,
            Node::Binary(binary) => {
                binary.matching.labels.sort();
                binary.matching.labels.dedup();
                self.prepare(&mut binary.left)?;
                self.prepare(&mut binary.right)?;
                binary.left.is_fixed && binary.right.is_fixed
            }
            Node::Call(call) => {
                let are_fixed = self.within(call.function.name).all(&mut call.arguments)?;
                are_fixed && !call.function.depends_on_time()
            }
            Node::Aggregate(aggregate) => {
                aggregate.grouping.sort();
                aggregate.grouping.dedup();
                let mut is_fixed = true;
                if let Some(parameter) = &mut aggregate.parameter {
                    self.prepare(parameter)?;
                    is_fixed = parameter.is_fixed;
                }
                self.prepare(&mut aggregate.operand)?;
                is_fixed && aggregate.operand.is_fixed
            }
            Node::Selector(selector) => self.selector(selector)?,
            Node::Range(range) => {
                range.range = self.length(&range.range, false)?;
                self.selector(&mut range.selector)?
            }
            Node::Subquery(subquery) => {
                Self { needs_buckets: true, ..*self }.prepare(&mut subquery.operand)?;
                self.shift(&mut subquery.shift)?;
                subquery.range = self.length(&subquery.range, false)?;
                if let Some(step) = &mut subquery.step {
                    *step = self.length(step, false)?;
                }
                subquery.shift.at.is_some()
            }
        };
        Ok(())
    }

    fn within(self, function: &str) -> Self {
        match function {
            "histogram_count" | "histogram_sum" | "histogram_avg" => Self { counts: true, ..self },
            "histogram_quantile" | "histogram_fraction" => Self { needs_buckets: true, ..self },
            _ => self,
        }
    }

    fn all(&self, exprs: &mut [Expr]) -> Result<bool, String> {
        let mut are_fixed = true;
        for expr in exprs {
            self.prepare(expr)?;
            are_fixed &= expr.is_fixed;
        }
        Ok(are_fixed)
    }

    fn selector(&self, selector: &mut Selector) -> Result<bool, String> {
        self.shift(&mut selector.shift)?;
        selector.finds_resets = self.counts && !self.needs_buckets;
        Ok(selector.shift.at.is_some())
    }

    fn shift(&self, shift: &mut Shift) -> Result<(), String> {
        match shift.at {
            Some(At::Start) => shift.at = Some(At::Time(self.times.start_ms)),
            Some(At::End) => shift.at = Some(At::Time(self.times.end_ms)),
            Some(At::Time(_)) | None => {}
        }
        if let Some(offset) = &mut shift.offset {
            *offset = self.length(offset, true)?;
        }
        Ok(())
    }

    fn length(&self, length: &Length, may_be_negative: bool) -> Result<Length, String> {
        duration::known(length, self.query, may_be_negative).map(Length::Known)
    }
}

/// So far from 1970 that nothing was sampled there, and near enough to calculate with.
const FAR_MS: i64 = 1 << 60;

impl Shift {
    /// The time that is looked at when one is asked for.
    pub(super) fn apply(&self, time_ms: i64) -> i64 {
        let at = match self.at {
            Some(At::Time(at)) => at,
            _ => time_ms,
        };
        at.saturating_sub(self.offset.as_ref().map_or(0, Length::ms)).clamp(-FAR_MS, FAR_MS)
    }
}
