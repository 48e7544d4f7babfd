//! Runs queries on threads of their own, below everything else in priority, until they are done, late, or not wanted any more.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::{Result as DataFusionResult, config::ConfigNonZeroUsize},
    execution::{SendableRecordBatchStream, SessionState, context::SQLOptions},
    logical_expr::LogicalPlan,
    physical_plan::{EmptyRecordBatchStream, ExecutionPlan, execute_stream},
    sql::{parser::Statement as AnyStatement, sqlparser::ast::Statement},
};
use futures_util::StreamExt;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::mpsc,
};

use super::{
    config::SqlConfig,
    encoding::Encoding,
    error::SqlError,
    guard, places, session,
    stop::{self, Stop},
    table::{PARTS_DAMAGED, Readers, Tables},
};

/// The stack of every thread that a query is parsed, planned or run on. Only what is used takes memory. Tests make do with a
/// quarter, so that what they let through fits with room to spare.
pub(super) const STACK_BYTES: usize = if cfg!(test) { 16 << 20 } else { 64 << 20 };

/// Threads for reading files and planning.
const BLOCKING_THREADS_MAX: usize = 64;

/// Bytes of an answer that are handed over at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait for the client.
const CHUNKS_WAITING_MAX: usize = 4;

/// Rows that joins on disk sort at a time.
const SORTED_ROWS: usize = 1024;

/// How much further down than receiving, as `nice` counts.
const NICE: i32 = 10;

/// Where queries run.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Only `None` while being dropped.
    runtime: Option<Runtime>,
    limits: SqlConfig,
    spill_folder: PathBuf,
    readers: Arc<Readers>,
}

/// Opens tables whose planning ends when the query has to.
pub(crate) type OpenTables = Box<dyn FnOnce(&Arc<Stop>) -> Tables + Send>;

/// One question.
pub(crate) struct Query {
    /// The SQL.
    pub(crate) text: String,
    /// The tables; called where blocking is allowed.
    pub(crate) tables: OpenTables,
    /// What `now()` is, Unix ns; without it the time at which it is planned.
    pub(crate) now_ns: Option<u64>,
    /// When to stop.
    pub(crate) deadline: Instant,
    /// How rows are written.
    pub(crate) encoding: Box<dyn Encoding>,
}

/// A piece of an answer.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// Set in the last one.
    pub(crate) ended: Option<Ended>,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With its last row.
    Whole,
    /// Before, and it says why.
    Cut,
}

/// An answer, chunk by chunk. An error before the first chunk: there is no answer. Later, or an end without a last chunk: what
/// came before is not whole. Dropping it stops the query.
#[derive(Debug)]
pub(crate) struct RunningQuery {
    pub(crate) chunks: mpsc::Receiver<Result<Chunk, SqlError>>,
    stop: Arc<Stop>,
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.stop.now();
    }
}

impl Engine {
    /// Starts the threads. What does not fit into memory goes to `spill_folder`, which is emptied.
    pub(crate) fn start(limits: SqlConfig, spill_folder: &Path) -> io::Result<Self> {
        let spill_folder = places::emptied(spill_folder).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot empty {} for SQL queries: {error}", spill_folder.display()))
        })?;
        let runtime = Builder::new_multi_thread()
            .thread_name("weir-sql")
            .worker_threads(limits.threads_max.get())
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(lower_priority)
            .enable_time()
            .build()?;
        let readers = Arc::new(Readers::new(limits.threads_max.get()));
        Ok(Self { runtime: Some(runtime), limits, spill_folder, readers })
    }

    /// Starts a query. `held` is dropped when nothing of it runs any more.
    pub(crate) fn ask(&self, query: Query, held: impl Send + 'static) -> RunningQuery {
        // And the last one, for which there is always room.
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING_MAX + 1);
        let stop = Stop::at(query.deadline);
        let answer = RunningQuery { chunks, stop: Arc::clone(&stop) };
        let handle = self.runtime.as_ref().expect("only dropping takes it").handle().clone();
        let (limits, spill_folder, readers) = (self.limits.clone(), self.spill_folder.clone(), self.readers.clone());
        let planning = handle.clone();
        handle.spawn_blocking(move || {
            let Query { text, tables, now_ns, deadline, encoding } = query;
            if sender.is_closed() {
                return;
            }
            match plan(&planning, (&text, now_ns), &limits, (spill_folder, &readers), tables, &stop) {
                Ok(Planned { plan, stream, anew }) => {
                    let Ok(last) = sender.clone().try_reserve_owned() else { return };
                    let rows_left = limits.rows_max.get();
                    let writer = Writer {
                        plan,
                        stop: Arc::clone(&stop),
                        stream,
                        anew: Some(anew),
                        encoding,
                        deadline,
                        sender,
                        last,
                        rows_left,
                        limits,
                        bytes: Vec::new(),
                        begun: false,
                    };
                    planning.spawn(async move {
                        writer.run().await;
                        drop(held);
                    });
                }
                // Nobody to tell is fine.
                Err(error) => drop(sender.blocking_send(Err(error))),
            }
        });
        answer
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // An operator that does not come to its end must not hold the process back.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A plan, and its rows, for which nothing has been read yet.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    stream: SendableRecordBatchStream,
    anew: Anew,
}

