//! Counts the rows of a part by what is equal of them and by pieces of time, without a batch of them. A page of times that lies in one piece is not
//! read.

use std::ops::Range;

use arrow_array::RecordBatch;

use super::{
    arrays,
    classes::{Classes, position},
    gather::ChosenRows,
    group::{GroupRows, batch},
    prune::SegmentPart,
};
use crate::{
    ask::{
        counted::{CountedRows, CutTime, TimePiece},
        pruned::ReadCounts,
        request::{ReadBounds, ScanColumn, ScanRequest},
    },
    columns::{Column, Values},
    segment::{Segment, SegmentError, chunk_reader::ChunkReader},
};

/// More classes are not counted: few rows would be in each.
const CLASSES_MAX: usize = if cfg!(all(test, debug_assertions)) { 40 } else { 4096 };

/// More pairs of a piece and a class are not counted either.
const CELLS_MAX: usize = 1 << 20;

/// Whether rows of such a request can be counted by what they have in its columns: what differs from row to row cannot.
pub(crate) fn is_countable(request: &ScanRequest) -> bool {
    let is_of_few = |column: &ScanColumn| {
        !matches!(
            column,
            ScanColumn::Body
                | ScanColumn::TraceId
                | ScanColumn::SpanId
                | ScanColumn::ObservedTime
                | ScanColumn::EndTime
        )
    };
    request.columns.iter().all(is_of_few)
}

