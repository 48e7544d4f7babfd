//! Finds the newest traces with a span that fulfils a filter.

use std::time::Instant;

use weir_proto::TraceId;

use super::{
    Segment, SegmentError,
    chunk_reader::ChunkReader,
    schema::fixed,
    selection::Selection,
    tags::{GroupRows, TagPlan},
};
use crate::ask::{search::NewestTraces, span::SpanFilter};

/// Rows of a row group whose trace ids are read at first; each further time more.
const OFFERED_FIRST: usize = if cfg!(all(test, debug_assertions)) { 4 } else { 256 };

/// Rows of a row group that are looked into first when that means reading JSON.
const NEWEST_ROWS: usize = if cfg!(all(test, debug_assertions)) { 100 } else { 8192 };

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// Everything that could matter was looked at.
    Whole,
    /// The deadline came first.
    Cut,
}

impl Segment {
    /// Offers every trace with a fitting span to `newest`, newest row groups first; leaves out what cannot change the result.
    pub fn search(
        &self,
        filter: &SpanFilter,
        newest: &mut NewestTraces,
        deadline: Instant,
    ) -> Result<Searched, SegmentError> {
        let Some((min, max)) = self.start_ns() else { return Ok(Searched::Whole) };
        if max < *filter.start_ns.start() || min > *filter.start_ns.end() || max < newest.floor_ns() {
            return Ok(Searched::Whole);
        }
        let mut tags: Vec<TagPlan<'_>> = filter.tags.iter().map(|tag| TagPlan::new(self, tag)).collect();
        tags.sort_by_key(TagPlan::cost);
        if !self.operations_fit(filter) || tags.iter().any(TagPlan::is_hopeless) {
            return Ok(Searched::Whole);
        }
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut groups: Vec<(u64, usize)> = (0..self.group_starts.len())
            .map(|group| (times(&reader, group).map_or(u64::MAX, |(_, max)| max), group))
            .collect();
        groups.sort_unstable();
        for &(max, group) in groups.iter().rev() {
            if max < newest.floor_ns() {
                break;
            }
            if Instant::now() >= deadline {
                return Ok(Searched::Cut);
            }
            self.search_group(&reader, group, (filter, &tags), newest)?;
        }
        Ok(Searched::Whole)
    }

    /// Whether the manifest's operations leave hope for service, name and kind.
    fn operations_fit(&self, filter: &SpanFilter) -> bool {
        self.manifest.operations_cut
            || self.manifest.operations.iter().any(|operation| {
                filter.service.as_ref().is_none_or(|service| *service == operation.service)
                    && filter.name.as_ref().is_none_or(|name| *name == operation.name)
                    && filter.kind.is_none_or(|kind| kind == operation.kind)
            })
    }