/// What is needed to plan the query once more.
struct Anew {
    state: SessionState,
    logical: LogicalPlan,
}

impl Anew {
    async fn plan(self, stop: &Arc<Stop>) -> DataFusionResult<Planned> {
        let physical = self.state.create_physical_plan(&self.logical).await?;
        stop.check()?;
        let plan = stop::checked(physical, stop)?;
        let stream = execute_stream(Arc::clone(&plan), self.state.task_ctx())?;
        Ok(Planned { plan, stream, anew: self })
    }

    /// Joins that sort both sides, which may go to disk, in place of those that keep one side in memory: slower, and as large as
    /// the disk is. In small batches: sorts share the memory equally with whatever passes rows on, and each needs room for one.
    fn with_joins_on_disk(mut self) -> DataFusionResult<Self> {
        let options = self.state.config_mut().options_mut();
        options.optimizer.prefer_hash_join = false;
        options.execution.batch_size = ConfigNonZeroUsize::try_new(SORTED_ROWS)?;
        Ok(self)
    }
}

/// Text to a plan.
fn plan(
    handle: &Handle,
    (text, now_ns): (&str, Option<u64>),
    limits: &SqlConfig,
    (spill_folder, readers): (PathBuf, &Arc<Readers>),
    tables: OpenTables,
    stop: &Arc<Stop>,
) -> Result<Planned, SqlError> {
    let mut statement = guard::admit(text)?;
    stop.check()?;
    let context = session::open(limits, spill_folder, readers, tables(stop))?;
    session::resolve(&context, &mut statement)?;
    Ok(handle.block_on(prepare(&context, statement, now_ns, stop))?)
}

async fn prepare(
    context: &datafusion::prelude::SessionContext,
    statement: Statement,
    now_ns: Option<u64>,
    stop: &Arc<Stop>,
) -> DataFusionResult<Planned> {
    let mut state = context.state();
    if let Some(now_ns) = now_ns {
        let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(now_ns);
        state.execution_props_mut().query_execution_start_time = Some(now.into());
    }
    let logical = state.statement_to_plan(AnyStatement::Statement(Box::new(statement))).await?;
    stop.check()?;
    // The guard let nothing else through; this is the second lock.
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&logical)?;
    Anew { state, logical }.plan(stop).await
}

/// Turns rows into chunks.
struct Writer {
    /// Knows at the end what could not be read.
    plan: Arc<dyn ExecutionPlan>,
    /// Knows what that was.
    stop: Arc<Stop>,
    stream: SendableRecordBatchStream,
    /// Until it was planned once more, or rows came.
    anew: Option<Anew>,
    encoding: Box<dyn Encoding>,
    deadline: Instant,
    sender: mpsc::Sender<Result<Chunk, SqlError>>,
    /// Room for the last chunk, however slow the client is.
    last: mpsc::OwnedPermit<Result<Chunk, SqlError>>,
    rows_left: usize,
    limits: SqlConfig,
    bytes: Vec<u8>,
    /// Whether a chunk was handed over: from then on the status is out.
    begun: bool,
}

