//! After a restart: pending alerts go on where they were, and nothing ends for want of data.

use std::collections::BTreeMap;

use weir_proto::metrics::Labels;

use super::{Asks, GroupState, evaluate::Moment};
use crate::{
    alerting::{
        rules::{Asked, Query, Rule},
        state::{Alert, AlertState},
    },
    promql::syntax::ast::{Expr, Node},
};

/// The longest that samples have to be there again before an absent result counts.
const RANGE_MAX_MS: i64 = 10 * 60_000;

/// The range of languages whose queries do not say it here.
const RANGE_MS: i64 = 60_000;

impl GroupState {
    /// Takes in what happened between the last evaluation and this one, if that was a restart. Whether anything changed.
    pub(super) fn resume(&mut self, moment: &Moment<'_>) -> bool {
        let (Some(_), Some(last)) = (self.resumed_ms, self.last_slot_ms) else { return false };
        if last != self.before_ms {
            return false;
        }
        // Time down does not count; nor does a clock that was set back give any.
        let lost_ms = match moment.at_ms.saturating_sub(last) {
            passed if passed <= 0 => passed,
            passed => (passed - moment.interval_ms).max(0),
        };
        // So that this is done once.
        self.before_ms = self.before_ms.min(moment.at_ms.saturating_sub(1));
        self.move_pending(lost_ms)
    }

    /// The clock was set, by so many ms: what has begun goes on as if it always had been so.
    pub(crate) fn clock_moved(&mut self, by_ms: i64) {
        self.move_pending(by_ms);
        self.last_slot_ms = self.last_slot_ms.map(|last| last.saturating_add(by_ms));
        for alert in self.rules.iter_mut().flat_map(|rule| rule.alerts.values_mut()) {
            for time in [&mut alert.keep_firing_since, &mut alert.last_sent] {
                if *time != 0 {
                    *time = time.saturating_add(by_ms);
                }
            }
        }
    }

    fn move_pending(&mut self, by_ms: i64) -> bool {
        let mut is_changed = false;
        for alert in self.rules.iter_mut().flat_map(|rule| rule.alerts.values_mut()) {
            if alert.state == AlertState::Pending && by_ms != 0 {
                alert.active_at = alert.active_at.saturating_add(by_ms);
                is_changed = true;
            }
        }
        is_changed
    }
}

/// Whether what a rule does not find may be there: its selectors had no samples since the restart, or not for long enough.
pub(super) fn waits(
    group: &mut GroupState,
    moment: &Moment<'_>,
    number: usize,
    rule: &Rule,
    found: &BTreeMap<Labels, Alert>,
    asks: &mut dyn Asks,
) -> Result<bool, String> {
    let (resumed_ms, before_ms) = (group.resumed_ms, group.before_ms);
    let state = &mut group.rules[number];
    let Some(resumed_ms) = resumed_ms.filter(|_| state.is_waiting) else { return Ok(false) };
    if state.active().all(|alert| found.contains_key(&alert.labels)) {
        return Ok(false);
    }
    let long_ms = longest_range_ms(&rule.query).min(RANGE_MAX_MS);
    let again = asks.again(&rule.query, before_ms, resumed_ms, moment.sample_ms)?;
    state.is_waiting = again.is_none_or(|again| moment.sample_ms.saturating_sub(again) < long_ms);
    Ok(state.is_waiting)
}

/// How far back a query's selectors look for one result.
fn longest_range_ms(query: &Query) -> i64 {
    match &query.0 {
        Asked::PromQl(expr) => longest(expr),
        Asked::LogQl(_) | Asked::Sql(_) => RANGE_MS,
    }
}

fn longest(expr: &Expr) -> i64 {
    match &expr.node {
        Node::Number(_) | Node::Text(_) | Node::Selector(_) => 0,
        Node::Paren(inner) | Node::Unary { operand: inner, .. } => longest(inner),
        Node::Binary(binary) => longest(&binary.left).max(longest(&binary.right)),
        Node::Call(call) => call.arguments.iter().map(longest).max().unwrap_or(0),
        Node::Aggregate(aggregate) => longest(&aggregate.operand).max(aggregate.parameter.as_ref().map_or(0, longest)),
        Node::Range(range) => range.range.ms(),
        Node::Subquery(subquery) => subquery.range.ms().saturating_add(longest(&subquery.operand)),
    }
}
