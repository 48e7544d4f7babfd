//! Reads the spans of traces: their rows by the index, then each row group's columns once for all of them.

use std::collections::HashMap;

use weir_proto::TraceId;

use super::{
    Segment, SegmentError,
    chunk_reader::{Block, ChunkReader},
    column::Values,
    record,
    scan::within,
    schema::fixed,
};
use crate::SpanRecord;

/// Where rows of some traces are.
#[derive(Debug, Default)]
pub(crate) struct LocatedRows(Vec<LocatedRow>);

#[derive(Debug, Clone, Copy)]
struct LocatedRow {
    group: usize,
    row: u32,
    /// Which of the traces asked for.
    trace: u32,
}

impl LocatedRows {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Segment {
    /// Every span of a trace, in row order.
    pub fn trace(&self, trace: TraceId) -> Result<Vec<SpanRecord>, SegmentError> {
        self.trace_up_to(trace, usize::MAX)
    }

    /// The first `rows_max` spans of a trace, in row order.
    pub fn trace_up_to(&self, trace: TraceId, rows_max: usize) -> Result<Vec<SpanRecord>, SegmentError> {
        let located = self.locate(&[trace], rows_max)?.unwrap_or_default();
        Ok(self.read_located(&located)?.into_iter().map(|(_, record)| record).collect())
    }

    /// The rows of traces, of a single one the first `rows_max`; `None` when several have more than that.
    pub(crate) fn locate(&self, traces: &[TraceId], rows_max: usize) -> Result<Option<LocatedRows>, SegmentError> {
        let mut located = LocatedRows::default();
        let extents = self.rows_of_traces(traces, &|| false)?;
        if extents.is_empty() {
            return Ok(Some(located));
        }
        let numbers: HashMap<&[u8], u32> = traces.iter().map(|trace| &trace.0[..]).zip(0..).collect();
        let file = self.spans()?;
        let reader = self.reader(&file);
        let mut candidates: Vec<u32> = Vec::new();
        for group in 0..self.group_starts.len() {
            candidates.clear();
            candidates.extend(within(&extents, self.group_starts[group], 0..self.group_rows(group)).flatten());
            if candidates.is_empty() {
                continue;
            }
            let of_traces = traces_of(&reader, group, &candidates, &numbers)?;
            located.0.extend(of_traces.into_iter().map(|(row, trace)| LocatedRow { group, row, trace }));
            if located.len() > rows_max {
                if traces.len() > 1 {
                    return Ok(None);
                }
                located.0.truncate(rows_max);
                break;
            }
        }
        Ok(Some(located))
    }

    /// The spans in those rows, in row order, each with which of the traces asked for it belongs to.
    pub(crate) fn read_located(&self, located: &LocatedRows) -> Result<Vec<(usize, SpanRecord)>, SegmentError> {
        let mut records = Vec::with_capacity(located.len());
        if located.0.is_empty() {
            return Ok(records);
        }
        let file = self.spans()?;
        let reader = self.reader(&file);
        for of_group in located.0.chunk_by(|a, b| a.group == b.group) {
            let rows: Vec<u32> = of_group.iter().map(|located| located.row).collect();
            let traces = of_group.iter().map(|located| located.trace as usize);
            records.extend(traces.zip(record::read(&reader, of_group[0].group, &rows)?));
        }
        Ok(records)
    }
}

/// The rows that belong to one of the traces, out of `candidates`; each distinct id is looked up once.
fn traces_of(
    reader: &ChunkReader<'_>,
    group: usize,
    candidates: &[u32],
    numbers: &HashMap<&[u8], u32>,
) -> Result<Vec<(u32, u32)>, SegmentError> {
    let ids: Block = reader.read_rows(group, fixed::TRACE_ID, candidates)?;
    let Values::Bytes { codes, dictionary } = &ids.column.values else { return Ok(Vec::new()) };
    let of_code: Vec<Option<u32>> =
        (0..dictionary.len() as u32).map(|code| numbers.get(dictionary.get(code)).copied()).collect();
    let of_row = |row: u32| Some((row, of_code[codes[ids.position(row)?] as usize]?));
    Ok(candidates.iter().filter_map(|&row| of_row(row)).collect())
}
