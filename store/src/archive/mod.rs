//! The archive: segments as files of open tables in a bucket.
//!
//! On its ground lie the objects ([`bucket`]) and the log that makes a table of them ([`delta`]); above, where things lie
//! ([`layout`]), who may write ([`owner`], [`claim`]), what was read before ([`cache`]), and the archive itself ([`archive`]).

#[expect(clippy::module_inception, reason = "the archive itself")]
mod archive;
pub mod bucket;
mod cache;
mod check;
mod claim;
pub mod delta;
mod found;
mod from_rows;
mod kept;
mod layout;
mod leftovers;
mod mended_index;
mod object;
mod owner;
mod prefix;
mod publish;
mod put_again;
mod resting;
mod taken_back;

use std::{io, path::PathBuf};

pub(crate) use archive::{Archive, Outgoing};
pub use check::{ArchiveCheck, ArchiveFinding};
pub(crate) use found::{ANSWERS_MAX, FoundSegment, covers, is_damage, overlaps};
pub(crate) use layout::Keys;
pub(crate) use resting::{REST_S, Work, rest_s};

use crate::{catalog::CatalogError, segment::SegmentError};

/// Why the archive did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The bucket's.
    #[error("the archive's bucket: {0}")]
    Bucket(#[from] bucket::BucketError),
    /// The table's.
    #[error("the archive's {0}")]
    Table(#[from] delta::TableError),
    /// Another process writes there.
    #[error("the archive is in use by {0}: one process writes to a prefix")]
    InUse(String),
    /// Who writes there cannot be read.
    #[error(
        "the archive's _weir/owner.json cannot be read, so another Weir may be writing there: delete it when none is, or start again when nobody has written it for 90 s"
    )]
    UnreadableOwner,
    /// Segments were archived, and the bucket has nothing.
    #[error(
        "storage.archive.url leads to where nothing is, though segments were archived: is it the right one, and mounted?"
    )]
    Blank,
    /// It takes connections and does not answer.
    #[error("the archive does not answer")]
    Silent,
    /// Segments were archived somewhere else.
    #[error(
        "storage.archive.url leads to another archive than the one that has the segments of this data folder: answers would lack them"
    )]
    Another,
    /// A segment could not be rewritten.
    #[error("{0}")]
    Segment(#[from] SegmentError),
    /// The catalog's.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    /// The local disk's.
    #[error("cannot access {path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No threads.
    #[error("cannot start the archive's threads: {0}")]
    Threads(io::Error),
    /// Something that no Weir writes.
    #[error("{0} is none of ours")]
    Foreign(String),
    /// The store stops; in tests, as if the process had died.
    #[error("stopped")]
    Stopped,
}

impl ArchiveError {
    /// Whether everything would fail in the same way, and not just what did.
    pub(crate) fn is_of_all(&self) -> bool {
        match self {
            Self::Bucket(error) => error.is_away(),
            Self::Table(error) => error.is_away(),
            Self::Segment(error) => matches!(error, SegmentError::Stopped),
            Self::Io { .. } | Self::Foreign(_) => false,
            Self::InUse(_)
            | Self::UnreadableOwner
            | Self::Blank
            | Self::Silent
            | Self::Another
            | Self::Catalog(_)
            | Self::Threads(_)
            | Self::Stopped => true,
        }
    }

    /// Whether the store stops.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::Stopped | Self::Segment(SegmentError::Stopped))
    }
}
