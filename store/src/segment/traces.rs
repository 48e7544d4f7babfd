//! Reads the rows of traces: their rows by the index, then each row group's columns once for all of them.

use std::collections::HashMap;

use weir_proto::{Signal, SpanId, TraceId};

use super::{
    Segment, SegmentError,
    chunk_reader::{Block, ChunkReader},
    line_record, record,
    scan::within,
    schema::{fixed, lines},
};
use crate::ask::{
    line::TraceLines,
    span::{Room, SpanRecord, TraceRows},
};
use crate::columns::Values;

/// Where rows of a row group take more than this on average, some of them may be large: they are read a few at a time.
const MEAN_ROW_BYTES_LARGE: u64 = 512;

/// How many at first.
const ROWS_FIRST: usize = if cfg!(test) { 2 } else { 16 };

/// How many then: those that take about so much memory.
const BYTES_AT_ONCE: u64 = 8 << 20;

/// And never more than this.
const ROWS_AT_ONCE_MAX: u64 = 4096;

/// Lines that are read at first where none is large: their bodies are put together before it is asked whether there is room.
const LINES_FIRST: usize = if cfg!(test) { 3 } else { 1024 };

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
        let mut traces = [TraceRows::default()];
        self.read_located(&located, &mut |_| true, &mut traces)?;
        let [found] = traces;
        Ok(found.rows)
    }

    /// The rows of the first `rows_max` lines of a trace, or of one of its spans: of a segment of logs.
    pub(crate) fn locate_lines(
        &self,
        trace: TraceId,
        span: Option<SpanId>,
        rows_max: usize,
    ) -> Result<LocatedRows, SegmentError> {
        let Some(span) = span else { return Ok(self.locate(&[trace], rows_max)?.unwrap_or_default()) };
        let mut located = self.locate(&[trace], usize::MAX)?.unwrap_or_default();
        located = self.located_with(located, span)?;
        located.0.truncate(rows_max);
        Ok(located)
    }

    /// Adds the lines in those rows, in row order, while there is room: of a segment of logs.
    pub(crate) fn read_lines(
        &self,
        located: &LocatedRows,
        room: Room<'_>,
        found: &mut TraceLines,
    ) -> Result<(), SegmentError> {
        if located.0.is_empty() {
            return Ok(());
        }
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        for of_group in located.0.chunk_by(|a, b| a.group == b.group) {
            let group = of_group[0].group;
            let has_large = self.mean_row_bytes(&reader, group) > MEAN_ROW_BYTES_LARGE;
            let mut at_once = if has_large { ROWS_FIRST } else { LINES_FIRST };
            let mut left = of_group;
            while !left.is_empty() && !found.is_cut {
                let (some, rest) = left.split_at(left.len().min(at_once));
                left = rest;
                let rows: Vec<u32> = some.iter().map(|located| located.row).collect();
                let mut bytes = 0;
                line_record::read(&reader, group, &rows, &mut |record| {
                    bytes += record.memory_bytes();
                    found.is_cut = !room(record.memory_bytes());
                    if !found.is_cut {
                        found.rows.push(record);
                    }
                    !found.is_cut
                })?;
                at_once = rows_within(bytes, some.len());
            }
        }
        Ok(())
    }

    /// The rows of traces, of a single one the first `rows_max`; `None` when several have more than that.
    pub(crate) fn locate(&self, traces: &[TraceId], rows_max: usize) -> Result<Option<LocatedRows>, SegmentError> {
        let mut located = LocatedRows::default();
        let extents = self.rows_of_traces(traces, &|| false)?;
        if extents.is_empty() {
            return Ok(Some(located));
        }
        let numbers: HashMap<&[u8], u32> = traces.iter().map(|trace| &trace.0[..]).zip(0..).collect();
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut candidates: Vec<u32> = Vec::new();
        for group in 0..self.group_starts.len() {
            candidates.clear();
            candidates.extend(within(&extents, self.group_starts[group], 0..self.group_rows(group)).flatten());
            if candidates.is_empty() {
                continue;
            }
            let of_traces = traces_of(&reader, (group, self.table().trace_id), &candidates, &numbers)?;
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

    /// Those of the rows whose span has this id.
    pub(crate) fn located_with(&self, mut located: LocatedRows, span: SpanId) -> Result<LocatedRows, SegmentError> {
        if located.0.is_empty() {
            return Ok(located);
        }
        let wanted = u64::from_le_bytes(span.0);
        let column = if self.table().signal == Signal::Logs { lines::SPAN_ID } else { fixed::SPAN_ID };
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut found = Vec::new();
        for of_group in located.0.chunk_by(|a, b| a.group == b.group) {
            let rows: Vec<u32> = of_group.iter().map(|located| located.row).collect();
            let ids: Block = reader.read_rows(of_group[0].group, column, &rows)?;
            let Values::Words(words) = &ids.column.values else { continue };
            let is_wanted = |row: u32| ids.position(row).is_some_and(|at| words[at] == wanted);
            found.extend(of_group.iter().filter(|located| is_wanted(located.row)));
        }
        located.0 = found;
        Ok(located)
    }

    /// Adds the spans in those rows to their traces, in row order, while there is room.
    pub(crate) fn read_located(
        &self,
        located: &LocatedRows,
        room: Room<'_>,
        traces: &mut [TraceRows],
    ) -> Result<(), SegmentError> {
        if located.0.is_empty() {
            return Ok(());
        }
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut is_full = false;
        for of_group in located.0.chunk_by(|a, b| a.group == b.group) {
            let group = of_group[0].group;
            let has_large = self.mean_row_bytes(&reader, group) > MEAN_ROW_BYTES_LARGE;
            let mut at_once = if has_large { ROWS_FIRST } else { usize::MAX };
            let mut left = of_group;
            while !left.is_empty() {
                let (some, rest) = left.split_at(left.len().min(at_once));
                left = rest;
                if is_full {
                    some.iter().for_each(|located| traces[located.trace as usize].is_cut = true);
                    continue;
                }
                let rows: Vec<u32> = some.iter().map(|located| located.row).collect();
                let (mut bytes, mut next) = (0, some.iter());
                record::read(&reader, group, &rows, &mut |record| {
                    let record_bytes = record.memory_bytes();
                    bytes += record_bytes;
                    is_full = !room(record_bytes);
                    if !is_full && let Some(located) = next.next() {
                        traces[located.trace as usize].rows.push(record);
                    }
                    !is_full
                })?;
                next.for_each(|located| traces[located.trace as usize].is_cut = true);
                if has_large {
                    at_once = rows_within(bytes, some.len());
                }
            }
        }
        Ok(())
    }

    fn mean_row_bytes(&self, reader: &ChunkReader<'_>, group: usize) -> u64 {
        let bytes = u64::try_from(reader.metadata.row_group(group).total_byte_size()).unwrap_or(0);
        bytes / u64::from(self.group_rows(group)).max(1)
    }
}

/// Rows that take about [`BYTES_AT_ONCE`] when so many took so many bytes.
fn rows_within(bytes: u64, rows: usize) -> usize {
    let mean_bytes = (bytes / (rows as u64).max(1)).max(1);
    (BYTES_AT_ONCE / mean_bytes).clamp(1, ROWS_AT_ONCE_MAX) as usize
}

/// The rows that belong to one of the traces, out of `candidates`; each distinct id is looked up once.
fn traces_of(
    reader: &ChunkReader<'_>,
    (group, column): (usize, usize),
    candidates: &[u32],
    numbers: &HashMap<&[u8], u32>,
) -> Result<Vec<(u32, u32)>, SegmentError> {
    let ids: Block = reader.read_rows(group, column, candidates)?;
    let Values::Bytes { codes, dictionary } = &ids.column.values else { return Ok(Vec::new()) };
    let of_code: Vec<Option<u32>> =
        (0..dictionary.len() as u32).map(|code| numbers.get(dictionary.get(code)).copied()).collect();
    let of_row = |row: u32| Some((row, of_code[codes[ids.position(row)?] as usize]?));
    Ok(candidates.iter().filter_map(|&row| of_row(row)).collect())
}
