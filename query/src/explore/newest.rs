//! Finds the newest traces with a span that fulfils conditions, a page at a time.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use arrow_array::{FixedSizeBinaryArray, RecordBatch, cast::AsArray, types::TimestampNanosecondType};
use parking_lot::Mutex;
use weir_proto::TraceId;
use weir_store::{NewestTraces, ReadBounds, ScanColumn, ScanFilter};

use super::{parallel::threads, plan::Plan, red::Scans};
use crate::batches::Batches;

/// A trace in the order of pages: by the start of its newest span that fits, then by its id.
pub(crate) type PagePlace = (u64, TraceId);

/// What was found of a page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) traces: Vec<PagePlace>,
    /// There may be more after the last.
    pub(crate) has_more: bool,
    pub(crate) is_late: bool,
    pub(crate) is_damaged: bool,
}

/// Traces found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Newest first.
    pub(crate) traces: Vec<TraceId>,
    /// The deadline came first, or something cannot be read.
    pub(crate) is_partial: bool,
}

const WANTED: [ScanColumn; 2] = [ScanColumn::TraceId, ScanColumn::StartTime];

/// Rows of a part that are read at first, at least; each further time that many times more.
const ROWS_FIRST: usize = if cfg!(test) { 2 } else { 256 };
const ROWS_FACTOR: usize = 8;

/// Spans of a trace that fit, about: most have fewer.
const ROWS_OF_TRACE: usize = if cfg!(test) { 1 } else { 8 };

/// The newest traces with a span that fulfils a filter.
pub(crate) fn traces(filter: ScanFilter, limit: usize, scan: Scans<'_>, deadline: Instant) -> Found {
    let page = page(&Plan::of_filter(filter), None, limit, scan, deadline);
    let traces = page.traces.into_iter().map(|(_, id)| id).collect();
    Found { traces, is_partial: page.is_late || page.is_damaged }
}

/// The newest `limit` traces after `after`, or of all.
pub(crate) fn page(plan: &Plan, after: Option<PagePlace>, limit: usize, scan: Scans<'_>, deadline: Instant) -> Page {
    let mut page = Page::default();
    let mut after = after;
    while page.traces.len() < limit {
        let wanted = limit - page.traces.len();
        let found = newest(plan, after, wanted, scan, deadline, &mut page);
        page.has_more = found.len() >= wanted;
        let last = found.last().copied();
        let earlier = match after {
            Some(after) => seen_before(plan, &found, after, scan, &mut page),
            None => HashSet::new(),
        };
        page.traces.extend(found.into_iter().filter(|(_, id)| !earlier.contains(id)));
        match last {
            Some(last) if page.has_more && !page.is_late => after = Some(last),
            _ => break,
        }
    }
    page
}

/// The newest traces by their spans after a place; some may have newer ones before it.
fn newest(
    plan: &Plan,
    after: Option<PagePlace>,
    limit: usize,
    scan: Scans<'_>,
    deadline: Instant,
    page: &mut Page,
) -> Vec<PagePlace> {
    let mut plan = plan.clone();
    if let Some((start_ns, _)) = after {
        let bounds = &plan.filter.start_ns;
        plan.filter.start_ns = *bounds.start()..=*bounds.end().min(&start_ns);
    }
    let batches = scan(plan.request(&WANTED));
    let search = Search {
        plan: &plan,
        after,
        batches: batches.as_ref(),
        // Where rows are left to be decided here, nobody knows how many are enough.
        rows_first: plan
            .is_decided_by_store()
            .then(|| AtomicUsize::new(ROWS_FIRST.max(limit.saturating_mul(ROWS_OF_TRACE)))),
        newest: Mutex::new(NewestTraces::new(limit)),
        next: AtomicUsize::new(0),
        is_late: AtomicBool::new(false),
        deadline,
    };
    search.run();
    page.is_late |= search.is_late.into_inner();
    page.is_damaged |= batches.is_partial();
    let newest = search.newest.into_inner();
    newest.into_newest().into_iter().map(|(id, start_ns)| (start_ns, id)).collect()
}

/// A search under way.
struct Search<'a> {
    plan: &'a Plan,
    after: Option<PagePlace>,
    batches: &'a dyn Batches,
    /// So many of a part's newest rows are read at first: as many as the part before needed.
    rows_first: Option<AtomicUsize>,
    newest: Mutex<NewestTraces>,
    /// The part that is read next.
    next: AtomicUsize,
    is_late: AtomicBool,
    deadline: Instant,
}

