//! Reads parts of the table and groups their rows by code; gives what the first stage of a grouping gives: partial states.

use std::{fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, BooleanArray, NullArray, RecordBatch, RecordBatchOptions},
        datatypes::{DataType, Field, Schema, SchemaRef},
    },
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::{
        SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    logical_expr::{EmitTo, GroupsAccumulator},
    physical_expr::{PhysicalExpr, aggregate::AggregateFunctionExpr, utils::collect_columns},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        aggregates::AggregateExec,
        apply_expression_roots,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        stream::RecordBatchStreamAdapter,
    },
};
use futures_util::stream;
use weir_store::ReadBounds;

use super::groups::Groups;
use crate::sql::table::{
    columns::TableColumn,
    exec::SpansExec,
    parts::{PartReader, Queues, read_aside},
};

/// The first stage of a grouping, on the table itself.
#[derive(Debug, Clone)]
pub(super) struct GroupSpansExec {
    spans: SpansExec,
    /// Indexes of the columns to group by.
    groups: Vec<usize>,
    functions: Vec<Arc<AggregateFunctionExpr>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    properties: Arc<PlanProperties>,
    queues: Arc<Queues>,
    metrics: ExecutionPlanMetricsSet,
}

impl GroupSpansExec {
    /// Takes the place of `aggregate`, which reads `spans`.
    pub(super) fn new(spans: SpansExec, aggregate: &AggregateExec, groups: Vec<usize>) -> Self {
        Self {
            spans,
            groups,
            functions: aggregate.aggr_expr().to_vec(),
            filters: aggregate.filter_expr().to_vec(),
            properties: aggregate.properties().clone(),
            queues: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for GroupSpansExec {
    fn fmt_as(&self, how: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |index: &usize| self.spans.columns()[*index].0.clone();
        let groups: Vec<String> = self.groups.iter().map(name).collect();
        let functions: Vec<&str> = self.functions.iter().map(|function| function.name()).collect();
        write!(f, "GroupSpansExec: by codes of [{}], aggr=[{}], ", groups.join(", "), functions.join(", "))?;
        self.spans.fmt_as(how, f)
    }
}

impl ExecutionPlan for GroupSpansExec {
    fn name(&self) -> &'static str {
        "GroupSpansExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.filters.iter().flatten(), visit)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let columns = self.spans.columns();
        let mut arguments = Vec::new();
        let mut accumulators = Vec::new();
        for function in &self.functions {
            arguments.push(function.expressions());
            accumulators.push(function.create_groups_accumulator()?);
        }
        let used = arguments.iter().flatten().chain(self.filters.iter().flatten()).flat_map(collect_columns);
        let mut is_shown = vec![false; columns.len()];
        used.for_each(|column| is_shown[column.index()] = true);
        let grouping = Grouping {
            parts: self.spans.parts((&self.queues, partition), &context),
            columns: columns
                .iter()
                .map(|(_, column)| column.clone())
                .zip(self.spans.sources().iter().copied())
                .collect(),
            is_shown,
            by: self.groups.clone(),
            arguments,
            filters: self.filters.clone(),
            accumulators,
            groups: Groups::default(),
            numbers: Vec::new(),
            schema: self.schema(),
            memory: MemoryConsumer::new("GroupSpansExec").register(context.memory_pool()),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = stream::try_unfold(Some(grouping), |grouping| async move {
            let Some(grouping) = grouping else { return Ok(None) };
            grouping.next().await
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.spans.with_counts(&self.metrics))
    }
}

/// One partition's work.
struct Grouping {
    parts: PartReader,
    /// Each with its place among the scan's.
    columns: Vec<(TableColumn, usize)>,
    /// Whether a function or filter looks at the column.
    is_shown: Vec<bool>,
    by: Vec<usize>,
    arguments: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    groups: Groups,
    numbers: Vec<usize>,
    schema: SchemaRef,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

impl Grouping {
    /// The states of all groups; those so far, when there is no memory for more.
    async fn next(mut self) -> Result<Option<(RecordBatch, Option<Self>)>> {
        loop {
            let Some(part) = self.parts.next() else {
                let batch = if self.groups.len() > 0 { Some((self.take_states()?, None)) } else { None };
                return Ok(batch);
            };
            let _turn = self.parts.turn().await;
            let (grouping, fits) = read_aside(self, move |grouping| {
                let rows_fit = grouping.add(part)?;
                let bytes = grouping.accumulators.iter().map(|accumulator| accumulator.size()).sum::<usize>();
                Ok(grouping.memory.try_resize(bytes + grouping.groups.memory_bytes()).is_ok() && rows_fit)
            })
            .await?;
            self = grouping;
            if !fits && self.groups.len() > 0 {
                let batch = self.take_states()?;
                self.memory.free();
                return Ok(Some((batch, Some(self))));
            }
        }
    }

    /// Whether there is memory for its rows beside the groups.
    fn add(&mut self, part: usize) -> Result<bool> {
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let rows = self.parts.read(part, &ReadBounds::default());
        if rows.num_rows() == 0 {
            return Ok(true);
        }
        let held = self.parts.hold(&rows);
        let fits = held.is_ok();
        if self.groups.len() == 0 {
            // There is nothing that could be let go for them.
            held?;
        }
        let keys: Vec<&ArrayRef> = self.by.iter().map(|&at| rows.column(self.columns[at].1)).collect();
        self.groups.number(&keys, &mut self.numbers);
        let shown = self.show(&rows)?;
        for (at, accumulator) in self.accumulators.iter_mut().enumerate() {
            let values =
                self.arguments[at].iter().map(|argument| argument.evaluate(&shown)?.into_array(rows.num_rows()));
            let values = values.collect::<Result<Vec<_>>>()?;
            let filter = self.filters[at].as_ref();
            let filter = filter.map(|filter| filter.evaluate(&shown)?.into_array(rows.num_rows())).transpose()?;
            let filter: Option<&BooleanArray> = filter.as_ref().map(|filter| filter.as_boolean());
            accumulator.update_batch(&values, &self.numbers, filter, self.groups.len())?;
        }
        Ok(fits)
    }

    /// The columns that functions look at, as SQL shows them, each at its index.
    fn show(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (at, (column, source)) in self.columns.iter().enumerate() {
            if self.is_shown[at] {
                fields.push(column.field("shown"));
                arrays.push(column.show(rows.column(*source))?);
            } else {
                fields.push(Field::new("unused", DataType::Null, true));
                arrays.push(Arc::new(NullArray::new(rows.num_rows())));
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }

    fn take_states(&mut self) -> Result<RecordBatch> {
        let by: Vec<TableColumn> = self.by.iter().map(|&at| self.columns[at].0.clone()).collect();
        let mut arrays = self.groups.take(&by)?;
        for accumulator in &mut self.accumulators {
            arrays.extend(accumulator.state(EmitTo::All)?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        self.metrics.output_rows().add(batch.num_rows());
        Ok(batch)
    }
}
