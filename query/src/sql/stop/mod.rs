//! Ends a query that is late or not wanted any more, wherever it is.
//!
//! DataFusion's sources yield to the scheduler, and a query that yields can be dropped. But a join may turn one batch of its
//! source into a million, or into none after a billion comparisons, before it yields. So every operator's batches, and every
//! comparison of a join, are preceded by a look at the clock.

mod filter;
mod plan;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode},
    },
    error::DataFusionError,
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
        windows::{BoundedWindowAggExec, WindowAggExec},
    },
};

use weir_store::Unread;

use self::{filter::CheckedFilter, plan::CheckedExec};
use super::error::SqlError;

/// When a query has to end.
#[derive(Debug)]
pub(crate) struct Stop {
    deadline: Instant,
    gone: AtomicBool,
    /// What its tables could not read.
    missing: OnceLock<Unread>,
}

impl Stop {
    pub(crate) fn at(deadline: Instant) -> Arc<Self> {
        Arc::new(Self { deadline, gone: AtomicBool::new(false), missing: OnceLock::new() })
    }

    /// Nobody waits for the answer any more.
    pub(super) fn now(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Its tables are of a snapshot that collects here what cannot be read.
    pub(crate) fn lacks(&self, missing: Unread) {
        // The tables of a query are opened once.
        let _ = self.missing.set(missing);
    }

    /// What could not be read so far: a sentence for each segment.
    pub(super) fn missing(&self) -> Vec<String> {
        self.missing.get().map(Unread::told).unwrap_or_default()
    }

    /// An error when the query has to end.
    pub(super) fn check(&self) -> Result<()> {
        let why = if self.gone.load(Ordering::Relaxed) {
            SqlError::Gone
        } else if Instant::now() >= self.deadline {
            SqlError::TimedOut
        } else {
            return Ok(());
        };
        Err(DataFusionError::External(Box::new(why)))
    }
}

/// The same plan, with a look at `stop` before every batch and every comparison of a join.
pub(super) fn checked(plan: Arc<dyn ExecutionPlan>, stop: &Arc<Stop>) -> Result<Arc<dyn ExecutionPlan>> {
    let checked = plan.transform_up(|plan| {
        let plan = with_held_input(with_checked_filter(plan, stop)?)?;
        Ok(Transformed::yes(Arc::new(CheckedExec::new(plan, Arc::clone(stop))) as Arc<dyn ExecutionPlan>))
    });
    Ok(checked?.data)
}

/// A window over more than what came just before keeps its input without counting it.
fn with_held_input(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let keeps = plan.is::<WindowAggExec>()
        || plan.downcast_ref::<BoundedWindowAggExec>().is_some_and(|window| {
            window.window_expr().iter().any(|expr| !expr.get_window_frame().start_bound.is_unbounded())
        });
    let input = plan.children().first().and_then(|input| input.downcast_ref::<CheckedExec>()).map(CheckedExec::held);
    match input {
        Some(input) if keeps => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            plan.replace_children(vec![Arc::new(input)], options)
        }
        _ => Ok(plan),
    }
}

fn with_checked_filter(plan: Arc<dyn ExecutionPlan>, stop: &Arc<Stop>) -> Result<Arc<dyn ExecutionPlan>> {
    let checked = |filter: &JoinFilter| {
        let expression = CheckedFilter::new(Arc::clone(filter.expression()), Arc::clone(stop));
        JoinFilter::new(Arc::new(expression), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    };
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(checked(filter))).build()?;
        return Ok(Arc::new(join));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        return join.builder().with_filter(Some(checked(filter))).build_exec();
    }
    Ok(plan)
}