impl Writer {
    async fn run(mut self) {
        let cut = self.write().await.err();
        if matches!(cut, Some(SqlError::Gone)) {
            return;
        }
        let last = match cut {
            Some(error) if !self.begun && !error.is_remark() => Err(error),
            cut => {
                let ended = if cut.is_some() { Ended::Cut } else { Ended::Whole };
                let bytes = std::mem::take(&mut self.bytes);
                self.encoding.end(bytes, cut).map(|bytes| Chunk { bytes, ended: Some(ended) })
            }
        };
        self.last.send(last);
    }

    async fn write(&mut self) -> Result<(), SqlError> {
        let schema = self.stream.schema();
        self.begin(&schema)?;
        while let Some(batch) = self.next_or_anew().await? {
            let rows = batch.num_rows().min(self.rows_left);
            let shown = batch.slice(0, rows);
            let mut row = 0;
            while row < rows {
                row = self.encoding.rows(&shown, row, CHUNK_BYTES, &mut self.bytes)?;
                if self.bytes.len() >= CHUNK_BYTES {
                    self.hand_over().await?;
                }
            }
            self.rows_left -= rows;
            if rows < batch.num_rows() {
                return Err(SqlError::TooManyRows(self.limits.rows_max.get()));
            }
        }
        match parts_damaged(self.plan.as_ref()) {
            0 => Ok(()),
            parts => {
                let what = self.stop.missing().iter().map(|missing| format!("; {missing}")).collect();
                Err(SqlError::Damaged(parts, what))
            }
        }
    }

    fn begin(&mut self, schema: &SchemaRef) -> Result<(), SqlError> {
        self.encoding.begin(schema, &mut self.bytes)
    }

    /// The next rows. When a join does not fit into memory before the first, the query begins again with joins that go to disk.
    async fn next_or_anew(&mut self) -> Result<Option<RecordBatch>, SqlError> {
        let next = self.next().await;
        let anew = self.anew.take();
        let Some(anew) =
            anew.filter(|_| matches!(next, Err(SqlError::TooLarge(_))) && has_hash_join(self.plan.as_ref()))
        else {
            return next;
        };
        // What the first one holds is given back before.
        self.stream = Box::pin(EmptyRecordBatchStream::new(self.stream.schema()));
        let Planned { plan, stream, .. } = anew.with_joins_on_disk()?.plan(&self.stop).await?;
        (self.plan, self.stream) = (plan, stream);
        self.next().await
    }

    /// The next rows; ends the query when it is late or nobody waits for it.
    async fn next(&mut self) -> Result<Option<RecordBatch>, SqlError> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(SqlError::Gone),
            () = tokio::time::sleep_until(self.deadline.into()) => Err(SqlError::TimedOut),
            batch = self.stream.next() => Ok(batch.transpose()?),
        }
    }

    /// Waits until the client has taken enough of what came before.
    async fn hand_over(&mut self) -> Result<(), SqlError> {
        match tokio::time::timeout_at(self.deadline.into(), self.sender.reserve()).await {
            Ok(Ok(place)) => {
                place.send(Ok(Chunk { bytes: std::mem::take(&mut self.bytes), ended: None }));
                self.begun = true;
                Ok(())
            }
            Ok(Err(_)) => Err(SqlError::Gone),
            // What was not handed over goes with the end.
            Err(_) => Err(SqlError::TimedOut),
        }
    }
}

/// Whether it joins by a table in memory.
fn has_hash_join(plan: &dyn ExecutionPlan) -> bool {
    plan.name() == "HashJoinExec" || plan.children().into_iter().any(|child| has_hash_join(child.as_ref()))
}

/// What the plan's scans could not read so far.
fn parts_damaged(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(PARTS_DAMAGED));
    let mut parts = own.map_or(0, |count| count.as_usize());
    for child in plan.children() {
        parts += parts_damaged(child.as_ref());
    }
    parts
}

fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "queries keep their priority");
    }
}

#[cfg(test)]
mod tests;
