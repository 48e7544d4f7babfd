//! Runs a log query over lines as they come.

use super::entries::{Entry, entry};
use crate::logql::{
    LogqlError,
    ast::LogExpr,
    pipeline::{Pipeline, Record, Working},
};

/// A log query without an end.
pub(crate) struct Following {
    pipeline: Pipeline,
    working: Working,
}

impl Following {
    /// Begins at `now_ns`.
    pub(crate) fn new(log: &LogExpr, now_ns: u64) -> Result<Self, LogqlError> {
        Ok(Self { pipeline: Pipeline::new(log, None, false)?, working: Working::new(now_ns) })
    }

    /// What becomes of a line; `None` when it is not wanted.
    pub(crate) fn entry(&mut self, record: &Record<'_>) -> Option<Entry> {
        self.pipeline.run(record, &mut self.working).then(|| entry(record, &self.working))
    }
}
