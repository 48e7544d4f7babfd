//! What of an archived segment stays on local disk: its manifest, its trace-id index, the footer of its rows.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    disk::Disk,
    ledger::Tally,
    segment::{
        Segment, SegmentError, SegmentId,
        files::{FOOTER, INDEX, MANIFEST, NewDirectory},
        manifest::Manifest,
    },
};

/// The manifest of an archived segment, as the bucket has it.
#[derive(Debug, Clone)]
pub(crate) struct ArchivedManifest {
    manifest: Manifest,
    id: SegmentId,
}

impl ArchivedManifest {
    /// Reads it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        let manifest = Manifest::read(bytes)?;
        if manifest.archived.is_none() {
            return Err(SegmentError::damaged("manifest.json: not of an archived segment"));
        }
        let id = manifest.id()?;
        Ok(Self { manifest, id })
    }

    /// Whose.
    pub(crate) fn id(&self) -> &SegmentId {
        &self.id
    }

    /// Rows.
    pub(crate) fn rows(&self) -> u64 {
        self.manifest.rows
    }

    /// Bytes of the rows' file, and of the index.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.manifest.spans.bytes, self.manifest.index.as_ref().map_or(0, |index| index.bytes))
    }

    /// Where in the rows' file its footer is.
    pub(crate) fn footer(&self) -> Range<u64> {
        let rows = &self.manifest.spans;
        rows.bytes.saturating_sub(rows.checked_bytes)..rows.bytes
    }

    /// Whether it has an index.
    pub(crate) fn has_index(&self) -> bool {
        self.manifest.index.is_some()
    }

    /// From when on its age counts, Unix ns.
    pub(crate) fn age_from_ns(&self) -> u64 {
        self.manifest.age_from_ns.or(self.manifest.start_max_ns).unwrap_or(u64::MAX)
    }

    /// What it adds to the ledger, and what that comes to with it, if it says so.
    pub(crate) fn tallies(&self) -> (&Tally, Option<&Tally>) {
        (&self.manifest.tally, self.manifest.ledger_after.as_ref())
    }
}

/// What the table's log says of a file: the least and the greatest of its columns that have an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowBounds {
    /// Start of spans, time of lines; Unix ns.
    pub(crate) time_ns: Option<(u64, u64)>,
    /// Services, where all are known.
    pub(crate) services: Option<(String, String)>,
}

impl Segment {
    /// For the table's log.
    pub(crate) fn row_bounds(&self) -> RowBounds {
        let list = self.manifest.services.as_ref().filter(|list| !list.cut);
        let names = list.map(|list| list.names.iter().map(|name| name.to_string()));
        let services = names.and_then(|names| {
            let mut names: Vec<String> = names.collect();
            names.sort_unstable();
            Some((names.first()?.clone(), names.last()?.clone()))
        });
        RowBounds { time_ns: self.start_ns(), services }
    }
}

/// The files of a folder that [`super::write_archived`] made: rows, index (if there is one), manifest.
#[derive(Debug)]
pub(crate) struct WrittenFiles {
    /// The rows.
    pub(crate) rows: PathBuf,
    /// The trace-id index.
    pub(crate) index: Option<PathBuf>,
    /// The manifest.
    pub(crate) manifest: PathBuf,
}

impl WrittenFiles {
    /// Of a segment's folder.
    pub(crate) fn of(folder: &Path, segment: &Segment) -> Self {
        let index = segment.manifest.index.as_ref().map(|_| folder.join(INDEX));
        Self { rows: folder.join(segment.table().file), index, manifest: folder.join(MANIFEST) }
    }
}

/// Writes the folder of a segment whose rows are in the bucket, below `parent`.
pub(crate) fn write_stub(
    disk: &Disk,
    parent: &Path,
    manifest: &[u8],
    index: Option<&[u8]>,
    footer: &[u8],
) -> Result<PathBuf, SegmentError> {
    let id = ArchivedManifest::read(manifest)?.id;
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    let written = directory
        .write(FOOTER, footer)
        .and_then(|()| index.map_or(Ok(()), |index| directory.write(INDEX, index)))
        .and_then(|()| directory.write(MANIFEST, manifest));
    match written {
        Ok(()) => directory.publish(),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}
