//! Reads the parts of a scan, newest first, several at a time.

use std::{fmt, sync::Arc};

use datafusion::{
    arrow::{
        array::{RecordBatch, RecordBatchOptions},
        datatypes::{Schema, SchemaRef},
    },
    common::{Statistics, config::ConfigOptions, stats::Precision, tree_node::TreeNodeRecursion},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs, apply_expression_roots,
        execution_plan::{Boundedness, EmissionType},
        expressions::Column,
        filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown},
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet},
        projection::ProjectionExec,
        stream::RecordBatchStreamAdapter,
    },
};
use futures_util::stream;
use weir_proto::Signal;
use weir_store::{ReadBounds, Scan, ScanColumn, ScanPart};

use super::{
    access,
    columns::TableColumn,
    floor::start_floor_ns,
    parts::{PartReader, Queues, read_aside},
};

/// Objects of the archive that a plan names.
const OBJECTS_SHOWN: usize = 20;

/// The metric that counts what could not be read.
pub(in crate::sql) const PARTS_DAMAGED: &str = "parts_damaged";

/// Reads a planned scan.
#[derive(Debug, Clone)]
pub(super) struct SpansExec {
    scan: Scan,
    columns: Vec<(String, TableColumn)>,
    /// Where each column lies among the scan's.
    sources: Vec<usize>,
    limit: Option<usize>,
    /// Only so many newest rows are wanted.
    newest: Option<usize>,
    /// What a top-k above has learnt so far.
    learnt: Vec<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    queues: Arc<Queues>,
    metrics: ExecutionPlanMetricsSet,
}

