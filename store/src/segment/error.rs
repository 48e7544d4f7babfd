//! Why a segment cannot be written or read.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a segment cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The disk said no: try again later.
    #[error("cannot access {path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Bytes are not what was written: quarantine the segment.
    #[error("damaged segment: {what}")]
    Damaged {
        /// Which bytes.
        what: String,
    },
    /// Written by a newer Weir.
    #[error("segment has format {found}; this weir reads up to {supported}")]
    TooNew {
        /// Its format.
        found: u32,
        /// The highest that is known.
        supported: u32,
    },
    /// A merge was told to stop.
    #[error("stopped")]
    Stopped,
    /// The rows do not fit the format (a bound of Parquet's).
    #[error("cannot encode segment: {0}")]
    Encode(String),
}

impl SegmentError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}
