//! Makes large segments of small ones, in tiers, behind everything else.

use std::{
    ops::Range,
    sync::{Arc, LazyLock, PoisonError},
    time::Duration,
};

use prometheus::{IntCounter, register_int_counter};
use weir_proto::TenantId;

use super::{Shared, StoreOptions, sealer::store_segment, stored::StoredSegment};
use crate::segment::{SegmentId, merge};

/// How often the merger looks when nobody rings.
const TICK: Duration = Duration::from_secs(1);

/// Neighbours of one tier that are worth a merge.
const FAN_IN_MIN: usize = 4;

/// Inputs of one merge at most.
const FAN_IN_MAX: usize = 16;

/// Segments up to this many rows count as one tier.
const SMALLEST_TIER_ROWS: u64 = 16_384;

/// A merged segment covers at most this much time, so that retention can let go of old data.
const SPAN_NS_MAX: u64 = 24 * 3600 * weir_proto::time::SECOND_NS;

static MERGES: LazyLock<IntCounter> =
    LazyLock::new(|| register_int_counter!("weir_merges_total", "Merges done.").expect("registered once"));
static MERGED_SPANS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_merged_spans_total", "Spans rewritten by merges.").expect("registered once")
});

/// Merged segments are kept for long: smaller rather than quick.
const ZSTD_LEVEL: i32 = 3;

/// What the planner needs to know of a segment.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    rows: u64,
    bytes: u64,
    start_min_ns: u64,
    start_max_ns: u64,
}

/// Merges until the store stops.
pub(super) fn run(shared: &Arc<Shared>) {
    lower_priority();
    while !shared.is_stopping() {
        match next_merge(shared) {
            Some(inputs) => merge_segments(shared, &inputs),
            None => shared.wait(TICK),
        }
    }
}

/// Bytes that wait to be merged.
pub(super) fn debt_bytes(shared: &Shared) -> u64 {
    let view = shared.views.current();
    view.segments
        .values()
        .flat_map(|segments| {
            let candidates = candidates(segments);
            let ranges = plan(&candidates, &shared.options);
            ranges.into_iter().map(move |range| candidates[range].iter().map(|c| c.bytes).sum::<u64>())
        })
        .sum()
}

fn next_merge(shared: &Shared) -> Option<Vec<Arc<StoredSegment>>> {
    let view = shared.views.current();
    let mut tenants: Vec<&TenantId> = view.segments.keys().collect();
    tenants.sort_unstable();
    for tenant in tenants {
        let segments = &view.segments[tenant];
        if let Some(range) = plan(&candidates(segments), &shared.options).into_iter().next() {
            return Some(segments[range].to_vec());
        }
    }
    None
}

fn candidates(segments: &[Arc<StoredSegment>]) -> Vec<Candidate> {
    (segments.iter())
        .map(|segment| Candidate {
            rows: segment.rows(),
            bytes: segment.bytes(),
            start_min_ns: segment.start_min_ns(),
            start_max_ns: segment.start_max_ns(),
        })
        .collect()
}

/// Runs of neighbours to merge, the smallest tier first: at least [`FAN_IN_MIN`] segments, none of a higher tier than the run's, whose
/// merger stays within the limits. Neighbours only: a segment keeps covering consecutive journal files.
fn plan(segments: &[Candidate], options: &StoreOptions) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let tier_max = segments.iter().map(|segment| tier(segment.rows)).max().unwrap_or(0);
    for wanted in 0..=tier_max {
        let mut start = 0;
        while start < segments.len() {
            let end = run_end(segments, start, wanted, options);
            let range = start..end;
            let taken = ranges.iter().any(|other| other.start < range.end && range.start < other.end);
            if range.len() >= FAN_IN_MIN && !taken {
                ranges.push(range);
            }
            start = end.max(start + 1);
        }
    }
    ranges
}

