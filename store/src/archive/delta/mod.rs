//! The log that makes a table of objects: the Delta protocol, as far as a table of appended and merged files needs it.
//!
//! Four actions (add, remove, txn, metaData), readers of version 1 and writers of version 2 without features: what every
//! reader of Delta knows. Source: PROTOCOL.md of delta-io/delta. A [`Table`] is one writer's view; others may read, and may add.

mod action;
mod calendar;
mod check;
mod checkpoint;
mod clean;
mod commit;
mod error;
mod load;
mod options;
mod rearranged;
mod schema;
mod state;
mod statistics;
#[cfg(test)]
mod tests;

pub use commit::{Change, Committed, Transaction};
pub use error::TableError;
pub use options::TableOptions;
pub use rearranged::Rearranged;
pub use schema::{ColumnKind, TableColumn, TableSchema};
pub use state::{DataFile, Tombstone};
pub use statistics::{ColumnStatistics, FileStatistics, Statistic};

use std::collections::BTreeMap;

use super::bucket::Bucket;
use state::State;
use weir_proto::time::Clock;

/// A table in a folder of a bucket, as this writer last saw it.
#[derive(Debug)]
pub struct Table {
    bucket: Bucket,
    /// The folder's key, without a slash at its end.
    folder: String,
    schema: TableSchema,
    options: TableOptions,
    clock: Clock,
    state: State,
    /// The version of the newest checkpoint that is known.
    checkpoint: Option<u64>,
}

impl Table {
    /// The version of its last commit that is known.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// The folder's key in the bucket.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The files that are in the table, by their path below the folder.
    pub fn files(&self) -> &BTreeMap<String, DataFile> {
        &self.state.files
    }

    /// The files that were taken out of it and are not vacuumed yet, by path.
    pub fn removed(&self) -> &BTreeMap<String, Tombstone> {
        &self.state.removed
    }

    /// What others put into other files, without a change of rows, and what it was before.
    pub fn rearranged(&self) -> &[Rearranged] {
        &self.state.rearranged
    }

    /// Whether others did so with this file.
    pub fn is_rearranged(&self, path: &str) -> bool {
        self.state.is_rearranged(path)
    }

    /// Whether others took this file out and put in files that may have some of its rows.
    pub fn is_changed(&self, path: &str) -> bool {
        self.state.changed.contains(path)
    }

    /// The last version of each application's transactions.
    pub fn transactions(&self) -> impl Iterator<Item = (&str, i64)> {
        self.state.transactions.iter().map(|(id, transaction)| (id.as_str(), transaction.version))
    }

    /// The last version of an application's transactions.
    pub fn transaction(&self, app_id: &str) -> Option<i64> {
        self.state.transactions.get(app_id).map(|transaction| transaction.version)
    }

    /// The key of a file of the log.
    fn log_key(&self, name: &str) -> String {
        format!("{}/_delta_log/{name}", self.folder)
    }

    fn commit_key(&self, version: u64) -> String {
        self.log_key(&format!("{version:020}.json"))
    }

    fn now_ms(&self) -> i64 {
        (self.clock.now_ns() / 1_000_000) as i64
    }
}