impl Search<'_> {
    fn run(&self) {
        let parts = self.batches.parts_rows_max().len();
        // Often the newest part has enough: others would be read for nothing.
        if self.rows_first.is_some() && !self.read_next(parts) {
            return;
        }
        let work = || while self.read_next(parts) {};
        match threads(parts) {
            1 => work(),
            threads => thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))),
        }
    }

    /// Reads the next part; false when nothing of it or of those behind it matters.
    fn read_next(&self, parts: usize) -> bool {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        if part >= parts {
            return false;
        }
        if Instant::now() >= self.deadline {
            self.is_late.store(true, Ordering::Relaxed);
            return false;
        }
        // Parts come with the newest end first: those that follow are older still.
        if self.batches.part_start_ns(part).1 < self.newest.lock().floor_ns() {
            return false;
        }
        let mut rows = self.rows_first.as_ref().map(|rows| rows.load(Ordering::Relaxed));
        while !self.read(part, rows) {
            rows = rows.map(|rows| rows.saturating_mul(ROWS_FACTOR));
        }
        if let (Some(first), Some(rows)) = (&self.rows_first, rows) {
            first.fetch_max(rows, Ordering::Relaxed);
        }
        true
    }

    /// Reads a part's newest rows; false when older ones may matter.
    fn read(&self, part: usize, rows: Option<usize>) -> bool {
        let start_min_ns = self.newest.lock().floor_ns();
        let bounds = ReadBounds { start_min_ns, newest: rows, ..ReadBounds::default() };
        let batch = self.batches.read_within(part, &bounds);
        let found = offers(self.plan, &batch, self.after);
        let mut newest = self.newest.lock();
        found.into_iter().for_each(|(start_ns, id)| newest.offer(id, start_ns));
        // Rows that were not read start before this.
        let unread_ns = rows.and_then(|rows| nth_newest(&batch, rows));
        unread_ns.is_none_or(|unread_ns| unread_ns <= newest.floor_ns())
    }
}

/// The start of the nth newest row, where there are more.
fn nth_newest(batch: &RecordBatch, nth: usize) -> Option<u64> {
    if batch.num_rows() < nth.max(1) {
        return None;
    }
    let mut starts = batch.column(1).as_primitive::<TimestampNanosecondType>().values().to_vec();
    let (_, &mut start_ns, _) = starts.select_nth_unstable_by(nth.max(1) - 1, |a, b| b.cmp(a));
    Some(start_ns.max(0) as u64)
}

/// A batch's spans that pass, of each trace the newest in a row.
fn offers(plan: &Plan, batch: &RecordBatch, after: Option<PagePlace>) -> Vec<PagePlace> {
    let ids: &FixedSizeBinaryArray = batch.column(0).as_fixed_size_binary();
    let starts = batch.column(1).as_primitive::<TimestampNanosecondType>().values();
    let passing = plan.passing(batch, WANTED.len());
    let mut offers: Vec<PagePlace> = Vec::new();
    for row in 0..batch.num_rows() {
        if passing.as_ref().is_some_and(|passing| !passing[row]) {
            continue;
        }
        let place = (starts[row].max(0) as u64, trace_id(ids, row));
        if after.is_some_and(|after| place.0 == after.0 && place.1 <= after.1) {
            continue;
        }
        match offers.last_mut().filter(|last| last.1 == place.1) {
            Some(last) => last.0 = last.0.max(place.0),
            None => offers.push(place),
        }
    }
    offers
}

/// Which of the traces have a span that fits at a place or before it: an earlier page has them.
fn seen_before(
    plan: &Plan,
    found: &[PagePlace],
    after: PagePlace,
    scan: Scans<'_>,
    page: &mut Page,
) -> HashSet<TraceId> {
    let mut plan = plan.clone();
    let mut seen = HashSet::new();
    let end_ns = *plan.filter.start_ns.end();
    if found.is_empty() || after.0 > end_ns {
        return seen;
    }
    plan.filter.start_ns = after.0..=end_ns;
    plan.filter.trace_ids = Some(found.iter().map(|(_, id)| *id).collect());
    let batches = scan(plan.request(&WANTED));
    for part in 0..batches.parts_rows_max().len() {
        let batch = batches.read(part);
        let before = |&(start_ns, id): &PagePlace| start_ns > after.0 || id <= after.1;
        seen.extend(offers(&plan, &batch, None).into_iter().filter(before).map(|(_, id)| id));
    }
    page.is_damaged |= batches.is_partial();
    seen
}

/// A row's trace.
pub(crate) fn trace_id(ids: &FixedSizeBinaryArray, row: usize) -> TraceId {
    TraceId(ids.value(row).try_into().expect("ids are of 16 bytes"))
}
