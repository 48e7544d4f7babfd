//! `manifest.json`: what a segment is, what it carries, and the checksums of its other files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use weir_proto::{Signal, TenantId};

use super::{
    SegmentError, SegmentId,
    body_fields::BodyFields,
    body_tokens::Tokens,
    files::{MANIFEST, ReadFile},
    operations::ServiceList,
};
use crate::{ask::span::Operation, ledger::Tally};

/// The format that this code writes; it reads older ones, too. Raised when a program that knows only lower ones would answer
/// wrongly: not for a column, a file or a field of the manifest more.
pub(super) const FORMAT: u32 = 3;

/// The format of what is written today: lines may have templates instead of bodies since 2, and attributes that are a part of it since 3;
/// nothing else has changed since 1.
pub(super) fn format_of(signal: Signal) -> u32 {
    if signal == Signal::Logs { 3 } else { 1 }
}

/// The same of segments of metrics. 2: chunks of histograms may say when counting began.
pub(super) const SERIES_FORMAT: u32 = 2;

/// Most operations listed: of services that have more than others some are left out. Few in tests of development builds.
pub(super) const OPERATIONS_MAX: usize = if cfg!(all(test, debug_assertions)) { 1000 } else { 10_000 };

/// Most residual keys listed; with more, every residual is looked into.
pub(super) const RESIDUAL_KEYS_MAX: usize = 4096;

/// What a segment tells of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentTally {
    /// What it adds.
    pub own: Tally,
    /// What it comes to with it, over everything sealed, where that is known: runs of which nothing was kept have no segment
    /// that would tell.
    pub ledger_after: Option<Tally>,
}

impl From<Tally> for SegmentTally {
    fn from(own: Tally) -> Self {
        Self { own, ledger_after: None }
    }
}

/// A segment's manifest. The file is JSON on one line, then `crc32c <8 hex digits>` of that line's bytes on a second. Fields that a
/// version did not write yet have their defaults; those that this one does not know are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// At most [`FORMAT`].
    pub(super) format: u32,
    /// The tenant's name.
    pub(super) tenant: String,
    /// Which journal: the signal's name.
    pub(super) journal: String,
    /// As in [`SegmentId`].
    pub(super) first_file: u32,
    /// As in [`SegmentId`].
    pub(super) last_file: u32,
    /// As in [`SegmentId`].
    pub(super) generation: u32,
    /// What it adds to the ledger.
    #[serde(default)]
    pub(super) tally: Tally,
    /// The tenant's ledger of everything sealed up to and with it; absent in segments written before there was sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ledger_after: Option<Tally>,
    /// Spans.
    pub(super) rows: u64,
    /// Traces (counted again after each stretch without a row of theirs in a merge).
    #[serde(default)]
    pub(super) traces: u64,
    /// Smallest start, Unix ns; 0 without rows.
    #[serde(default)]
    pub(super) start_min_ns: u64,
    /// Largest start, Unix ns; 0 without rows. When it is not there, the statistics say it.
    pub(super) start_max_ns: Option<u64>,
    /// From when on retention counts, Unix ns; absent in older segments, where it is the largest start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) age_from_ns: Option<u64>,
    /// The Parquet file, of whatever signal.
    pub(super) spans: Checked,
    /// `traces.idx`, if there is one.
    pub(super) index: Option<Checked>,
    /// Checksums of the Parquet file's bloom filters; one without is not used.
    #[serde(default)]
    pub(super) blooms: Vec<BloomCheck>,
    /// Operations, sorted.
    #[serde(default)]
    pub(super) operations: Vec<Operation>,
    /// Whether [`OPERATIONS_MAX`] cut the list, or there is none.
    #[serde(default = "cut")]
    pub(super) operations_cut: bool,
    /// Services; absent in segments written before they had a list of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) services: Option<ServiceList>,
    /// Keys in `attributes_other`, with the type and number of their values.
    #[serde(default = "ResidualKeys::unlisted")]
    pub(super) attributes_other: ResidualKeys,
    /// Keys in `resource_other`.
    #[serde(default = "ResidualKeys::unlisted")]
    pub(super) resource_other: ResidualKeys,
    /// Keys of the attributes in `events`; absent in segments written before they were searched: any key may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event_keys: Option<ResidualKeys>,
    /// Keys of the attributes in `links`; absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link_keys: Option<ResidualKeys>,
    /// Fields of the bodies that are JSON objects; absent in segments of spans, and in those written before fields were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bodies: Option<BodyFields>,
    /// Keys of attributes without a column of their own: they are the fields of their names, on every row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attributes_as_fields: Vec<String>,
    /// Of the archive's copy of a segment: what its columns are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) archived: Option<ArchivedAs>,
}

