//! Looks whether the bucket has what the catalog says that it has, and names what it has not.

use std::{collections::BTreeSet, sync::Arc};

use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::{Bucket, BucketError},
    layout::{Keys, parse_name, table},
    mended_index::read_index,
};
use crate::{
    catalog::{ArchivedSegment, Stage},
    segment::{SegmentId, archived::ArchivedManifest},
};

/// Bytes that are read at a time when everything is.
const READ_BYTES: u64 = 8 << 20;

/// Findings that are kept; what is beyond is counted.
const FINDINGS_MAX: usize = 1000;

/// An object that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFinding {
    /// Its key.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
}

/// How far a check has come, and what it has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveCheck {
    /// Whether it goes on.
    pub running: bool,
    /// Whether every byte is read.
    pub deep: bool,
    /// Segments that were looked at.
    pub checked: u64,
    /// Segments in all.
    pub segments: u64,
    /// Rows of those that were looked at.
    pub rows: u64,
    /// What is wrong.
    pub findings: Vec<ArchiveFinding>,
    /// Further findings, which are not listed.
    pub findings_left_out: u64,
    /// Why it ended before its end.
    pub failed: Option<String>,
}

impl ArchiveCheck {
    fn found(&mut self, object: &str, what: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(ArchiveFinding { object: object.to_owned(), what: what.into() });
        } else {
            self.findings_left_out += 1;
        }
    }
}

impl Archive {
    /// How the last check fares, or fared.
    pub(crate) fn check_status(&self) -> ArchiveCheck {
        self.checking().clone()
    }

    /// Begins a check, unless one is under way. With `deep` every byte is read.
    pub(crate) fn begin_check(self: &Arc<Self>, deep: bool) -> ArchiveCheck {
        let mut checking = self.checking();
        if !checking.running {
            let known: Vec<ArchivedSegment> =
                self.all_known().into_iter().filter(|segment| segment.stage != Stage::Removed).collect();
            *checking = ArchiveCheck { running: true, deep, segments: known.len() as u64, ..ArchiveCheck::default() };
            let archive = self.clone();
            self.spawn(async move {
                let failed = archive.check(&known, deep).await.err().map(|error| error.to_string());
                let mut checking = archive.checking();
                checking.failed = failed;
                checking.running = false;
            });
        }
        checking.clone()
    }

    async fn check(&self, known: &[ArchivedSegment], deep: bool) -> Result<(), ArchiveError> {
        let bucket = self.reading();
        for segment in known {
            // Retention may have taken it meanwhile.
            if self.known(&segment.id).is_some_and(|now| now.stage != Stage::Removed) {
                self.check_segment(&bucket, segment, deep).await?;
            }
            let mut checking = self.checking();
            checking.checked += 1;
            checking.rows += segment.rows;
        }
        let mut tables: Vec<(Signal, TenantId)> =
            known.iter().map(|segment| (segment.id.signal, segment.id.tenant.clone())).collect();
        tables.dedup();
        for (signal, tenant) in tables {
            match self.check_table(signal, tenant.clone()).await {
                // One log that cannot be read keeps the others from nothing.
                Err(error) if !error.is_of_all() => {
                    self.checking().found(&format!("{}/_delta_log", table(signal, &tenant)), error.to_string());
                }
                checked => checked?,
            }
        }
        Ok(())
    }

    /// Whether a table's log and the catalog say the same. Both go on changing meanwhile: the catalog follows the log, so it is asked before
    /// and after.
    async fn check_table(&self, signal: Signal, tenant: TenantId) -> Result<(), ArchiveError> {
        let committed_before = self.committed_paths(signal, &tenant);
        let table = self.open_table(signal, tenant.clone()).await?;
        let (committed, known) = (self.committed_paths(signal, &tenant), self.paths_of(signal, &tenant));
        let log = format!("{}/_delta_log", table.folder());
        let wrong = table.check_checkpoints().await?;
        let mut checking = self.checking();
        for (key, what) in wrong {
            checking.found(&key, what);
        }
        for path in committed_before.intersection(&committed).filter(|path| !table.files().contains_key(*path)) {
            checking.found(&log, format!("does not name {path}"));
        }
        for path in table.files().keys().filter(|path| !known.contains(*path)) {
            checking.found(&log, format!("names {path}, which is not known here"));
        }
        let mut named: Vec<(SegmentId, &String)> = table
            .files()
            .keys()
            .filter_map(|path| Some((parse_name(signal, &tenant, path.strip_suffix(".parquet")?)?.0, path)))
            .collect();
        named.sort();
        for pair in named.windows(2).filter(|pair| pair[1].0.first_file <= pair[0].0.last_file) {
            checking.found(&log, format!("names {} and {}: they have rows in common", pair[0].1, pair[1].1));
        }
        Ok(())
    }

    fn committed_paths(&self, signal: Signal, tenant: &TenantId) -> BTreeSet<String> {
        let committed = self
            .all_known()
            .into_iter()
            .filter(|known| known.stage == Stage::Committed && known.id.signal == signal && known.id.tenant == *tenant);
        committed.map(|known| Keys::of(&known.id, &known.name).path).collect()
    }

