//! Decides, by manifest, footer and trace-id index alone, which row groups can hold rows that fulfil a filter.

use std::ops::Range;

use parquet::file::statistics::Statistics;
use weir_proto::{Signal, TraceId};

use super::{attribute, fixed_column, labels, passing, tagged};
use crate::{
    ask::{filter::ScanFilter, pruned::Pruned, request::ScanColumn},
    segment::{Segment, SegmentError, chunk_reader::ChunkReader, trace_index::joined},
};

/// Traces that are looked up between two questions whether to give up.
const TRACES_BETWEEN: usize = if cfg!(debug_assertions) { 4 } else { 64 };

/// Of a row group that takes more, as its columns are encoded, only some rows are read in one part.
const PART_BYTES_MAX: u64 = if cfg!(all(test, debug_assertions)) { 256 << 10 } else { 128 << 20 };

/// Rows of one row group.
#[derive(Debug, Clone, Hash)]
pub struct SegmentPart {
    pub(super) group: usize,
    pub(super) rows: Range<u32>,
    /// Smallest and largest start of the row group, Unix ns.
    pub(crate) start_ns: (u64, u64),
}

impl SegmentPart {
    /// The same rows in several parts.
    pub(crate) fn split(&self, rows_max: u32) -> Vec<Self> {
        let starts = self.rows.clone().step_by(rows_max.max(1) as usize);
        let piece = |start: u32| Self { rows: start..self.rows.end.min(start + rows_max.max(1)), ..self.clone() };
        starts.map(piece).collect()
    }

    /// Rows at most.
    pub(crate) fn rows_max(&self) -> u64 {
        u64::from(self.rows.end - self.rows.start)
    }
}

impl Segment {
    /// The parts that may hold such rows. Counts the segment, and what it leaves out, in `pruned`.
    pub fn parts(
        &self,
        filter: &ScanFilter,
        pruned: &mut Pruned,
        gives_up: &dyn Fn() -> bool,
    ) -> Result<Vec<SegmentPart>, SegmentError> {
        pruned.segments += 1;
        let Some((min, max)) = self.start_ns() else { return Ok(Vec::new()) };
        if max < *filter.start_ns.start() || min > *filter.start_ns.end() {
            pruned.segments_by_time += 1;
            return Ok(Vec::new());
        }
        if !self.operations_may_fit(filter) {
            pruned.segments_by_operation += 1;
            return Ok(Vec::new());
        }
        let has_attributes = filter
            .attributes
            .iter()
            .all(|condition| !attribute::sources(self, condition.place, &condition.key).is_empty());
        if !has_attributes || !tagged::may_show(self, filter) {
            pruned.segments_by_attribute += 1;
            return Ok(Vec::new());
        }
        // A label that is an id, and nothing else in this segment, is looked up as well.
        let beside = filter.beside.iter().filter(|test| !labels::may_be_attribute(self, test.label()));
        let beside: Vec<TraceId> = beside.filter_map(labels::trace_of).take(1).collect();
        let extents = match &filter.trace_ids {
            Some(traces) => Some(self.rows_of_traces(traces, gives_up)?),
            None if !beside.is_empty() => Some(self.rows_of_traces(&beside, gives_up)?),
            None => None,
        };
        if extents.as_ref().is_some_and(Vec::is_empty) {
            pruned.segments_by_trace_index += 1;
            return Ok(Vec::new());
        }
        // The footer is in memory, nothing else is read: an unopened reader would do.
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut parts = Vec::new();
        for group in 0..self.group_starts.len() {
            pruned.row_groups += 1;
            let bounds = start_bounds(&reader, group);
            if !self.statistics_may_fit(&reader, group, filter, bounds) {
                pruned.row_groups_by_statistics += 1;
                continue;
            }
            let start_ns = bounds.unwrap_or((min, max));
            let before = parts.len();
            for rows in reader.stretches(group, PART_BYTES_MAX) {
                let part = |rows| SegmentPart { group, rows, start_ns };
                match &extents {
                    None => parts.push(part(rows)),
                    Some(extents) => {
                        parts.extend(within(extents, self.group_starts[group], rows).map(part));
                    }
                }
            }
            pruned.row_groups_by_trace_index += u64::from(parts.len() == before);
        }
        Ok(parts)
    }