fn run_end(segments: &[Candidate], start: usize, wanted_tier: u32, options: &StoreOptions) -> usize {
    let (mut rows, mut start_min_ns, mut start_max_ns) = (0, u64::MAX, 0);
    let mut end = start;
    while end < segments.len() && end - start < FAN_IN_MAX && tier(segments[end].rows) <= wanted_tier {
        let next = segments[end];
        rows += next.rows;
        start_min_ns = next.start_min_ns.min(start_min_ns);
        start_max_ns = next.start_max_ns.max(start_max_ns);
        if rows > options.segment_rows_max || start_max_ns - start_min_ns > SPAN_NS_MAX {
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

fn merge_segments(shared: &Arc<Shared>, inputs: &[Arc<StoredSegment>]) {
    let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else {
        return;
    };
    let ids: Vec<SegmentId> = inputs.iter().map(|input| input.id().clone()).collect();
    let id = SegmentId {
        tenant: first.id().tenant.clone(),
        first_file: first.id().first_file,
        last_file: last.id().last_file,
        generation: ids.iter().map(|id| id.generation).max().unwrap_or(0) + 1,
    };
    let segments: Vec<_> = inputs.iter().map(|input| input.segment().clone()).collect();
    let merged = store_segment(shared, &id, |parent| {
        merge(&shared.disk, parent, &id, &segments, ZSTD_LEVEL, &|| shared.is_stopping())
    });
    let merged = match merged {
        Ok(merged) => merged,
        Err(error) => {
            if !shared.is_stopping() {
                tracing::error!(%id, %error, "cannot merge; trying again later");
                shared.wait(Duration::from_secs(10));
            }
            return;
        }
    };
    let rows = merged.rows();
    {
        let _changing = shared.segments_change.lock().unwrap_or_else(PoisonError::into_inner);
        // Retention may have taken an input meanwhile: then the merger would bring its rows back.
        let view = shared.views.current();
        let listed = view.segments.get(&id.tenant).map(Vec::as_slice).unwrap_or_default();
        let all_listed = inputs.iter().all(|input| listed.iter().any(|segment| Arc::ptr_eq(segment, input)));
        if !all_listed {
            merged.retire();
            return;
        }
        if let Err(error) = shared.runtime.block_on(shared.catalog.merge(&ids, &id, rows)) {
            merged.retire();
            match error.is_disk_full() {
                true => tracing::error!(%error, "cannot merge yet"),
                false => shared.fail(error.to_string()),
            }
            return;
        }
        shared.views.change_segments(&id.tenant, inputs, &[merged]);
    }
    inputs.iter().for_each(|input| input.retire());
    MERGES.inc();
    MERGED_SPANS.inc_by(rows);
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

    fn segments(rows: &[u64]) -> Vec<Candidate> {
        (rows.iter())
            .enumerate()
            .map(|(n, &rows)| Candidate { rows, bytes: rows * 40, start_min_ns: n as u64, start_max_ns: n as u64 + 1 })
            .collect()
    }

    fn planned(rows: &[u64]) -> Vec<Range<usize>> {
        plan(&segments(rows), &StoreOptions { segment_rows_max: 1_000_000, ..StoreOptions::new("") })
    }

    #[test]
    fn neighbours_of_a_tier_are_merged() {
        assert_eq!(planned(&[10, 10, 10]), []);
        assert_eq!(planned(&[10, 10, 10, 10]), [0..4]);
        assert_eq!(planned(&[900_000, 10, 10, 10, 10]), [1..5]);
        assert_eq!(planned(&[10, 10, 900_000, 10, 10]), []);
        assert_eq!(planned(&[100_000, 100_000, 100_000, 100_000, 10, 10, 10, 10]), [4..8, 0..4]);
    }

    #[test]
    fn a_merger_stays_within_its_limits() {
        assert_eq!(planned(&[300_000; 4]), []);
        assert_eq!(planned(&[10; 40]), [0..16, 16..32, 32..40]);
        let mut old = segments(&[10; 5]);
        old[0].start_min_ns = 0;
        for segment in &mut old[1..] {
            segment.start_min_ns = 2 * SPAN_NS_MAX;
            segment.start_max_ns = 2 * SPAN_NS_MAX;
        }
        assert_eq!(plan(&old, &StoreOptions::new("")), [1..5]);
    }

    #[test]
    fn ten_thousand_seals_become_few_segments() {
        let options = StoreOptions { segment_rows_max: 8_000_000, ..StoreOptions::new("") };
        let mut stored: Vec<Candidate> = Vec::new();
        let mut rewritten = 0;
        for _ in 0..10_000 {
            stored.push(segments(&[20_000])[0]);
            while let Some(range) = plan(&stored, &options).into_iter().next() {
                let rows: u64 = stored[range.clone()].iter().map(|segment| segment.rows).sum();
                rewritten += rows;
                stored.splice(range, segments(&[rows]));
            }
        }
        assert!(stored.len() <= 100, "{}", stored.len());
        assert!(rewritten <= 6 * 10_000 * 20_000, "{}", rewritten / (10_000 * 20_000));
    }
}
