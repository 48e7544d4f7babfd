//! The index of an archived segment: looked at whole, and made anew from the rows.

use super::stub::{ArchivedManifest, Kind};
use crate::segment::{
    Segment, SegmentError, manifest::Checked, merge::add_traces, trace_index::TraceIndex, trace_rows::TraceRows,
};

impl ArchivedManifest {
    /// Whether these are the bytes of its index: all of them.
    ///
    /// # Errors
    ///
    /// `Damaged` when they are not.
    pub(crate) fn check_index(&self, bytes: &[u8]) -> Result<(), SegmentError> {
        match self.kind() {
            Kind::Series(manifest, _) => manifest.check_index(bytes),
            Kind::Rows(manifest) => match &manifest.index {
                Some(checked) => check(checked, bytes),
                None => Err(SegmentError::damaged("an index that its manifest does not know")),
            },
        }
    }
}

fn check(checked: &Checked, bytes: &[u8]) -> Result<(), SegmentError> {
    let header = bytes.get(..checked.checked_bytes as usize).filter(|_| bytes.len() as u64 == checked.bytes);
    let header = header.filter(|header| crc32c::crc32c(header) == checked.crc32c);
    let header = header.ok_or_else(|| SegmentError::damaged("traces.idx: not the one that its manifest knows"))?;
    TraceIndex::read(header, checked.bytes)?.check(bytes)
}

impl Segment {
    /// Whether it has an index that is lost or damaged here: then its rows are looked through.
    pub(crate) fn lacks_index(&self) -> bool {
        self.manifest.index.is_some() && self.has_no_sound_index()
    }

    /// The index' bytes, made from the rows. Reads a column of all of them.
    pub(crate) fn index_from_rows(&self) -> Result<Vec<u8>, SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut traces = TraceRows::default();
        for (group, &first) in self.group_starts.iter().enumerate() {
            let rows = 0..self.group_rows(group);
            let block = reader.read(group, self.table().trace_id, rows.clone())?;
            add_traces(&mut traces, &block, &rows, first as u32)?;
        }
        Ok(traces.finish(self.rows()).0)
    }
}
