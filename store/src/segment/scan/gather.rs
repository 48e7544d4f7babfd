//! Takes the values of chosen rows out of decoded pages; rows then count from 0 in their order.

use crate::columns::{Column, Dictionary, Values};
use crate::segment::{
    SegmentError,
    chunk_reader::{Block, ChunkReader},
    selection::Selection,
};

/// Rows of a row group.
#[derive(Debug, Clone)]
pub(in crate::segment) enum ChosenRows {
    /// All of this many.
    All(u32),
    /// These, ascending.
    Some(Vec<u32>),
}

impl ChosenRows {
    /// What a selection holds.
    pub(in crate::segment) fn of(selection: &Selection, group_rows: u32) -> Self {
        let count = selection.len();
        if count == group_rows {
            return Self::All(group_rows);
        }
        let mut rows = Vec::with_capacity(count as usize);
        rows.extend(selection.iter());
        Self::Some(rows)
    }

    /// The row at a position.
    #[inline]
    pub(in crate::segment) fn row(&self, position: u32) -> u32 {
        match self {
            Self::All(_) => position,
            Self::Some(rows) => rows[position as usize],
        }
    }

    /// Where a row is among them.
    pub(in crate::segment) fn position(&self, row: u32) -> Option<usize> {
        match self {
            Self::All(rows) => (row < *rows).then_some(row as usize),
            Self::Some(rows) => rows.binary_search(&row).ok(),
        }
    }

    /// Those of them that are said to be kept, by position.
    pub(in crate::segment) fn keep_those(self, is_kept: &[bool]) -> Self {
        const AT_ONCE: usize = 16;
        let mut kept = Vec::new();
        for (at, some) in is_kept.chunks(AT_ONCE).enumerate() {
            // Mostly none is.
            if some.iter().fold(false, |any, is_kept| any | is_kept) {
                let positions = (at * AT_ONCE..).zip(some).filter(|(_, is_kept)| **is_kept);
                kept.extend(positions.map(|(position, _)| self.row(position as u32)));
            }
        }
        Self::Some(kept)
    }

    /// Those of them, by position, that `is_kept`.
    pub(in crate::segment) fn keep(self, is_kept: impl Fn(usize) -> bool) -> Self {
        Self::Some(match self {
            Self::All(rows) => (0..rows).filter(|&row| is_kept(row as usize)).collect(),
            Self::Some(rows) => {
                let kept = rows.into_iter().enumerate().filter(|&(position, _)| is_kept(position));
                kept.map(|(_, row)| row).collect()
            }
        })
    }

    /// The same rows, so many at a time.
    pub(in crate::segment) fn pieces(&self, rows_max: u32) -> Vec<Self> {
        let size = rows_max.max(1) as usize;
        match self {
            Self::All(count) => {
                let starts = (0..*count).step_by(size);
                starts
                    .map(|start| Self::Some((start..count.saturating_sub(start).min(rows_max) + start).collect()))
                    .collect()
            }
            Self::Some(rows) => rows.chunks(size).map(|rows| Self::Some(rows.to_vec())).collect(),
        }
    }

    /// How many.
    pub(in crate::segment) fn len(&self) -> u32 {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len() as u32,
        }
    }
}

/// Of fewer than one of so many rows, values are picked out of pages.
const FEW: usize = if cfg!(all(test, debug_assertions)) { 3 } else { 8 };

fn group_rows(reader: &ChunkReader<'_>, group: usize) -> usize {
    reader.metadata.row_group(group).num_rows() as usize
}

/// A column's values at these rows.
pub(in crate::segment) fn read(
    reader: &ChunkReader<'_>,
    group: usize,
    column: usize,
    rows: &ChosenRows,
) -> Result<Column, SegmentError> {
    let spec = &reader.specs[column];
    if reader.is_empty(group, column) && !spec.required {
        return Ok(Column::empty(spec.kind, false));
    }
    match rows {
        ChosenRows::All(count) => Ok(reader.read(group, column, 0..*count)?.column),
        ChosenRows::Some(rows) if rows.len() < group_rows(reader, group) / FEW => {
            let column = reader.pick_rows(group, column, rows)?;
            Ok(Column { values: compacted(column.values), ..column })
        }
        ChosenRows::Some(rows) => Ok(take(reader.read_rows(group, column, rows)?, rows)),
    }
}

/// The values at these rows (ascending), which count from 0 afterwards.
fn take(block: Block, rows: &[u32]) -> Column {
    let mut out_rows: Option<Vec<u32>> = block.column.rows.as_ref().map(|_| Vec::new());
    let mut positions: Vec<u32> = Vec::with_capacity(rows.len());
    match (&block.column.rows, &mut out_rows) {
        (Some(present), Some(out_rows)) => {
            let mut at = 0;
            for (out, &row) in rows.iter().enumerate() {
                at += gallop(&present[at..], row);
                if present.get(at) == Some(&row) {
                    positions.push(at as u32);
                    out_rows.push(out as u32);
                }
            }
        }
        _ => positions.extend(rows.iter().filter_map(|&row| block.position(row)).map(|at| at as u32)),
    }
    let values = match block.column.values {
        Values::Words(words) => Values::Words(positions.iter().map(|&at| words[at as usize]).collect()),
        Values::Bytes { codes, dictionary } => {
            let codes: Vec<u32> = positions.iter().map(|&at| codes[at as usize]).collect();
            compacted(Values::Bytes { codes, dictionary })
        }
    };
    Column { rows: out_rows, values }
}

/// The same values, without texts that none of them is where these are many.
fn compacted(values: Values) -> Values {
    match values {
        Values::Bytes { codes, dictionary } if codes.len() < dictionary.len() / 2 => compact(&codes, &dictionary),
        values => values,
    }
}

/// How many of the ascending numbers are below `row`: near the front is found soonest.
fn gallop(rows: &[u32], row: u32) -> usize {
    let mut end = 1;
    while end < rows.len() && rows[end] < row {
        end *= 2;
    }
    let end = end.min(rows.len());
    rows[..end].partition_point(|&other| other < row)
}

/// Leaves out what no code stands for.
fn compact(codes: &[u32], dictionary: &Dictionary) -> Values {
    const UNKNOWN: u32 = u32::MAX;
    let mut kept = Dictionary::plain();
    let mut known = vec![UNKNOWN; dictionary.len()];
    let codes = codes
        .iter()
        .map(|&code| {
            let known = &mut known[code as usize];
            if *known == UNKNOWN {
                *known = kept.push(dictionary.get(code));
            }
            *known
        })
        .collect();
    Values::Bytes { codes, dictionary: kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gallops_to_the_first_that_is_not_below() {
        let rows: Vec<u32> = (0..100).map(|n| n * 3).collect();
        for row in 0..310 {
            assert_eq!(gallop(&rows, row), rows.partition_point(|&other| other < row), "{row}");
        }
        assert_eq!(gallop(&[], 5), 0);
        assert_eq!(gallop(&[7], 5), 0);
    }
}
