//! Spans by time and duration: counted in steps and, on a logarithmic scale, in rows.

use std::{collections::BTreeMap, time::Instant};

use arrow_array::{
    Array, Float64Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use weir_store::ScanColumn;

use super::{
    durations::{Durations, bucket_middle_ns, bucket_start_ns},
    parallel::fold,
    plan::Plan,
    red::{Scans, Steps},
};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Heatmap {
    /// Where rows begin, ascending, and where the last ends, in ns; empty without spans.
    pub(crate) bounds_ns: Vec<u64>,
    /// Calls and errors by step and row.
    pub(crate) cells: BTreeMap<(u32, u32), (f64, f64)>,
    pub(crate) spans: u64,
    pub(crate) weighted: bool,
    pub(crate) is_late: bool,
    pub(crate) is_damaged: bool,
}

#[derive(Debug, Default)]
struct Counts {
    calls: Durations,
    errors: Durations,
    spans: u64,
    weighted: bool,
}

const WANTED: [ScanColumn; 4] =
    [ScanColumn::StartTime, ScanColumn::Duration, ScanColumn::StatusCode, ScanColumn::AdjustedCount];

/// Of the spans that fulfil the plan, in so many rows at most.
pub(crate) fn heatmap(plan: &Plan, steps: Steps, rows: usize, scan: Scans<'_>, deadline: Instant) -> Heatmap {
    let batches = scan(plan.request(&WANTED));
    let folded = fold(batches.as_ref(), deadline, Counts::default, |counts, batch| {
        counts.add(plan, &steps, batch);
        true
    });
    let mut all = Counts::default();
    for counts in folded.states {
        all.calls.merge(counts.calls);
        all.errors.merge(counts.errors);
        all.spans += counts.spans;
        all.weighted |= counts.weighted;
    }
    let (is_late, is_damaged) = (folded.is_late, batches.is_partial());
    let bounds_ns = bounds(all.calls.buckets().map(|(_, bucket, _)| bucket), rows);
    let row = |bucket: u32| {
        let at_ns = bucket_middle_ns(bucket);
        let row = bounds_ns.partition_point(|&bound| bound <= at_ns).saturating_sub(1);
        row.min(bounds_ns.len().saturating_sub(2)) as u32
    };
    let mut cells: BTreeMap<(u32, u32), (f64, f64)> = BTreeMap::new();
    for (step, bucket, weight) in all.calls.buckets() {
        cells.entry((step, row(bucket))).or_default().0 += weight;
    }
    for (step, bucket, weight) in all.errors.buckets() {
        cells.entry((step, row(bucket))).or_default().1 += weight;
    }
    Heatmap { cells, spans: all.spans, weighted: all.weighted, is_late, is_damaged, bounds_ns }
}

impl Counts {
    fn add(&mut self, plan: &Plan, steps: &Steps, batch: &RecordBatch) {
        let starts = batch.column(0).as_primitive::<TimestampNanosecondType>().values();
        let durations = batch.column(1).as_primitive::<Int64Type>().values();
        let statuses = batch.column(2).as_primitive::<Int32Type>().values();
        let weights: &Float64Array = batch.column(3).as_primitive::<Float64Type>();
        let passing = plan.passing(batch, WANTED.len());
        for row in 0..batch.num_rows() {
            if passing.as_ref().is_some_and(|passing| !passing[row]) {
                continue;
            }
            let weight = if weights.is_null(row) { 1.0 } else { weights.value(row) };
            let step = steps.of(starts[row].max(0) as u64);
            let duration_ns = durations[row].max(0) as u64;
            self.calls.add(step, duration_ns, weight);
            if statuses[row] == 2 {
                self.errors.add(step, duration_ns, weight);
            }
            self.spans += 1;
            self.weighted |= weight != 1.0;
        }
    }
}

/// Bounds of rows on a logarithmic scale that hold all buckets; each row is wider than none.
fn bounds(buckets: impl Iterator<Item = u32>, rows: usize) -> Vec<u64> {
    let (mut first, mut last) = (u32::MAX, 0);
    for bucket in buckets {
        (first, last) = (first.min(bucket), last.max(bucket));
    }
    if first > last {
        return Vec::new();
    }
    let low_ns = bucket_start_ns(first) as f64;
    let high_ns = (bucket_start_ns(last + 1).max(bucket_start_ns(last)) as f64).max(low_ns + 1.0);
    // What is all of one length fills a row in the middle, not the whole picture.
    let (low_ns, high_ns) = if high_ns < low_ns * 4.0 { (low_ns / 2.0, high_ns * 2.0) } else { (low_ns, high_ns) };
    let (low, high) = (low_ns.max(1.0).ln(), high_ns.max(2.0).ln());
    let bound = |row: usize| (low + (high - low) * row as f64 / rows as f64).exp().round() as u64;
    let mut bounds: Vec<u64> = (0..=rows).map(bound).collect();
    if first == 0 {
        bounds[0] = 0;
    }
    bounds.dedup();
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_all_there_is() {
        assert_eq!(bounds([].into_iter(), 10), Vec::<u64>::new());
        use super::super::durations::bucket;
        for (durations, rows) in
            [(vec![1_000u64, 1_000_000_000], 40), (vec![5], 40), (vec![0, 1, 2], 40), (vec![u64::MAX, 7], 100)]
        {
            let found = bounds(durations.iter().map(|&ns| bucket(ns)), rows);
            assert!(found.len() >= 2 && found.len() <= rows + 1 && found.is_sorted(), "{durations:?}: {found:?}");
            for ns in durations {
                let middle = bucket_middle_ns(bucket(ns));
                let last = found[found.len() - 1] as f64 * 1.001;
                assert!(found[0] <= middle && middle as f64 <= last, "{ns}: {found:?}");
            }
        }
        let found = bounds([bucket(1_000), bucket(1_000_000)].into_iter(), 3);
        assert_eq!(found.len(), 4);
        assert!(found[1].abs_diff(10_000) < 300 && found[2].abs_diff(100_000) < 3000, "{found:?}");
    }
}