/// How the Parquet file of an archived segment, which is a file of an open table, names the segment's columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArchivedAs {
    /// Of the table's columns.
    pub(super) table_version: u32,
    /// The name in the file and the name in a segment, of each column that is read.
    pub(super) columns: Vec<(String, String)>,
}

/// A file's length, and the checksum of the part that says where everything else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checked {
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Bytes under the checksum: the Parquet file's last, the index file's first.
    pub(super) checked_bytes: u64,
    /// CRC32C of those.
    pub(super) crc32c: u32,
}

impl Checked {
    /// Of a file of which the first bytes are checked.
    pub(super) fn start_of(file: &[u8], checked_bytes: u32) -> Self {
        let crc32c = crc32c::crc32c(&file[..checked_bytes as usize]);
        Self { bytes: file.len() as u64, checked_bytes: u64::from(checked_bytes), crc32c }
    }
}

/// The checksum of one bloom filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BloomCheck {
    /// Row group.
    pub(super) row_group: u32,
    /// Column.
    pub(super) column: u32,
    /// CRC32C of the bitset.
    pub(super) crc32c: u32,
}

/// A list that is not there tells as little as one that was cut.
fn cut() -> bool {
    true
}

impl ResidualKeys {
    fn unlisted() -> Self {
        Self { keys: Vec::new(), cut: cut() }
    }
}

/// What keys a residual column has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ResidualKeys {
    /// Sorted by key and type.
    pub(super) keys: Vec<ResidualKey>,
    /// Whether [`RESIDUAL_KEYS_MAX`] cut the list.
    pub(super) cut: bool,
}

/// A key of a residual column with one type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ResidualKey {
    /// The key.
    pub(super) key: String,
    /// `text`, `bool`, `int`, `double`, `json`, `empty`.
    pub(super) kind: String,
    /// Values.
    pub(super) count: u64,
}

impl Manifest {
    /// Which tokens the filters over bodies have.
    pub(super) fn tokens(&self) -> Tokens {
        Tokens::of(self.bodies.as_ref().map_or(0, |bodies| bodies.tokens))
    }

    /// The id.
    pub(super) fn id(&self) -> Result<SegmentId, SegmentError> {
        let tenant = TenantId::new(&self.tenant).map_err(|_| damaged("tenant"))?;
        let known = Signal::ALL.into_iter().find(|signal| signal.name() == self.journal);
        let signal = known.ok_or_else(|| damaged("journal"))?;
        let Self { first_file, last_file, generation, .. } = *self;
        Ok(SegmentId { signal, tenant, first_file, last_file, generation })
    }

    /// The file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        with_checksum(serde_json::to_vec(self).expect("plain structs become JSON"))
    }

    /// Reads the file's bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        let json = checked(bytes)?;
        check_format_of(json)?;
        let mut manifest: Self = serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))?;
        if manifest.tally == Tally::default() {
            manifest.tally = Tally { accepted: manifest.rows, kept: manifest.rows, ..Tally::default() };
        }
        Ok(manifest)
    }
}

/// JSON with its checksum behind it.
pub(super) fn with_checksum(mut json: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&json);
    json.extend_from_slice(format!("\ncrc32c {crc:08x}\n").as_bytes());
    json
}

pub(super) fn damaged(what: &str) -> SegmentError {
    SegmentError::damaged(format!("manifest.json: {what}"))
}

/// The JSON, which is on the first line of the file in every format; its checksum is on the second.
pub(super) fn checked(bytes: &[u8]) -> Result<&str, SegmentError> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("not UTF-8"))?;
    let (json, crc) = text.split_once("\ncrc32c ").ok_or_else(|| damaged("no checksum"))?;
    if crc.strip_suffix('\n') != Some(format!("{:08x}", crc32c::crc32c(json.as_bytes())).as_str()) {
        return Err(damaged("checksum"));
    }
    Ok(json)
}

pub(super) fn check_format_of(json: &str) -> Result<(), SegmentError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
        #[serde(default)]
        journal: String,
    }
    let Format { format, journal } = serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))?;
    let supported = if journal == Signal::Metrics.name() { SERIES_FORMAT } else { FORMAT };
    if format > supported {
        return Err(SegmentError::TooNew { found: format, supported });
    }
    Ok(())
}

/// Whether a segment's folder is of a format that is known; nothing but its manifest is read.
pub(crate) fn check_format(directory: &Path) -> Result<(), SegmentError> {
    let file = ReadFile::open(directory, MANIFEST)?;
    check_format_of(checked(&file.read(0, file.len()? as usize)?)?)
}