impl SpansExec {
    /// A plan that gives these columns.
    pub(super) fn new(
        scan: Scan,
        columns: Vec<(String, TableColumn)>,
        partitions: usize,
        limit: Option<usize>,
    ) -> Self {
        let fields: Vec<_> = columns.iter().map(|(name, column)| column.field(name)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (scan, sources) = with_distinct_columns(&scan, &columns);
        Self {
            scan,
            columns,
            sources,
            limit,
            newest: None,
            learnt: Vec::new(),
            properties: Arc::new(properties),
            queues: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same rows in other columns.
    fn with_columns(&self, columns: Vec<(String, TableColumn)>) -> Self {
        let partitions = self.properties.partitioning.partition_count();
        let learnt = if self.start_column() == start_column(&columns) { self.learnt.clone() } else { Vec::new() };
        Self { newest: self.newest, learnt, ..Self::new(self.scan.clone(), columns, partitions, self.limit) }
    }

    /// The same, when only so many of the newest rows are wanted.
    pub(super) fn with_newest(&self, newest: usize) -> Self {
        Self { newest: Some(newest), ..self.clone() }
    }

    /// Its columns.
    pub(super) fn columns(&self) -> &[(String, TableColumn)] {
        &self.columns
    }

    /// Where the start is among the columns.
    pub(super) fn start_column(&self) -> Option<usize> {
        start_column(&self.columns)
    }

    /// Where each column lies among the scan's.
    pub(super) fn sources(&self) -> &[usize] {
        &self.sources
    }

    /// Reads the scan behind it.
    pub(super) fn parts(&self, of: (&Queues, usize), context: &TaskContext) -> PartReader {
        PartReader::new(&self.scan, &self.columns, of, context)
    }

    /// A plan's own metrics, and what its scan counts.
    pub(super) fn with_counts(&self, own: &ExecutionPlanMetricsSet) -> MetricsSet {
        let counts = self.scan.counts();
        let metrics = ExecutionPlanMetricsSet::new();
        let shown = [
            ("row_groups_read", counts.row_groups()),
            ("row_groups_pruned_by_bloom", counts.row_groups_by_bloom()),
            ("row_groups_without_match", counts.row_groups_by_values()),
            ("head_payloads_read", counts.head_payloads()),
            (PARTS_DAMAGED, counts.damaged()),
        ];
        for (name, count) in shown {
            MetricBuilder::new(&metrics).global_counter(name).add(count as usize);
        }
        let mut all = own.clone_inner();
        for metric in metrics.clone_inner().iter() {
            all.push(metric.clone());
        }
        all
    }

    /// Whether every row of the scan is wanted.
    pub(super) fn wants_all(&self) -> bool {
        self.limit.is_none() && self.newest.is_none() && self.learnt.is_empty()
    }

    /// The column that an expression reads, when it reads one as it is.
    fn column_of(&self, expr: &Arc<dyn PhysicalExpr>) -> Option<TableColumn> {
        let at = |index: usize| self.columns[index].1.clone();
        match expr.downcast_ref::<Column>() {
            Some(column) => Some(at(column.index())),
            None => access::accessed_physical(expr, &at),
        }
    }
}

/// The scan that reads these columns, each once, and where they lie in it.
fn with_distinct_columns(scan: &Scan, columns: &[(String, TableColumn)]) -> (Scan, Vec<usize>) {
    let mut distinct: Vec<ScanColumn> = Vec::new();
    let mut sources = Vec::new();
    for (_, column) in columns {
        let known = distinct.iter().position(|one| *one == column.scan);
        sources.push(known.unwrap_or(distinct.len()));
        if known.is_none() {
            distinct.push(column.scan.clone());
        }
    }
    (scan.with_columns(distinct), sources)
}

fn start_column(columns: &[(String, TableColumn)]) -> Option<usize> {
    columns.iter().position(|(_, column)| column.scan.is_place_in_time())
}

impl DisplayAs for SpansExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.scan.request().columns.iter().map(ScanColumn::name).collect();
        write!(f, "{}: columns=[{}], {}", self.name(), names.join(", "), self.scan.pruned())?;
        if !self.scan.request().filter.is_empty() {
            write!(f, ", filter={}", self.scan.request().filter)?;
        }
        let objects = self.scan.objects();
        if !objects.is_empty() {
            let shown = objects[..objects.len().min(OBJECTS_SHOWN)].join(", ");
            let more = if objects.len() > OBJECTS_SHOWN { ", …" } else { "" };
            write!(f, ", archive_objects={} [{shown}{more}]", objects.len())?;
        }
        if let Some(newest) = self.newest {
            write!(f, ", newest={newest}")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for SpansExec {
    fn name(&self) -> &'static str {
        match self.scan.signal() {
            Signal::Traces => "SpansExec",
            Signal::Logs => "LogsExec",
            Signal::Metrics => "SamplesExec",
        }
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
        apply_expression_roots(&self.learnt, visit)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reading = Reading {
            parts: self.parts((&self.queues, partition), &context),
            columns: self.columns.iter().map(|(_, column)| column.clone()).zip(self.sources.iter().copied()).collect(),
            schema: self.schema(),
            bounds: ReadBounds { start_min_ns: 0, newest: self.newest, rows_max: self.limit },
            learnt: self.learnt.clone(),
            start_column: self.start_column().unwrap_or_default(),
            limit: self.limit.unwrap_or(usize::MAX),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = stream::try_unfold(reading, Reading::next);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.with_counts(&self.metrics))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let rows: u64 = self.scan.parts().iter().map(ScanPart::rows_max).sum();
        // In the head lie dropped spans too; a segment has none.
        let all_sealed = !self.scan.parts().iter().any(ScanPart::is_head);
        let is_exact =
            all_sealed && self.scan.request().filter.is_empty() && self.wants_all() && !self.scan.is_partial();
        statistics.num_rows = match args.partition() {
            None if is_exact => Precision::Exact(rows as usize),
            None => Precision::Inexact(rows as usize),
            Some(_) => Precision::Absent,
        };
        Ok(Arc::new(statistics))
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut columns = Vec::new();
        for expr in projection.expr() {
            let Some(column) = self.column_of(&expr.expr) else { return Ok(None) };
            columns.push((expr.alias.clone(), column));
        }
        Ok(Some(Arc::new(self.with_columns(columns))))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let no =
            FilterPushdownPropagation::with_parent_pushdown_result(vec![PushedDown::No; result.parent_filters.len()]);
        if phase == FilterPushdownPhase::Pre || self.start_column().is_none() || result.parent_filters.is_empty() {
            return Ok(no);
        }
        // The rows are checked again above: what is learnt here only spares reading.
        let learnt = result.parent_filters.into_iter().map(|filter| filter.filter).collect();
        Ok(no.with_updated_node(Arc::new(Self { learnt, ..self.clone() }) as Arc<dyn ExecutionPlan>))
    }
}

/// One partition's reading.
struct Reading {
    parts: PartReader,
    /// Each with its place among the scan's.
    columns: Vec<(TableColumn, usize)>,
    schema: SchemaRef,
    bounds: ReadBounds,
    learnt: Vec<Arc<dyn PhysicalExpr>>,
    start_column: usize,
    limit: usize,
    metrics: BaselineMetrics,
}

impl Reading {
    /// The next batch that is not empty.
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        while self.limit > 0 {
            let mut begun = None;
            if !self.parts.has_pieces() {
                let Some(next) = self.parts.next() else { return Ok(None) };
                let floors = self.learnt.iter().map(|expr| start_floor_ns(expr, self.start_column));
                self.bounds.start_min_ns = floors.max().unwrap_or(0);
                // Newest first: what follows is older still.
                if self.parts.part(next).start_ns().1 < self.bounds.start_min_ns {
                    return Ok(None);
                }
                begun = Some(next);
            }
            let _turn = self.parts.turn().await;
            let (reading, batch) = read_aside(self, move |reading| reading.read(begun)).await?;
            self = reading;
            if batch.num_rows() > 0 {
                self.limit -= batch.num_rows();
                return Ok(Some((batch, self)));
            }
        }
        Ok(None)
    }

    /// The next rows of a part that begins, or of the one before; none when it has none.
    fn read(&mut self, begun: Option<usize>) -> Result<RecordBatch> {
        let _timer = self.metrics.elapsed_compute().timer();
        if let Some(part) = begun {
            self.parts.begin(part, &self.bounds);
        }
        let Some(rows) = self.parts.next_piece() else { return Ok(RecordBatch::new_empty(self.schema.clone())) };
        self.parts.hold(&rows)?;
        let rows = rows.slice(0, rows.num_rows().min(self.limit));
        self.metrics.output_rows().add(rows.num_rows());
        let arrays = self.columns.iter().map(|(column, source)| column.show(rows.column(*source)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays.collect::<Result<_>>()?, &options)?)
    }
}
