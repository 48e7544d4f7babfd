//! Reads the parts of a scan, which several readers share: pieces that fit into memory, and are counted as the query's.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use datafusion::{
    arrow::array::RecordBatch,
    common::{DataFusionError, internal_err},
    error::Result,
    execution::{
        TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_store::{ReadBounds, Scan, ScanPart, ScanPiece};

use super::columns::TableColumn;
use crate::sql::memory::SCAN;

/// The partitions of a run take their parts from one queue, so that all of them read the newest ones that are left.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<Runs>);

/// How many runs each partition has begun, and the queue of each run.
#[derive(Debug, Default)]
struct Runs {
    begun: HashMap<usize, usize>,
    queues: Vec<Arc<AtomicUsize>>,
}

impl Queues {
    /// The queue of this partition's next run.
    fn of(&self, partition: usize) -> Arc<AtomicUsize> {
        let mut guard = self.0.lock();
        let Runs { begun, queues } = &mut *guard;
        let run = begun.entry(partition).or_default();
        *run += 1;
        if queues.len() < *run {
            queues.push(Arc::default());
        }
        queues[*run - 1].clone()
    }
}

/// Turns at reading, which all queries share: as many as there are threads for SQL. Threads that read are threads that receiving has
/// to share the processor with, however low their priority.
#[derive(Debug)]
pub(in crate::sql) struct Readers(Arc<Semaphore>);

impl Readers {
    /// So many at a time.
    pub(in crate::sql) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

/// One partition's reading.
pub(super) struct PartReader {
    readers: Option<Arc<Readers>>,
    scan: Scan,
    queue: Arc<AtomicUsize>,
    /// Rows that are read at a time at most.
    rows_max: u32,
    /// What is left of the part that was taken last.
    pieces: VecDeque<ScanPiece>,
    /// What the rows take that were read last.
    held: MemoryReservation,
}

impl PartReader {
    /// For the next run of a partition that shows these columns of the scan.
    pub(super) fn new(
        scan: &Scan,
        columns: &[(String, TableColumn)],
        (queues, partition): (&Queues, usize),
        context: &TaskContext,
    ) -> Self {
        let rows_max = columns.iter().filter_map(|(_, column)| column.rows_max()).min();
        Self {
            readers: context.session_config().get_extension(),
            scan: rows_max.map_or_else(|| scan.clone(), |rows_max| scan.split(rows_max)),
            queue: queues.of(partition),
            rows_max: rows_max.unwrap_or(u32::MAX),
            pieces: VecDeque::new(),
            held: MemoryConsumer::new(format!("{SCAN}[{partition}]")).register(context.memory_pool()),
        }
    }

    /// Waits for a turn at reading.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.readers.as_ref()?.0.clone().acquire_owned().await.ok()
    }

    /// Takes the next part off the queue.
    pub(super) fn next(&self) -> Option<usize> {
        let next = self.queue.fetch_add(1, Ordering::Relaxed);
        (next < self.scan.parts().len()).then_some(next)
    }

    /// A part that was taken.
    pub(super) fn part(&self, number: usize) -> &ScanPart {
        &self.scan.parts()[number]
    }

    /// Its rows. Blocks.
    pub(super) fn read(&self, number: usize, bounds: &ReadBounds) -> RecordBatch {
        self.scan.read_within(self.part(number), bounds)
    }

    /// Goes to a part: [`Self::next_piece`] reads its rows. Blocks.
    pub(super) fn begin(&mut self, number: usize, bounds: &ReadBounds) {
        self.pieces = self.scan.pieces(self.part(number), bounds, self.rows_max).into();
    }

    /// The next rows of the part, as many as fit into memory. Blocks.
    pub(super) fn next_piece(&mut self) -> Option<RecordBatch> {
        self.pieces.pop_front().map(|piece| self.scan.read_piece(&piece))
    }

    /// Whether rows of the part are left.
    pub(super) fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Counts these rows instead of the last ones. Fails when there is no memory for them.
    pub(super) fn hold(&self, rows: &RecordBatch) -> Result<()> {
        self.held.try_resize(rows.get_array_memory_size())
    }
}

/// Does blocking work where it may block; gives back what it worked with.
pub(super) async fn read_aside<S: Send + 'static, T: Send + 'static>(
    mut state: S,
    work: impl FnOnce(&mut S) -> Result<T> + Send + 'static,
) -> Result<(S, T)> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&mut state);
        (state, result)
    });
    match done.await {
        Ok((state, result)) => Ok((state, result?)),
        Err(error) if error.is_panic() => internal_err!("reading spans panicked"),
        Err(error) => Err(DataFusionError::External(Box::new(error))),
    }
}