    fn search_group(
        &self,
        reader: &ChunkReader<'_>,
        group: usize,
        (filter, tags): (&SpanFilter, &[TagPlan<'_>]),
        newest: &mut NewestTraces,
    ) -> Result<(), SegmentError> {
        if !numbers_fit(reader, group, filter) {
            return Ok(());
        }
        let rows = GroupRows { segment: self, reader, group };
        // What tells that nothing fits without a value read comes before all that reads.
        let mut hopes = Vec::with_capacity(tags.len());
        for tag in tags {
            let Some(of_tag) = tag.hopes(&rows)? else { return Ok(()) };
            hopes.push(of_tag);
        }
        let mut selection = Selection::all(self.group_rows(group));
        // The cheap and the choosy first: each further column is read only where rows are left.
        narrow_text(&rows, fixed::SERVICE, filter.service.as_deref(), &mut selection)?;
        narrow_text(&rows, fixed::NAME, filter.name.as_deref(), &mut selection)?;
        for (column, wanted) in [(fixed::KIND, filter.kind), (fixed::STATUS_CODE, filter.status_code)] {
            if let Some(wanted) = wanted {
                narrow_words(&rows, column, |word| word as i64 == i64::from(wanted), &mut selection)?;
            }
        }
        if filter.duration_ns != (0..=u64::MAX) {
            narrow_words(&rows, fixed::DURATION, |ns| filter.duration_ns.contains(&ns), &mut selection)?;
        }
        let floor_ns = newest.floor_ns();
        let start_ns = floor_ns.max(*filter.start_ns.start())..=*filter.start_ns.end();
        if times(reader, group).is_none_or(|(min, max)| !start_ns.contains(&min) || !start_ns.contains(&max)) {
            narrow_words(&rows, fixed::START_TIME, |ns| start_ns.contains(&ns), &mut selection)?;
        }
        let is_costly = tags.last().is_some_and(TagPlan::reads_json);
        for mut some in if is_costly { newest_first(&rows, selection)? } else { vec![selection] } {
            // The first may have raised it.
            let raised_ns = newest.floor_ns();
            if is_costly && raised_ns > floor_ns && !some.is_empty() {
                narrow_words(&rows, fixed::START_TIME, |ns| ns >= raised_ns, &mut some)?;
            }
            for (tag, of_tag) in tags.iter().zip(&hopes) {
                if !some.is_empty() {
                    tag.narrow(&rows, of_tag, &mut some)?;
                }
            }
            offer(&rows, &some, newest)?;
        }
        Ok(())
    }
}

/// The newest of many rows by themselves, then the others: where much fits, texts of a few pages are enough.
fn newest_first(rows: &GroupRows<'_>, selection: Selection) -> Result<Vec<Selection>, SegmentError> {
    let all: Vec<u32> = selection.iter().collect();
    if all.len() < 2 * NEWEST_ROWS {
        return Ok(vec![selection]);
    }
    let starts = rows.reader.read_rows(rows.group, fixed::START_TIME, &all)?;
    let start_of = |row: u32| starts.position(row).map_or(0, |at| starts.column.word(at));
    let mut order: Vec<u64> = all.iter().map(|&row| start_of(row)).collect();
    let (_, &mut oldest_ns, _) = order.select_nth_unstable_by(NEWEST_ROWS - 1, |a, b| b.cmp(a));
    let (mut newest, mut others) = (rows.none(), selection);
    all.into_iter().filter(|&row| start_of(row) >= oldest_ns).for_each(|row| newest.insert(row));
    others.leave_out(&newest);
    Ok(vec![newest, others])
}

/// Offers the traces of rows, newest first, until the others cannot matter.
fn offer(rows: &GroupRows<'_>, selection: &Selection, newest: &mut NewestTraces) -> Result<(), SegmentError> {
    let (reader, group) = (rows.reader, rows.group);
    let hits: Vec<u32> = selection.iter().collect();
    if hits.is_empty() {
        return Ok(());
    }
    let starts = reader.read_rows(group, fixed::START_TIME, &hits)?;
    let start_of = |row: u32| starts.position(row).map_or(0, |at| starts.column.word(at));
    let mut by_start: Vec<(u64, u32)> = hits.iter().map(|&row| (start_of(row), row)).collect();
    by_start.sort_unstable_by_key(|&(start_ns, row)| (std::cmp::Reverse(start_ns), row));
    let mut from = 0;
    let mut count = OFFERED_FIRST;
    while from < by_start.len() && by_start[from].0 >= newest.floor_ns() {
        let some = &by_start[from..by_start.len().min(from + count)];
        let mut wanted: Vec<u32> = some.iter().map(|&(_, row)| row).collect();
        wanted.sort_unstable();
        let ids = reader.read_rows(group, fixed::TRACE_ID, &wanted)?;
        for &(start_ns, row) in some {
            let id = ids.position(row).and_then(|at| ids.column.bytes(at).try_into().ok());
            newest.offer(TraceId(id.ok_or_else(|| SegmentError::damaged("trace id"))?), start_ns);
        }
        from += some.len();
        count *= 8;
    }
    Ok(())
}

fn narrow_text(
    rows: &GroupRows<'_>,
    column: usize,
    wanted: Option<&str>,
    selection: &mut Selection,
) -> Result<(), SegmentError> {
    let Some(wanted) = wanted.filter(|_| !selection.is_empty()) else { return Ok(()) };
    let mut found = rows.none();
    rows.find_text(column, wanted.as_bytes(), selection, &mut found)?;
    selection.keep(&found);
    Ok(())
}

fn narrow_words(
    rows: &GroupRows<'_>,
    column: usize,
    fits: impl Fn(u64) -> bool,
    selection: &mut Selection,
) -> Result<(), SegmentError> {
    if selection.is_empty() {
        return Ok(());
    }
    let mut found = rows.none();
    rows.find_words(column, selection, fits, &mut found)?;
    selection.keep(&found);
    Ok(())
}

/// Smallest and largest start of a row group, where its statistics tell.
fn times(reader: &ChunkReader<'_>, group: usize) -> Option<(u64, u64)> {
    let (min, max) = reader.int_range(group, fixed::START_TIME)?;
    // Times beyond the year 2262 are negative as signed numbers: then the order says nothing.
    (min >= 0).then_some((min as u64, max as u64))
}

/// Whether a row group's statistics leave hope for times and numbers.
fn numbers_fit(reader: &ChunkReader<'_>, group: usize, filter: &SpanFilter) -> bool {
    if let Some((min, max)) = times(reader, group)
        && (max < *filter.start_ns.start() || min > *filter.start_ns.end())
    {
        return false;
    }
    if let Some((min, max)) = reader.int_range(group, fixed::DURATION)
        && min >= 0
        && ((max as u64) < *filter.duration_ns.start() || min as u64 > *filter.duration_ns.end())
    {
        return false;
    }
    let number = |column: usize, wanted: Option<i32>| match (wanted, reader.int_range(group, column)) {
        (Some(wanted), Some((min, max))) => (min..=max).contains(&i64::from(wanted)),
        _ => true,
    };
    number(fixed::KIND, filter.kind) && number(fixed::STATUS_CODE, filter.status_code)
}