    fn operations_may_fit(&self, filter: &ScanFilter) -> bool {
        // Only spans have any.
        self.manifest.operations_cut
            || self.table().signal != Signal::Traces
            || self.manifest.operations.iter().any(|operation| {
                filter.fits_operation(operation.service.as_bytes(), operation.name.as_bytes(), operation.kind)
            })
    }

    /// The segment's rows among which those of the traces lie, ascending, without overlap. Some, when it gives up.
    pub(in crate::segment) fn rows_of_traces(
        &self,
        traces: &[TraceId],
        gives_up: &dyn Fn() -> bool,
    ) -> Result<Vec<Range<u64>>, SegmentError> {
        let mut extents: Vec<Range<u64>> = Vec::new();
        let file = self.index_file()?;
        for (at, &trace) in traces.iter().enumerate() {
            if at % TRACES_BETWEEN == TRACES_BETWEEN - 1 && gives_up() {
                break;
            }
            let found = self.extents(trace, file.as_ref())?;
            extents.extend(joined(&found));
        }
        extents.sort_by_key(|extent| extent.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for extent in extents {
            match merged.last_mut() {
                Some(last) if extent.start <= last.end => last.end = last.end.max(extent.end),
                _ => merged.push(extent),
            }
        }
        Ok(merged)
    }

    fn statistics_may_fit(
        &self,
        reader: &ChunkReader<'_>,
        group: usize,
        filter: &ScanFilter,
        starts: Option<(u64, u64)>,
    ) -> bool {
        if starts.is_some_and(|(min, max)| max < *filter.start_ns.start() || min > *filter.start_ns.end()) {
            return false;
        }
        if let Some((min, max)) =
            fixed_column(self.table(), &ScanColumn::Duration).and_then(|column| reader.int_range(group, column))
            && min >= 0
            && ((max as u64) < *filter.duration_ns.start() || min as u64 > *filter.duration_ns.end())
        {
            return false;
        }
        let column = |scanned: ScanColumn| fixed_column(self.table(), &scanned);
        let ints = |scanned| column(scanned).and_then(|column| reader.int_range(group, column));
        let range = |scanned| column(scanned).and_then(|column| text_range(reader, group, column));
        let numbers = |scanned: ScanColumn, wanted: &Option<Vec<i32>>| match (wanted, ints(scanned)) {
            (Some(wanted), Some((min, max))) => wanted.iter().any(|&one| (min..=max).contains(&i64::from(one))),
            _ => true,
        };
        let texts = |scanned: ScanColumn, wanted: &Option<Vec<String>>| match (wanted, range(scanned)) {
            (Some(wanted), Some((min, max))) => wanted.iter().any(|one| min <= one.as_bytes() && one.as_bytes() <= max),
            _ => true,
        };
        numbers(ScanColumn::Kind, &filter.kinds)
            && numbers(ScanColumn::StatusCode, &filter.status_codes)
            && texts(ScanColumn::Service, &filter.services)
            && texts(ScanColumn::Name, &filter.names)
            && filter.attributes.iter().all(|condition| {
                let sources = attribute::sources(self, condition.place, &condition.key);
                passing::may_pass(reader, group, &sources, &condition.test)
            })
    }
}

/// The parts of `extents` (of the segment's rows) that lie in a row group, as rows of the group.
pub(in crate::segment) fn within(
    extents: &[Range<u64>],
    first_row: u64,
    rows: Range<u32>,
) -> impl Iterator<Item = Range<u32>> {
    let (start, end) = (first_row + u64::from(rows.start), first_row + u64::from(rows.end));
    extents
        .iter()
        .map(move |extent| extent.start.max(start)..extent.end.min(end))
        .filter(|extent| extent.start < extent.end)
        .map(move |extent| (extent.start - first_row) as u32..(extent.end - first_row) as u32)
}

/// Smallest and largest start of a row group. Times beyond the year 2262 are negative as signed numbers: then the order says nothing.
fn start_bounds(reader: &ChunkReader<'_>, group: usize) -> Option<(u64, u64)> {
    let (min, max) = reader.int_range(group, reader.table.time)?;
    (min >= 0).then_some((min as u64, max as u64))
}

fn text_range<'a>(reader: &ChunkReader<'a>, group: usize, column: usize) -> Option<(&'a [u8], &'a [u8])> {
    match reader.chunk(group, column)?.statistics()? {
        Statistics::ByteArray(bounds) => Some((bounds.min_bytes_opt()?, bounds.max_bytes_opt()?)),
        _ => None,
    }
}
