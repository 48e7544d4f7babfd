//! The manifest once more, in the footer of the table's file: what is left of a segment when the objects beside its table are gone.

use std::ops::Range;

use parquet::file::metadata::{KeyValue, ParquetMetaDataReader};
use weir_proto::Signal;

use crate::segment::{
    SegmentError,
    manifest::{Checked, Manifest, check_format_of},
    series::SeriesManifest,
};

/// Its name among the footer's.
const KEY: &str = "weir.segment";

/// Bytes at the end of a Parquet file that say how long the footer before them is.
pub(crate) const END_BYTES: u64 = 8;

/// What is put into the footer. What of the manifest depends on the footer itself is filled in by who reads it.
pub(in crate::segment) fn embedded(manifest: &impl serde::Serialize) -> KeyValue {
    KeyValue::new(KEY.to_owned(), serde_json::to_string(manifest).expect("plain structs become JSON"))
}

/// Nothing yet.
pub(in crate::segment) fn not_known() -> Checked {
    Checked { bytes: 0, checked_bytes: 0, crc32c: 0 }
}

/// Where in a file of so many bytes the footer is, by its last [`END_BYTES`].
pub(crate) fn footer_range(file_bytes: u64, end: &[u8]) -> Result<Range<u64>, SegmentError> {
    let not_parquet = || SegmentError::damaged("the rows' file does not end as Parquet does");
    let (len, magic) = end.split_first_chunk::<4>().ok_or_else(not_parquet)?;
    let last = file_bytes.checked_sub(END_BYTES).filter(|_| magic == b"PAR1").ok_or_else(not_parquet)?;
    let first = last.checked_sub(u64::from(u32::from_le_bytes(*len))).ok_or_else(not_parquet)?;
    Ok(first..last)
}

/// A manifest that was found in a footer.
#[derive(Debug)]
pub(crate) struct EmbeddedManifest {
    json: String,
    file_bytes: u64,
    checked_from: u64,
}

impl EmbeddedManifest {
    /// Looks for it in a footer, which begins at `start` of a file of so many bytes.
    pub(crate) fn find(footer: &[u8], start: u64, file_bytes: u64) -> Result<Self, SegmentError> {
        let metadata = ParquetMetaDataReader::decode_metadata(footer)
            .map_err(|error| SegmentError::damaged(format!("the footer of the rows' file: {error}")))?;
        let values = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let json = values.filter(|value| value.key == KEY).find_map(|value| value.value.clone());
        let json = json.ok_or_else(|| SegmentError::damaged("the footer of the rows' file has no manifest"))?;
        let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        let indexes = columns.flat_map(|chunk| [chunk.column_index_offset(), chunk.offset_index_offset()]);
        let checked_from = indexes.flatten().map(|offset| offset as u64).min().unwrap_or(start).min(start);
        Ok(Self { json, file_bytes, checked_from })
    }

    /// The part of the file that the manifest has a checksum of.
    pub(crate) fn checked(&self) -> Range<u64> {
        self.checked_from..self.file_bytes
    }

    /// The manifest's bytes, with the checksum of that part, as it is now. `has_index` says whether the index is still there.
    pub(crate) fn manifest(&self, checked: &[u8], has_index: bool) -> Result<Vec<u8>, SegmentError> {
        check_format_of(&self.json)?;
        let rows =
            Checked { bytes: self.file_bytes, checked_bytes: checked.len() as u64, crc32c: crc32c::crc32c(checked) };
        let unreadable =
            |error: serde_json::Error| SegmentError::damaged(format!("the manifest in the footer: {error}"));
        let of_series = format!("\"journal\":\"{}\"", Signal::Metrics.name());
        if self.json.contains(&of_series) {
            let mut manifest: SeriesManifest = serde_json::from_str(&self.json).map_err(unreadable)?;
            if !has_index {
                return Err(SegmentError::damaged("the index of its series is gone, which nothing else says"));
            }
            manifest.archived.as_mut().ok_or_else(|| SegmentError::damaged("the manifest in the footer"))?.rows = rows;
            return Ok(manifest.to_bytes());
        }
        let mut manifest: Manifest = serde_json::from_str(&self.json).map_err(unreadable)?;
        manifest.spans = rows;
        manifest.index = manifest.index.filter(|_| has_index);
        Ok(manifest.to_bytes())
    }
}
