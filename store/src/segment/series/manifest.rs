//! `manifest.json` of a segment of metrics.

use serde::{Deserialize, Serialize};
use weir_proto::{Signal, TenantId};

use super::archived::SeriesArchivedAs;
use crate::{
    ledger::Tally,
    segment::{
        SegmentError, SegmentId,
        manifest::{Checked, SERIES_FORMAT, check_format_of, checked, damaged, with_checksum},
    },
};

/// As that of a segment with rows: JSON on one line, its checksum on the second; unknown fields are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::segment) struct SeriesManifest {
    pub(in crate::segment) format: u32,
    pub(super) tenant: String,
    pub(super) journal: String,
    pub(super) first_file: u32,
    pub(super) last_file: u32,
    pub(super) generation: u32,
    /// What it adds to the ledger.
    #[serde(default)]
    pub(in crate::segment) tally: Tally,
    /// The tenant's ledger of everything sealed up to and with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::segment) ledger_after: Option<Tally>,
    /// Samples.
    pub(in crate::segment) samples: u64,
    /// Series.
    pub(in crate::segment) series: u64,
    /// Of the earliest sample, Unix ms.
    pub(in crate::segment) time_min_ms: i64,
    /// Of the latest sample, Unix ms.
    pub(in crate::segment) time_max_ms: i64,
    /// From when on retention counts, Unix ns.
    pub(in crate::segment) age_from_ns: u64,
    /// `series.idx`; its directory, at the end, is under the checksum.
    pub(in crate::segment) index: Checked,
    /// Bytes of `chunks.dat`, which has its checksums in it.
    pub(in crate::segment) chunks_bytes: u64,
    /// Of the archive's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::segment) archived: Option<SeriesArchivedAs>,
}

/// What a manifest says beside its files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Content {
    pub(super) tally: Tally,
    pub(super) ledger_after: Option<Tally>,
    pub(super) samples: u64,
    pub(super) series: u64,
    pub(super) time_ms: (i64, i64),
    pub(super) age_from_ns: u64,
}

impl SeriesManifest {
    /// Of a segment under way.
    pub(super) fn new(id: &SegmentId, content: Content, index: Checked, chunks_bytes: u64) -> Self {
        Self {
            format: SERIES_FORMAT,
            tenant: id.tenant.as_str().to_owned(),
            journal: id.signal.name().to_owned(),
            first_file: id.first_file,
            last_file: id.last_file,
            generation: id.generation,
            tally: content.tally,
            ledger_after: content.ledger_after,
            samples: content.samples,
            series: content.series,
            time_min_ms: content.time_ms.0,
            time_max_ms: content.time_ms.1,
            age_from_ns: content.age_from_ns,
            index,
            chunks_bytes,
            archived: None,
        }
    }

    /// The id.
    pub(in crate::segment) fn id(&self) -> Result<SegmentId, SegmentError> {
        let tenant = TenantId::new(&self.tenant).map_err(|_| damaged("tenant"))?;
        let signal = Signal::named(&self.journal).filter(|signal| *signal == Signal::Metrics);
        let signal = signal.ok_or_else(|| damaged("journal"))?;
        let Self { first_file, last_file, generation, .. } = *self;
        Ok(SegmentId { signal, tenant, first_file, last_file, generation })
    }

    /// Of the archive's copy.
    pub(super) fn archived_as(&self, archived: SeriesArchivedAs) -> Self {
        Self { archived: Some(archived), ..self.clone() }
    }

    /// The file's bytes.
    pub(in crate::segment) fn to_bytes(&self) -> Vec<u8> {
        with_checksum(serde_json::to_vec(self).expect("plain structs become JSON"))
    }

    /// Reads the file's bytes.
    pub(in crate::segment) fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        let json = checked(bytes)?;
        check_format_of(json)?;
        serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))
    }
}
