//! The memory of one query: bounded, shared fairly among its operators, and counted for `/metrics`.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use datafusion::{
    common::Result,
    error::DataFusionError,
    execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};
use prometheus::{IntGauge, register_int_gauge};

use super::error::SqlError;

static BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_sql_memory_bytes", "Memory that SQL queries hold now.").expect("registered once")
});

/// What the rows that are read from the store at a time are counted as.
pub(super) const SCAN: &str = "spans";

/// A join that calls itself so would, on being refused or told of a refusal below it, run the plan below a second time; plans with a
/// repartition panic then.
const NO_SPILL: [&str; 2] = ["NestedLoopJoin", SCAN];

/// A refusal that nothing tries to get around.
fn final_refusal(error: &DataFusionError) -> DataFusionError {
    DataFusionError::External(Box::new(SqlError::TooLarge(error.strip_backtrace())))
}

/// DataFusion's fair pool, counted.
#[derive(Debug)]
pub(super) struct QueryMemory(FairSpillPool);

impl QueryMemory {
    /// For one query.
    pub(super) fn pool(bytes_max: usize) -> Arc<dyn MemoryPool> {
        Arc::new(Self(FairSpillPool::new(bytes_max)))
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, bytes: usize) {
        self.0.grow(reservation, bytes);
        BYTES.add(bytes as i64);
    }

    fn shrink(&self, reservation: &MemoryReservation, bytes: usize) {
        self.0.shrink(reservation, bytes);
        BYTES.sub(bytes as i64);
    }

    fn try_grow(&self, reservation: &MemoryReservation, bytes: usize) -> Result<()> {
        if let Err(error) = self.0.try_grow(reservation, bytes) {
            let name = reservation.consumer().name();
            return Err(if NO_SPILL.iter().any(|one| name.starts_with(one)) { final_refusal(&error) } else { error });
        }
        BYTES.add(bytes as i64);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
    }
}