impl Segment {
    /// The rows of a part that fulfil the request's filter, counted by what they have in its columns, times aside; `None` where they have to be
    /// read.
    pub(crate) fn count_part(
        &self,
        part: &SegmentPart,
        request: &ScanRequest,
        bounds: &ReadBounds,
        cut: CutTime<'_>,
        counts: &ReadCounts,
    ) -> Result<Option<CountedRows>, SegmentError> {
        let (rows, resources) = self.narrow(part, request, bounds, counts)?;
        if rows.len() == 0 {
            let classes = RecordBatch::new_empty(request.schema(self.table().signal));
            return Ok(Some(CountedRows { classes, rows: Vec::new() }));
        }
        if rows.len() > self.rows_of_piece(part.group, rows.len(), request)? {
            return Ok(None);
        }
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let group = GroupRows::new(self, &reader, part.group, (&rows, resources.as_ref()));
        group.prefetch(&request.columns);
        let Some((classes, columns)) = classes_of(&group, rows.len(), request)? else { return Ok(None) };
        let mut cells = Cells { cut, classes: &classes, pieces: Vec::new() };
        if !cells.count(self, &reader, part.group, &rows)? {
            return Ok(None);
        }
        let arrays = request.columns.iter().zip(&columns).map(|(wanted, column)| {
            let count = classes.firsts().len() as u32;
            let of_all = if wanted.is_place_in_time() { part.start_ns.0 } else { 1 };
            let values = match column {
                Some(column) => at_rows(column, classes.firsts()),
                None => Column { rows: None, values: Values::Words(vec![of_all; count as usize]) },
            };
            arrays::array(values, count, &wanted.data_type())
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let counted = cells.of_classes();
        Ok(Some(CountedRows {
            classes: batch(request, self.table().signal, arrays, counted.len() as u32)?,
            rows: counted,
        }))
    }
}

/// Classes of rows, and the columns that they were told apart by.
type ColumnClasses = (Classes, Vec<Option<Column>>);

/// The classes of rows that differ in some column, and the columns, without that of times and what is true of all rows; `None` when they are too
/// many, or when a body must be read to tell.
fn classes_of(group: &GroupRows<'_>, rows: u32, request: &ScanRequest) -> Result<Option<ColumnClasses>, SegmentError> {
    let mut classes = Classes::new(rows);
    let mut columns = Vec::with_capacity(request.columns.len());
    for wanted in &request.columns {
        if wanted.is_place_in_time() {
            columns.push(None);
            continue;
        }
        if matches!(wanted, ScanColumn::HasFields | ScanColumn::PlainBody) {
            if !group.are_told()? {
                return Ok(None);
            }
            columns.push((*wanted == ScanColumn::PlainBody).then(Column::sparse_bytes));
            continue;
        }
        let column = group.column(wanted)?;
        let texts = match &column.values {
            Values::Bytes { codes, dictionary } => dictionary.len().min(codes.len()),
            Values::Words(_) => 0,
        };
        if texts > CLASSES_MAX {
            return Ok(None);
        }
        classes.split(&column);
        if classes.firsts().len() > CLASSES_MAX {
            return Ok(None);
        }
        columns.push(Some(column));
    }
    Ok(Some((classes, columns)))
}

/// What a column has at some rows, which count from 0 afterwards.
fn at_rows(column: &Column, rows: &[u32]) -> Column {
    let mut out = match column.values {
        Values::Bytes { .. } => Column::sparse_bytes(),
        Values::Words(_) => Column::sparse_words(),
    };
    for (&row, number) in rows.iter().zip(0..) {
        let Some(at) = position(column, row) else { continue };
        match column.values {
            Values::Bytes { .. } => out.push_bytes(number, column.bytes(at)),
            Values::Words(_) => out.push_word(number, column.word(at)),
        }
    }
    out
}

/// How many rows of each class are in each piece of time.
struct Cells<'c> {
    cut: CutTime<'c>,
    classes: &'c Classes,
    /// With a place for each class.
    pieces: Vec<(i64, Vec<u32>)>,
}

impl Cells<'_> {
    /// Counts all rows; false when there are too many cells.
    fn count(
        &mut self,
        segment: &Segment,
        reader: &ChunkReader<'_>,
        group: usize,
        rows: &ChosenRows,
    ) -> Result<bool, SegmentError> {
        let time = reader.table.time;
        let bounds = segment.times_of_pages(group);
        for (number, page) in reader.rows_of_pages(group, time)?.into_iter().enumerate() {
            let within = match rows {
                ChosenRows::All(_) => page.start as usize..page.end as usize,
                ChosenRows::Some(rows) => {
                    rows.partition_point(|&row| row < page.start)..rows.partition_point(|&row| row < page.end)
                }
            };
            if within.is_empty() {
                continue;
            }
            match bounds.and_then(|bounds| self.piece_of(*bounds.get(number)?)) {
                Some(piece) => {
                    let at = self.at(piece);
                    self.classes.count(within, &mut self.pieces[at].1);
                }
                None => self.count_page(reader, (group, page), (rows, within))?,
            }
            if self.pieces.len() * self.classes.firsts().len() > CELLS_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The piece that all moments of a page are in, if they are in one.
    fn piece_of(&self, (first_ns, last_ns): (i64, i64)) -> Option<i64> {
        let piece = (self.cut)(first_ns);
        (first_ns >= 0 && first_ns <= last_ns && piece.holds(last_ns)).then_some(piece.number)
    }

    /// Counts rows of a page by their times.
    fn count_page(
        &mut self,
        reader: &ChunkReader<'_>,
        (group, page): (usize, Range<u32>),
        (rows, within): (&ChosenRows, Range<usize>),
    ) -> Result<(), SegmentError> {
        let first = page.start;
        let block = reader.read(group, reader.table.time, page)?;
        let Values::Words(times) = &block.column.values else { unreachable!("times are numbers") };
        let mut last: Option<(TimePiece, usize)> = None;
        for position in within {
            let row = match rows {
                ChosenRows::All(_) => position as u32,
                ChosenRows::Some(rows) => rows[position],
            };
            // As batches show times: nothing is negative.
            let time_ns = times[(row - first) as usize].min(i64::MAX as u64) as i64;
            let at = match &last {
                Some((piece, at)) if piece.holds(time_ns) => *at,
                _ => {
                    let piece = (self.cut)(time_ns);
                    let at = self.at(piece.number);
                    last = Some((piece, at));
                    at
                }
            };
            self.pieces[at].1[self.classes.rows()[position] as usize] += 1;
        }
        Ok(())
    }

    /// Where a piece's counts are.
    fn at(&mut self, piece: i64) -> usize {
        // Rows come nearly in the order of time.
        match self.pieces.iter().rposition(|(known, _)| *known == piece) {
            Some(at) => at,
            None => {
                self.pieces.push((piece, vec![0; self.classes.firsts().len()]));
                self.pieces.len() - 1
            }
        }
    }

    /// By class instead.
    fn of_classes(mut self) -> Vec<Vec<(i64, u64)>> {
        self.pieces.sort_unstable_by_key(|(number, _)| *number);
        let mut all = vec![Vec::new(); self.classes.firsts().len()];
        for (number, counts) in &self.pieces {
            for (pieces, &count) in all.iter_mut().zip(counts) {
                if count > 0 {
                    pieces.push((*number, u64::from(count)));
                }
            }
        }
        all
    }
}
