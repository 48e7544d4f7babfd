//! What can be wrong with a table.

use super::super::bucket::BucketError;

/// Why a table was not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The bucket did not do what was asked.
    #[error("table {table}: {source}")]
    Bucket {
        /// The table's folder.
        table: String,
        /// Why.
        source: BucketError,
    },
    /// A file of the log is damaged or missing.
    #[error("table {table}: {object} is damaged: {reason}")]
    Damaged {
        /// The table's folder.
        table: String,
        /// The object.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else changed the table in a way that does not go together with what is kept here. Nothing was written.
    #[error("table {table}: version {version} was written by somebody else ({by}) and {reason}")]
    Foreign {
        /// The table's folder.
        table: String,
        /// The commit.
        version: u64,
        /// Who, by the commit's own words.
        by: String,
        /// What it did.
        reason: String,
    },
    /// A newer Weir, or another tool, made the table: it is left alone.
    #[error("table {table}: {reason}")]
    Unsupported {
        /// The table's folder.
        table: String,
        /// What it has that is not known here.
        reason: String,
    },
    /// A file to be removed is not in the table.
    #[error("table {table}: {path} is not in it")]
    NotInTable {
        /// The table's folder.
        table: String,
        /// The file.
        path: String,
    },
}

impl TableError {
    /// Whether trying later may help without anybody doing something.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Bucket { source: BucketError::Away { .. }, .. })
    }
}
