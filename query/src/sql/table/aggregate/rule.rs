//! Where the first stage of a grouping reads the table itself, and groups by columns that have codes, another plan takes its place.

use std::sync::Arc;

use datafusion::{
    common::{
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateMode},
        coop::CooperativeExec,
        expressions::Column,
    },
};

use super::exec::GroupSpansExec;
use crate::sql::table::exec::SpansExec;

/// Replaces the first stage of a grouping.
#[derive(Debug)]
pub(in crate::sql::table) struct GroupByCodes;

impl PhysicalOptimizerRule for GroupByCodes {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_down(|node| {
            let replaced = node.downcast_ref::<AggregateExec>().and_then(replacement);
            Ok(replaced.map_or(Transformed::no(node), Transformed::yes))
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "group_by_codes"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn replacement(aggregate: &AggregateExec) -> Option<Arc<dyn ExecutionPlan>> {
    let groups = aggregate.group_expr();
    let is_plain = *aggregate.mode() == AggregateMode::Partial
        && groups.is_single()
        && !groups.is_empty()
        && aggregate.limit_options().is_none()
        && aggregate.aggr_expr().iter().all(|function| {
            function.groups_accumulator_supported() && function.order_bys().is_empty() && !function.is_distinct()
        });
    let input = match aggregate.input().downcast_ref::<CooperativeExec>() {
        Some(cooperative) => cooperative.children()[0],
        None => aggregate.input(),
    };
    let spans = input.downcast_ref::<SpansExec>().filter(|spans| is_plain && spans.wants_all())?;
    let mut columns = Vec::new();
    for (expr, _) in groups.expr() {
        let index = expr.downcast_ref::<Column>()?.index();
        columns.push(index);
        if !spans.columns()[index].1.has_codes() {
            return None;
        }
    }
    Some(Arc::new(GroupSpansExec::new(spans.clone(), aggregate, columns)))
}
