//! Why the store does not open, append or seal.

use std::path::PathBuf;

use crate::{archive::ArchiveError, catalog::CatalogError, offset::Offset, segment::SegmentError};

/// Why nothing was appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The disk is above its limit: answer 503 / UNAVAILABLE with a retry delay.
    #[error("disk space is below storage's limit")]
    DiskFull,
    /// A queue is full or sealing has fallen behind: answer 503 / UNAVAILABLE with a retry delay.
    #[error("busy: {0}")]
    Busy(&'static str),
    /// Larger than a journal frame may be: answer 413 / RESOURCE_EXHAUSTED.
    #[error("the batch is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// Shutting down, or the journal failed: answer 503 / UNAVAILABLE.
    #[error("the store is stopping")]
    Stopped,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the data folder.
    #[error("another weir (pid {pid}) uses {path}; give this one its own --data folder")]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who.
        pid: String,
    },
    /// The data is of a newer format.
    #[error(
        "a newer weir wrote {path}: it has format {found}, and this weir reads up to {supported}; nothing was changed"
    )]
    TooNew {
        /// The folder or file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        supported: u32,
    },
    /// The folder cannot be used.
    #[error("cannot open {path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The journal cannot be used.
    #[error("cannot open the journal: {0}")]
    Journal(String),
    /// The catalog cannot be used.
    #[error("cannot open the catalog: {0}")]
    Catalog(String),
    /// The archive cannot be used.
    #[error("storage.archive: {0}")]
    Archive(String),
}

impl From<ArchiveError> for OpenError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error.to_string())
    }
}

impl From<crate::catalog::CatalogError> for OpenError {
    fn from(error: crate::catalog::CatalogError) -> Self {
        Self::Catalog(error.to_string())
    }
}

impl From<crate::journal::Newer> for OpenError {
    fn from(newer: crate::journal::Newer) -> Self {
        let crate::journal::Newer { path, found, supported } = newer;
        Self::TooNew { path, found, supported }
    }
}

impl From<crate::journal::JournalError> for OpenError {
    fn from(error: crate::journal::JournalError) -> Self {
        Self::Journal(error.to_string())
    }
}

/// Why a run cannot be sealed now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("a span of frame {offset} has no verdict yet")]
    Undecided { offset: Offset },
}
