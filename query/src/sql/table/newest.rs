//! A rule: where only the newest rows of the table are wanted, its parts give no more than so many.

use std::sync::Arc;

use datafusion::{
    common::{
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions, coop::CooperativeExec, expressions::Column,
        projection::ProjectionExec, sorts::sort::SortExec,
    },
};

use super::exec::SpansExec;

/// Tells the table how many rows an `ORDER BY start_time DESC LIMIT n` wants.
#[derive(Debug)]
pub(super) struct NewestFirst;

impl PhysicalOptimizerRule for NewestFirst {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_down(|node| {
            let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(Transformed::no(node)) };
            let Some(newest) = sort.fetch() else { return Ok(Transformed::no(node)) };
            let first = sort.expr().first();
            let Some(column) = first.expr.downcast_ref::<Column>().filter(|_| first.options.descending) else {
                return Ok(Transformed::no(node));
            };
            match narrowed(sort.input(), column.index(), newest)? {
                Some(input) => Ok(Transformed::yes(with_input(&node, input)?)),
                None => Ok(Transformed::no(node)),
            }
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "newest_first"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same plan: what its input says of itself has not changed, and filters that the two share stay shared.
fn with_input(plan: &Arc<dyn ExecutionPlan>, input: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.clone().replace_children(vec![input], ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))
}

/// The plan with the table told, when nothing between changes which rows there are and the column at `index` is the start.
fn narrowed(plan: &Arc<dyn ExecutionPlan>, index: usize, newest: usize) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(spans) = plan.downcast_ref::<SpansExec>() {
        let is_start = spans.start_column() == Some(index);
        return Ok(is_start.then(|| Arc::new(spans.with_newest(newest)) as Arc<dyn ExecutionPlan>));
    }
    let index = if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        match projection.expr()[index].expr.downcast_ref::<Column>() {
            Some(column) => column.index(),
            None => return Ok(None),
        }
    } else if plan.is::<CooperativeExec>() {
        index
    } else {
        return Ok(None);
    };
    match narrowed(plan.children()[0], index, newest)? {
        Some(input) => Ok(Some(with_input(plan, input)?)),
        None => Ok(None),
    }
}