    async fn check_segment(&self, bucket: &Bucket, segment: &ArchivedSegment, deep: bool) -> Result<(), ArchiveError> {
        let keys = Keys::of(&segment.id, &segment.name);
        let manifest = match bucket.get(&keys.manifest).await {
            Ok(bytes) => match ArchivedManifest::read(&bytes) {
                Ok(manifest) => Some(manifest),
                Err(error) => {
                    self.found_of(segment, &keys.manifest, error.to_string());
                    None
                }
            },
            Err(error) => {
                self.not_there(segment, &keys.manifest, error)?;
                None
            }
        };
        // Without the one there, what should be there is known by the one here.
        let manifest = manifest.or_else(|| self.manifest_of(segment).ok());
        let rows_bytes = manifest.as_ref().map(|manifest| manifest.bytes().0);
        let is_there = self.check_length(bucket, segment, &keys.rows, rows_bytes).await?;
        if let Some(manifest) = manifest.as_ref().filter(|manifest| manifest.has_index()) {
            self.check_index(bucket, segment, manifest, deep).await?;
        }
        let chunks = manifest.as_ref().and_then(|manifest| Some((manifest.chunks_bytes()?, manifest.chunks_crc32c()?)));
        if let Some((bytes, crc32c)) = chunks
            && self.check_length(bucket, segment, &keys.chunks, Some(bytes)).await?
            && deep
        {
            match bucket.sum(&keys.chunks).await {
                Ok((_, found)) if found == crc32c => {}
                Ok((_, found)) => {
                    self.found_of(segment, &keys.chunks, format!("has the checksum {found:08x}, not {crc32c:08x}"));
                }
                Err(error) => self.not_there(segment, &keys.chunks, error)?,
            }
        }
        if let (true, true, Some(bytes)) = (deep, is_there, rows_bytes) {
            self.check_bytes(bucket, segment, &keys.rows, bytes).await?;
        }
        Ok(())
    }

    /// Whether the index is there, and with `deep` whether it is what it was: it has checksums of all that is in it.
    async fn check_index(
        &self,
        bucket: &Bucket,
        segment: &ArchivedSegment,
        manifest: &ArchivedManifest,
        deep: bool,
    ) -> Result<(), ArchiveError> {
        let key = Keys::of(&segment.id, &segment.name).index;
        if !self.check_length(bucket, segment, &key, Some(manifest.bytes().1)).await? || !deep {
            return Ok(());
        }
        match read_index(bucket, &key, manifest).await {
            Ok(_) => Ok(()),
            Err(ArchiveError::Bucket(error)) => self.not_there(segment, &key, error),
            Err(ArchiveError::Segment(error)) => {
                self.found_of(segment, &key, error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether an object is there, with its length.
    async fn check_length(
        &self,
        bucket: &Bucket,
        segment: &ArchivedSegment,
        key: &str,
        bytes: Option<u64>,
    ) -> Result<bool, ArchiveError> {
        match bucket.head(key).await {
            Ok(head) if bytes.is_none_or(|bytes| bytes == head.bytes) => Ok(true),
            Ok(head) => {
                self.found_of(segment, key, format!("has {} bytes, not {}", head.bytes, bytes.unwrap_or_default()));
                Ok(false)
            }
            Err(error) => self.not_there(segment, key, error).map(|()| false),
        }
    }

    /// Reads all of it. Its name has the checksum.
    async fn check_bytes(
        &self,
        bucket: &Bucket,
        segment: &ArchivedSegment,
        key: &str,
        bytes: u64,
    ) -> Result<(), ArchiveError> {
        let (mut crc, mut at) = (0, 0);
        while at < bytes {
            let end = bytes.min(at + READ_BYTES);
            match bucket.get_ranges(key, std::slice::from_ref(&(at..end))).await {
                Ok(parts) => parts.iter().for_each(|part| crc = crc32c::crc32c_append(crc, part)),
                Err(error) => return self.not_there(segment, key, error),
            }
            at = end;
        }
        if !segment.name.ends_with(&format!("-{crc:08x}")) {
            self.found_of(segment, key, format!("has the checksum {crc:08x}: bytes are not what was written"));
        }
        Ok(())
    }

    /// A finding of a segment: what is here of it stays, and goes there again.
    fn found_of(&self, segment: &ArchivedSegment, key: &str, what: impl Into<String>) {
        self.miss(&segment.id, key);
        self.checking().found(key, what);
    }

    /// An object that cannot be had is a finding; a bucket that does not answer ends the check.
    fn not_there(&self, segment: &ArchivedSegment, key: &str, error: BucketError) -> Result<(), ArchiveError> {
        match error {
            BucketError::NotFound { .. } => self.found_of(segment, key, "is missing"),
            BucketError::Corrupt { reason, .. } => self.found_of(segment, key, reason),
            other => return Err(other.into()),
        }
        Ok(())
    }
}
