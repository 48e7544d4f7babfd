//! Makes large segments of small ones, in tiers, behind everything else.

use std::{
    cmp::Reverse,
    ops::Range,
    sync::{Arc, LazyLock},
    time::Duration,
};

use prometheus::{IntCounter, IntCounterVec, register_int_counter, register_int_counter_vec};
use weir_proto::{Signal, TenantId};

use super::{repair, sealer::store_segment};
use crate::{
    archive::overlaps,
    disk,
    lane::shared::Shared,
    segment::{Segment, SegmentError, SegmentId, series::SeriesSegment},
    snapshot::{
        kind::{MergeLimits, NewSegment, SegmentKind},
        stored::StoredSegment,
        view::View,
    },
};

/// How often the merger looks when nobody rings.
const TICK: Duration = Duration::from_secs(1);

/// Pause after an attempt that failed for lack of space.
pub(crate) const RETRY: Duration = Duration::from_secs(10);

/// Neighbours of one tier that are worth a merge.
const FAN_IN_MIN: usize = 4;

/// Inputs of one merge at most.
const FAN_IN_MAX: usize = 16;

/// Segments up to this many rows count as one tier.
const SMALLEST_TIER_ROWS: u64 = 16_384;

static MERGES: LazyLock<IntCounter> =
    LazyLock::new(|| register_int_counter!("weir_merges_total", "Merges done.").expect("registered once"));
static MERGED_ITEMS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("weir_merged_items_total", "Items rewritten by merges, by signal.", &["signal"])
        .expect("registered once")
});

/// What the planner needs to know of a segment.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    rows: u64,
    bytes: u64,
    age_from_ns: u64,
    mergeable: bool,
}

/// Merges until the store stops.
pub(crate) fn run(shared: &Arc<Shared>) {
    lower_priority();
    while !shared.is_stopping() {
        if let Some(damaged) = repair::next_damaged(shared) {
            repair::repair(shared, &damaged);
            continue;
        }
        if let Some(damaged) = repair::next_damaged_series(shared) {
            repair::repair(shared, &damaged);
            continue;
        }
        let (rows, series) = (next_merge(shared), next_series_merge(shared));
        // The lane that is nearer to its refusal first.
        let are_series_first = series.is_some() && series_debt_bytes(shared) >= rows_debt_bytes(shared);
        match (rows, series) {
            (_, Some(inputs)) if are_series_first => merge_segments(shared, &inputs),
            (Some(inputs), _) => merge_segments(shared, &inputs),
            (None, Some(inputs)) => merge_segments(shared, &inputs),
            (None, None) => shared.wait(TICK),
        }
    }
}

/// Bytes that wait in the lane with rows of which most wait.
fn rows_debt_bytes(shared: &Shared) -> u64 {
    Signal::WITH_ROWS.map(|signal| debt_bytes(shared, signal)).into_iter().max().unwrap_or(0)
}

/// Bytes of metrics that wait to be merged.
pub(crate) fn series_debt_bytes(shared: &Shared) -> u64 {
    debt_of::<SeriesSegment>(shared, Signal::Metrics)
}

/// Bytes of a signal that wait to be merged.
pub(crate) fn debt_bytes(shared: &Shared, signal: Signal) -> u64 {
    match signal {
        Signal::Metrics => series_debt_bytes(shared),
        signal => debt_of::<Segment>(shared, signal),
    }
}

fn debt_of<S: SegmentKind>(shared: &Shared, signal: Signal) -> u64 {
    let view = shared.views.current();
    let limits = S::merge_limits(&shared.options);
    S::of_view(&view, signal)
        .values()
        .flat_map(|segments| {
            let candidates = candidates(segments);
            let ranges = plan(&candidates, limits);
            ranges.into_iter().map(move |range| candidates[range].iter().map(|c| c.bytes).sum::<u64>())
        })
        .sum()
}

