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
use weir_store::{NewestTraces, ReadBounds, ScanColumn};

use super::{parallel::threads, plan::Plan, red::Scans};

/// A trace in the order of pages: by the start of its newest span that fits, then by its id.
pub(crate) type Place = (u64, TraceId);

/// What was found of a page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) traces: Vec<Place>,
    /// There may be more after the last.
    pub(crate) has_more: bool,
    pub(crate) is_late: bool,
    pub(crate) is_damaged: bool,
}

const WANTED: [ScanColumn; 2] = [ScanColumn::TraceId, ScanColumn::StartTime];

/// The newest `limit` traces after `after`, or of all.
pub(crate) fn page(plan: &Plan, after: Option<Place>, limit: usize, scan: Scans<'_>, deadline: Instant) -> Page {
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
    after: Option<Place>,
    limit: usize,
    scan: Scans<'_>,
    deadline: Instant,
    page: &mut Page,
) -> Vec<Place> {
    let mut plan = plan.clone();
    if let Some((start_ns, _)) = after {
        let bounds = &plan.filter.start_ns;
        plan.filter.start_ns = *bounds.start()..=*bounds.end().min(&start_ns);
    }
    let batches = scan(plan.request(&WANTED));
    let batches = batches.as_ref();
    let parts = batches.parts_rows_max().len();
    let newest = Mutex::new(NewestTraces::new(limit));
    let (next, is_late) = (AtomicUsize::new(0), AtomicBool::new(false));
    let lock = || newest.lock();
    let work = || {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            if Instant::now() >= deadline {
                is_late.store(true, Ordering::Relaxed);
                return;
            }
            let start_min_ns = lock().floor_ns();
            // Parts come with the newest end first: those that follow are older still.
            if batches.part_start_ns(part).1 < start_min_ns {
                return;
            }
            let batch = batches.read_within(part, &ReadBounds { start_min_ns, ..ReadBounds::default() });
            let found = offers(&plan, &batch, after);
            let mut newest = lock();
            found.into_iter().for_each(|(start_ns, id)| newest.offer(id, start_ns));
        }
    };
    match threads(parts) {
        1 => work(),
        threads => thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))),
    }
    page.is_late |= is_late.into_inner();
    page.is_damaged |= batches.is_partial();
    let newest = newest.into_inner();
    newest.into_newest().into_iter().map(|(id, start_ns)| (start_ns, id)).collect()
}

/// A batch's spans that pass, of each trace the newest in a row.
fn offers(plan: &Plan, batch: &RecordBatch, after: Option<Place>) -> Vec<Place> {
    let ids: &FixedSizeBinaryArray = batch.column(0).as_fixed_size_binary();
    let starts = batch.column(1).as_primitive::<TimestampNanosecondType>().values();
    let passing = plan.passing(batch, WANTED.len());
    let mut offers: Vec<Place> = Vec::new();
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
fn seen_before(plan: &Plan, found: &[Place], after: Place, scan: Scans<'_>, page: &mut Page) -> HashSet<TraceId> {
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
        let before = |&(start_ns, id): &Place| start_ns > after.0 || id <= after.1;
        seen.extend(offers(&plan, &batch, None).into_iter().filter(before).map(|(_, id)| id));
    }
    page.is_damaged |= batches.is_partial();
    seen
}

/// A row's trace.
pub(crate) fn trace_id(ids: &FixedSizeBinaryArray, row: usize) -> TraceId {
    TraceId(ids.value(row).try_into().expect("ids are of 16 bytes"))
}
