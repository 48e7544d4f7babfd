//! What of an archived segment stays on local disk: its manifest, its trace-id index, the footer of its rows.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use weir_proto::Signal;

use crate::{
    disk::Disk,
    ledger::Tally,
    segment::{
        Segment, SegmentError, SegmentId,
        files::{FOOTER, INDEX, MANIFEST, NewDirectory},
        manifest::Manifest,
        series::{SeriesArchivedAs, SeriesManifest, files_of},
    },
};

/// The manifest of an archived segment, as the bucket has it.
#[derive(Debug, Clone)]
pub(crate) struct ArchivedManifest {
    manifest: Kind,
    id: SegmentId,
}

/// Of which kind of segment.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Rows(Box<Manifest>),
    Series(Box<SeriesManifest>, Box<SeriesArchivedAs>),
}

impl ArchivedManifest {
    /// Reads it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        let not_archived = || SegmentError::damaged("manifest.json: not of an archived segment");
        match Manifest::read(bytes) {
            Ok(manifest) if manifest.archived.is_none() => Err(not_archived()),
            Ok(manifest) => Ok(Self { id: manifest.id()?, manifest: Kind::Rows(Box::new(manifest)) }),
            // Of no rows: of series, or of nothing.
            Err(error) => {
                let Ok(manifest) = SeriesManifest::read(bytes) else { return Err(error) };
                let archived = Box::new(manifest.archived.clone().ok_or_else(not_archived)?);
                Ok(Self { id: manifest.id()?, manifest: Kind::Series(Box::new(manifest), archived) })
            }
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.manifest
    }

    /// Whose.
    pub(crate) fn id(&self) -> &SegmentId {
        &self.id
    }

    /// Rows.
    pub(crate) fn rows(&self) -> u64 {
        match &self.manifest {
            Kind::Rows(manifest) => manifest.rows,
            Kind::Series(manifest, _) => manifest.samples,
        }
    }

    /// Bytes of the rows' file, and of the index.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        match &self.manifest {
            Kind::Rows(manifest) => (manifest.spans.bytes, manifest.index.as_ref().map_or(0, |index| index.bytes)),
            Kind::Series(manifest, archived) => (archived.rows.bytes, manifest.index.bytes),
        }
    }

    /// Bytes of the chunks, of series.
    pub(crate) fn chunks_bytes(&self) -> Option<u64> {
        match &self.manifest {
            Kind::Rows(_) => None,
            Kind::Series(manifest, _) => Some(manifest.chunks_bytes),
        }
    }

    /// Their CRC32C.
    pub(crate) fn chunks_crc32c(&self) -> Option<u32> {
        match &self.manifest {
            Kind::Rows(_) => None,
            Kind::Series(_, archived) => Some(archived.chunks_crc32c),
        }
    }

    /// Bytes of all objects but the manifest.
    pub(crate) fn objects_bytes(&self) -> u64 {
        let (rows, index) = self.bytes();
        rows + index + self.chunks_bytes().unwrap_or(0)
    }

    /// Where in the rows' file its footer is.
    pub(crate) fn footer(&self) -> Range<u64> {
        let rows = match &self.manifest {
            Kind::Rows(manifest) => &manifest.spans,
            Kind::Series(_, archived) => &archived.rows,
        };
        rows.bytes.saturating_sub(rows.checked_bytes)..rows.bytes
    }

    /// Whether it has an index.
    pub(crate) fn has_index(&self) -> bool {
        match &self.manifest {
            Kind::Rows(manifest) => manifest.index.is_some(),
            Kind::Series(..) => true,
        }
    }

    /// From when on its age counts, Unix ns.
    pub(crate) fn age_from_ns(&self) -> u64 {
        match &self.manifest {
            Kind::Rows(manifest) => manifest.age_from_ns.or(manifest.start_max_ns).unwrap_or(u64::MAX),
            Kind::Series(manifest, _) => manifest.age_from_ns,
        }
    }

    /// For the table's log, of series.
    pub(crate) fn series_bounds(&self) -> Option<SeriesBounds> {
        match &self.manifest {
            Kind::Rows(_) => None,
            Kind::Series(manifest, archived) => {
                let time_ms = (manifest.time_min_ms, manifest.time_max_ms);
                Some(SeriesBounds { rows: archived.samples, time_ms, metrics: archived.metrics.clone() })
            }
        }
    }

    /// What it adds to the ledger, and what that comes to with it, if it says so.
    pub(crate) fn tallies(&self) -> (&Tally, Option<&Tally>) {
        match &self.manifest {
            Kind::Rows(manifest) => (&manifest.tally, manifest.ledger_after.as_ref()),
            Kind::Series(manifest, _) => (&manifest.tally, manifest.ledger_after.as_ref()),
        }
    }
}

/// The same of a file of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesBounds {
    /// Rows.
    pub(crate) rows: u64,
    /// Unix ms.
    pub(crate) time_ms: (i64, i64),
    /// Names of metrics.
    pub(crate) metrics: Option<(String, String)>,
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
    /// The chunks of series.
    pub(crate) chunks: Option<PathBuf>,
    /// The manifest.
    pub(crate) manifest: PathBuf,
}

impl WrittenFiles {
    /// Of a segment's folder.
    pub(crate) fn of(folder: &Path, segment: &Segment) -> Self {
        let index = segment.manifest.index.as_ref().map(|_| folder.join(INDEX));
        Self { rows: folder.join(segment.table().file), index, chunks: None, manifest: folder.join(MANIFEST) }
    }

    /// Of a segment of series.
    pub(crate) fn of_series(folder: &Path) -> Self {
        let [rows, index, chunks, manifest] = files_of(folder);
        Self { rows, index: Some(index), chunks: Some(chunks), manifest }
    }
}

/// The footer that is in the folder of a segment whose rows are in the bucket.
pub(crate) fn footer_of(folder: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(folder.join(FOOTER))
}

/// Where the index is in such a folder.
pub(crate) fn index_path(folder: &Path, signal: Signal) -> PathBuf {
    match signal {
        Signal::Metrics => files_of(folder)[1].clone(),
        _ => folder.join(INDEX),
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