/// The merge that is worth doing next.
pub(crate) fn next_merge(shared: &Shared) -> Option<Vec<Arc<StoredSegment>>> {
    // The lane that is nearer to its refusal first.
    let mut signals = Signal::WITH_ROWS;
    signals.sort_by_key(|&signal| Reverse(debt_bytes(shared, signal)));
    signals.into_iter().find_map(|signal| next_of(shared, signal)).or_else(|| {
        // Small ones are not left behind when they go to the archive.
        let view = shared.views.current();
        let all =
            signals.into_iter().flat_map(|signal| view.segments(signal).keys().map(move |tenant| (signal, tenant)));
        all.into_iter().find_map(|(signal, tenant)| next_of_old(shared, signal, tenant))
    })
}

/// The same of metrics.
pub(crate) fn next_series_merge(shared: &Shared) -> Option<Vec<Arc<StoredSegment<SeriesSegment>>>> {
    next_of(shared, Signal::Metrics)
}

fn next_of<S: SegmentKind>(shared: &Shared, signal: Signal) -> Option<Vec<Arc<StoredSegment<S>>>> {
    let view = shared.views.current();
    let by_tenant = S::of_view(&view, signal);
    let mut tenants: Vec<&TenantId> = by_tenant.keys().collect();
    tenants.sort_unstable();
    tenants.into_iter().find_map(|tenant| {
        let segments = &by_tenant[tenant];
        let ranges = plan(&candidates(segments), S::merge_limits(&shared.options)).into_iter();
        let range = ranges.into_iter().find(|range| !has_absent(&view, &segments[range.clone()]))?;
        Some(segments[range].to_vec())
    })
}

/// Whether one that is in the archive and cannot be opened for now lies between them: it would count as merged.
fn has_absent<S: SegmentKind>(view: &View, inputs: &[Arc<StoredSegment<S>>]) -> bool {
    !view.absent.is_empty()
        && merged_id(inputs).is_some_and(|id| view.absent.iter().any(|absent| overlaps(&id, &absent.id)))
}

/// Neighbours of a signal with rows that are old enough for the archive and wait to become one segment before they go there.
pub(crate) fn next_of_old(shared: &Shared, signal: Signal, tenant: &TenantId) -> Option<Vec<Arc<StoredSegment>>> {
    let archive = shared.archive.as_ref()?;
    let age_ns = u64::try_from(archive.options.segment_age_max.as_nanos()).unwrap_or(u64::MAX);
    let oldest_ns = archive.now_ns().checked_sub(age_ns)?;
    let view = shared.views.current();
    let segments = view.segments(signal).get(tenant)?;
    let range = old_neighbours(&candidates(segments), Segment::merge_limits(&shared.options), oldest_ns)?;
    (!has_absent(&view, &segments[range.clone()])).then(|| segments[range].to_vec())
}

/// The first run of two or more neighbours whose age counts from before `oldest_ns`, as long as may be.
fn old_neighbours(segments: &[Candidate], limits: MergeLimits, oldest_ns: u64) -> Option<Range<usize>> {
    let mut start = 0;
    while start < segments.len() {
        let end = run_end(segments, start, u32::MAX, limits);
        let old = segments[start..end].iter().take_while(|segment| segment.age_from_ns <= oldest_ns).count();
        if old > 1 {
            return Some(start..start + old);
        }
        // What ends a run may begin the next.
        start += 1;
    }
    None
}

/// Runs of neighbours that are worth a merge, of those that may be merged by `may`.
pub(crate) fn runs<S: SegmentKind>(
    segments: &[Arc<StoredSegment<S>>],
    limits: MergeLimits,
    may: impl Fn(&StoredSegment<S>) -> bool,
) -> Vec<Range<usize>> {
    plan(&candidates_if(segments, may), limits)
}

fn candidates<S: SegmentKind>(segments: &[Arc<StoredSegment<S>>]) -> Vec<Candidate> {
    candidates_if(segments, StoredSegment::is_mergeable)
}

fn candidates_if<S: SegmentKind>(
    segments: &[Arc<StoredSegment<S>>],
    may: impl Fn(&StoredSegment<S>) -> bool,
) -> Vec<Candidate> {
    (segments.iter())
        .map(|segment| Candidate {
            rows: segment.items(),
            bytes: segment.disk_bytes(),
            age_from_ns: segment.aged_from_ns(),
            mergeable: may(segment),
        })
        .collect()
}

