//! `manifest.json`: what a segment is, what it carries, and the checksums of its other files.

use serde::{Deserialize, Serialize};
use weir_proto::TenantId;

use super::{SegmentError, SegmentId};
use crate::{Operation, Tally};

/// The format that this code writes and reads.
pub(super) const FORMAT: u32 = 1;

/// Most operations listed; with more, the columns are read to answer.
pub(super) const OPERATIONS_MAX: usize = 10_000;

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

/// A segment's manifest. The file is JSON on one line, then `crc32c <8 hex digits>` of that line's bytes on a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// The tenant's name.
    pub(super) tenant: String,
    /// Which journal.
    pub(super) journal: String,
    /// As in [`SegmentId`].
    pub(super) first_file: u32,
    /// As in [`SegmentId`].
    pub(super) last_file: u32,
    /// As in [`SegmentId`].
    pub(super) generation: u32,
    /// What it adds to the ledger.
    pub(super) tally: Tally,
    /// The tenant's ledger of everything sealed up to and with it; absent in segments written before there was sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ledger_after: Option<Tally>,
    /// Spans.
    pub(super) rows: u64,
    /// Traces (counted again after each stretch without a row of theirs in a merge).
    pub(super) traces: u64,
    /// Smallest start, Unix ns; 0 without rows.
    pub(super) start_min_ns: u64,
    /// Largest start, Unix ns; 0 without rows.
    pub(super) start_max_ns: u64,
    /// From when on retention counts, Unix ns; absent in older segments, where it is the largest start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) age_from_ns: Option<u64>,
    /// `spans.parquet`.
    pub(super) spans: Checked,
    /// `traces.idx`.
    pub(super) index: Checked,
    /// Checksums of the Parquet file's bloom filters.
    pub(super) blooms: Vec<BloomCheck>,
    /// Operations, sorted.
    pub(super) operations: Vec<Operation>,
    /// Whether [`OPERATIONS_MAX`] cut the list.
    pub(super) operations_cut: bool,
    /// Keys in `attributes_other`, with the type and number of their values.
    pub(super) attributes_other: ResidualKeys,
    /// Keys in `resource_other`.
    pub(super) resource_other: ResidualKeys,
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
    /// The id.
    pub(super) fn id(&self) -> Result<SegmentId, SegmentError> {
        let tenant = TenantId::new(&self.tenant).map_err(|_| SegmentError::damaged("manifest.json: tenant"))?;
        let Self { first_file, last_file, generation, .. } = *self;
        Ok(SegmentId { tenant, first_file, last_file, generation })
    }

    /// The file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("plain structs become JSON");
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(format!("\ncrc32c {crc:08x}\n").as_bytes());
        bytes
    }

    /// Reads the file's bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        let damaged = |what: &str| SegmentError::damaged(format!("manifest.json: {what}"));
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("not UTF-8"))?;
        let (json, crc) = text.split_once("\ncrc32c ").ok_or_else(|| damaged("no checksum"))?;
        if crc.strip_suffix('\n') != Some(format!("{:08x}", crc32c::crc32c(json.as_bytes())).as_str()) {
            return Err(damaged("checksum"));
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))?;
        if format != FORMAT {
            return Err(SegmentError::Format { found: format });
        }
        serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))
    }
}
