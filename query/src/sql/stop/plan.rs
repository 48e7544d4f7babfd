//! An operator whose every batch is preceded by a check.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::{Result, tree_node::TreeNodeRecursion},
    execution::{
        RecordBatchStream, SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions},
    },
};
use futures_util::Stream;

use super::Stop;

/// Its input, checked.
#[derive(Debug)]
pub(super) struct CheckedExec {
    input: Arc<dyn ExecutionPlan>,
    stop: Arc<Stop>,
    /// Whether the operator above keeps every batch and does not say so.
    held: bool,
}

impl CheckedExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, stop: Arc<Stop>) -> Self {
        Self { input, stop, held: false }
    }

    /// The same for an operator that keeps what it is given: its memory is counted here.
    pub(super) fn held(&self) -> Self {
        Self { input: Arc::clone(&self.input), stop: Arc::clone(&self.stop), held: true }
    }
}

impl DisplayAs for CheckedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_as(format, f)
    }
}

impl ExecutionPlan for CheckedExec {
    fn name(&self) -> &str {
        self.input.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    /// Those of what is checked: in `EXPLAIN ANALYZE` both are one line.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.input.children()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = Arc::clone(&self.input).replace_children(children, options)?;
        Ok(Arc::new(Self { input, stop: Arc::clone(&self.stop), held: self.held }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.stop.check()?;
        let consumer = || MemoryConsumer::new(format!("Held[{partition}]")).register(context.memory_pool());
        let held = self.held.then(consumer);
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(CheckedStream { input, stop: Arc::clone(&self.stop), held }))
    }

    fn metrics(&self) -> Option<datafusion::physical_plan::metrics::MetricsSet> {
        self.input.metrics()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.input.cardinality_effect()
    }
}

struct CheckedStream {
    input: SendableRecordBatchStream,
    stop: Arc<Stop>,
    held: Option<MemoryReservation>,
}

impl Stream for CheckedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.stop.check() {
            return Poll::Ready(Some(Err(error)));
        }
        // Yields once in a while, so that queries take turns on the threads.
        let turn = ready!(tokio::task::coop::poll_proceed(context));
        let batch = self.input.as_mut().poll_next(context);
        if batch.is_ready() {
            turn.made_progress();
        }
        if let (Some(held), Poll::Ready(Some(Ok(batch)))) = (&self.held, &batch)
            && let Err(error) = held.try_grow(batch.get_array_memory_size())
        {
            return Poll::Ready(Some(Err(error)));
        }
        batch
    }
}

impl RecordBatchStream for CheckedStream {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