/// Runs of neighbours to merge, the smallest tier first: none of a higher tier than the run's and at least [`FAN_IN_MIN`] of it, so
/// that a row is written again about once for each tier. Neighbours only: a segment keeps covering consecutive journal files.
fn plan(segments: &[Candidate], limits: MergeLimits) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let tier_max = segments.iter().map(|segment| tier(segment.rows)).max().unwrap_or(0);
    for wanted in 0..=tier_max {
        let mut start = 0;
        while start < segments.len() {
            // What a lower tier's run takes is not there any more.
            if let Some(taken) = ranges.iter().find(|range| range.contains(&start)) {
                start = taken.end;
                continue;
            }
            let next_taken = ranges.iter().map(|range| range.start).filter(|&taken| taken > start).min();
            let end = run_end(&segments[..next_taken.unwrap_or(segments.len())], start, wanted, limits);
            let of_tier = segments[start..end].iter().filter(|segment| tier(segment.rows) == wanted).count();
            if of_tier >= FAN_IN_MIN {
                ranges.push(start..end);
            }
            start = end.max(start + 1);
        }
    }
    ranges
}

fn run_end(segments: &[Candidate], start: usize, wanted_tier: u32, limits: MergeLimits) -> usize {
    let (mut rows, mut newest_min_ns, mut newest_max_ns) = (0, u64::MAX, 0);
    let mut end = start;
    while end < segments.len() && end - start < FAN_IN_MAX && tier(segments[end].rows) <= wanted_tier {
        let next = segments[end];
        rows += next.rows;
        newest_min_ns = next.age_from_ns.min(newest_min_ns);
        newest_max_ns = next.age_from_ns.max(newest_max_ns);
        let too_far_apart = newest_max_ns - newest_min_ns > limits.newest_ns_apart_max;
        if !next.mergeable || rows > limits.items_max || too_far_apart {
            break;
        }
        end += 1;
    }
    end
}

/// 0 for the smallest segments, one more for each factor of four.
fn tier(rows: u64) -> u32 {
    (rows / SMALLEST_TIER_ROWS + 1).ilog2().div_ceil(2)
}

/// What is made of neighbours; `None` of none.
pub(crate) fn merged_id<S: SegmentKind>(inputs: &[Arc<StoredSegment<S>>]) -> Option<SegmentId> {
    let first = inputs.first()?.segment_id();
    let ids = || inputs.iter().map(|input| input.segment_id());
    let generation = ids().map(|id| id.generation).max().unwrap_or(0) + 1;
    let last_file = ids().map(|id| id.last_file).max().unwrap_or(first.last_file);
    Some(SegmentId { last_file, generation, ..first.clone() })
}

/// Makes one segment of neighbours, commits it and lets go of them.
pub(crate) fn merge_segments<S: SegmentKind>(shared: &Arc<Shared>, inputs: &[Arc<StoredSegment<S>>]) {
    let Some(id) = merged_id(inputs) else { return };
    let ids: Vec<SegmentId> = inputs.iter().map(|input| input.segment_id().clone()).collect();
    let segments: Vec<_> = inputs.iter().map(|input| input.segment().clone()).collect();
    let merged = store_segment(shared, &id, |parent| {
        S::merged(NewSegment { disk: &shared.disk, parent, id: &id }, &segments, &|| shared.is_stopping())
    });
    let merged = match merged {
        Ok(merged) => merged,
        Err(error) => {
            if shared.is_stopping() {
                return;
            }
            if matches!(&error, SegmentError::Io { source, .. } if disk::is_refusal(source)) {
                tracing::error!(%id, %error, "cannot merge; trying again later");
                shared.pause(RETRY);
            } else if !(matches!(error, SegmentError::Damaged { .. }) && repair::find_damaged(shared, inputs, &error)) {
                // One that cannot be read must not keep the others from being merged, for ever.
                tracing::error!(%id, %error, "cannot merge; the inputs stay as they are");
                inputs.iter().for_each(|input| input.set_unmergeable());
            }
            return;
        }
    };
    let rows = merged.items();
    shared.disk.faults().reached("merged");
    {
        let changing = shared.segments_change.lock();
        // Retention may have taken an input meanwhile: then the merger would bring its rows back.
        let view = shared.views.current();
        let listed = S::of_view(&view, id.signal).get(&id.tenant).map(Vec::as_slice).unwrap_or_default();
        let all_listed = inputs.iter().all(|input| listed.iter().any(|segment| Arc::ptr_eq(segment, input)));
        // And the archive may be about to take one as it is.
        if !all_listed || !inputs.iter().all(|input| input.is_mergeable()) {
            merged.retire();
            return;
        }
        match shared.runtime.block_on(shared.catalog.merge(&ids, &id, rows)) {
            Ok(()) => shared.views.change_segments(id.signal, &id.tenant, inputs, &[merged]),
            Err(error) if error.is_refusal() => {
                merged.retire();
                drop(changing);
                tracing::error!(%id, %error, "cannot merge; trying again later");
                shared.pause(RETRY);
                return;
            }
            Err(error) => {
                // Whether the catalog took it is not known: what it may name stays.
                shared.fail(error.to_string());
                return;
            }
        }
    }
    shared.disk.faults().reached("merge noted");
    inputs.iter().for_each(|input| input.retire());
    MERGES.inc();
    MERGED_ITEMS.with_label_values(&[id.signal.name()]).inc_by(rows);
}

/// Merging takes the processor's spare time: ingest and queries come first.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10) {
        tracing::debug!(%error, "merging keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::kind::NEWEST_NS_APART_MAX;

    fn segments(rows: &[u64]) -> Vec<Candidate> {
        (rows.iter())
            .enumerate()
            .map(|(n, &rows)| Candidate { rows, bytes: rows * 40, age_from_ns: n as u64, mergeable: true })
            .collect()
    }

    fn planned(rows: &[u64]) -> Vec<Range<usize>> {
        plan(&segments(rows), MergeLimits { items_max: 1_000_000, ..MergeLimits::default() })
    }

    #[test]
    fn neighbours_of_a_tier_are_merged() {
        assert!(planned(&[10, 10, 10]).is_empty());
        assert_eq!(planned(&[10, 10, 10, 10]), vec![0..4]);
        assert_eq!(planned(&[900_000, 10, 10, 10, 10]), vec![1..5]);
        assert!(planned(&[10, 10, 900_000, 10, 10]).is_empty());
        assert_eq!(planned(&[100_000, 100_000, 100_000, 100_000, 10, 10, 10, 10]), [4..8, 0..4]);
    }

    #[test]
    fn a_merger_stays_within_its_limits() {
        assert!(planned(&[300_000; 4]).is_empty());
        assert_eq!(planned(&[10; 40]), [0..16, 16..32, 32..40]);
        let mut old = segments(&[10; 5]);
        for segment in &mut old[1..] {
            segment.age_from_ns += 2 * NEWEST_NS_APART_MAX;
        }
        assert_eq!(plan(&old, MergeLimits::default()), vec![1..5]);
    }

    #[test]
    fn what_cannot_be_merged_is_left_where_it_is() {
        let mut damaged = segments(&[10; 9]);
        damaged[4].mergeable = false;
        assert_eq!(plan(&damaged, MergeLimits::default()), [0..4, 5..9]);
    }

    #[test]
    fn ten_thousand_seals_become_few_segments() {
        let limits = MergeLimits { items_max: 8_000_000, ..MergeLimits::default() };
        let mut stored: Vec<Candidate> = Vec::new();
        let mut rewritten = 0;
        for _ in 0..10_000 {
            stored.push(segments(&[20_000])[0]);
            while let Some(range) = plan(&stored, limits).into_iter().next() {
                let rows: u64 = stored[range.clone()].iter().map(|segment| segment.rows).sum();
                rewritten += rows;
                stored.splice(range, segments(&[rows]));
            }
        }
        assert!(stored.len() <= 100, "{}", stored.len());
        assert!(rewritten <= 6 * 10_000 * 20_000, "{}", rewritten / (10_000 * 20_000));
    }
}
