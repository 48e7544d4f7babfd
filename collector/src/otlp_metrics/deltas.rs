//! Sums of what counts since the point before: the state behind `delta: cumulative`.

#![allow(clippy::mutable_key_type, reason = "what a series is equal to and hashed by never changes")]

use std::collections::HashMap;

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use weir_proto::metrics::{Histogram, Sample, SampleValue};
use weir_store::SeriesRef;

use super::native;

/// A series that nothing was added to for this long may be forgotten when there are too many.
const FORGOTTEN_AFTER_NS: u64 = 3_600_000_000_000;

/// What was counted so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Total {
    Float(f64),
    Histogram(Box<Histogram>),
}

#[derive(Debug, Clone, PartialEq)]
struct Sum {
    total: Total,
    /// Since when, Unix ms.
    since_ms: i64,
    /// The last point's; 0 for one of an earlier run.
    start_ns: u64,
    time_ns: u64,
}

/// What became of a point's part.
#[derive(Debug, PartialEq)]
pub(super) enum Added {
    /// The total with it, and since when.
    Sum(Total, i64),
    /// It is in the total already.
    Repeated,
    /// Something later is in the total.
    Late,
    /// No more series are known.
    Full,
}

/// What a request changed, so that it can be taken back.
#[derive(Debug, Default)]
pub(super) struct Undo(Vec<(SeriesRef, Option<Sum>, Sum)>);

/// A series' last sample in the store.
pub(super) type LastSample<'l> = &'l dyn Fn(&SeriesRef) -> Option<Sample>;

/// The sums of all series that deltas arrive for.
#[derive(Debug)]
pub(super) struct Deltas {
    sums: Mutex<HashMap<SeriesRef, Sum, FixedState>>,
    series_max: usize,
}

impl Deltas {
    pub(super) fn new(series_max: usize) -> Self {
        Self { sums: Mutex::default(), series_max }
    }

    /// Adds what was counted from `start_ns` to `time_ns`. A series that is not known goes on from its last sample in the store.
    pub(super) fn add(
        &self,
        series: &SeriesRef,
        (start_ns, time_ns): (u64, u64),
        more: Total,
        last: LastSample<'_>,
        undo: &mut Undo,
    ) -> Added {
        let mut sums = self.sums.lock();
        let known = sums.get(series).cloned();
        let before = match known {
            Some(sum) => Some(sum),
            None if sums.len() >= self.series_max && !forget(&mut sums, time_ns) => return Added::Full,
            None => last(series).map(|Sample { time_ms, start_ms, value }| Sum {
                total: match value {
                    SampleValue::Float(value) => Total::Float(value),
                    SampleValue::Histogram(histogram) => Total::Histogram(histogram),
                },
                since_ms: start_ms,
                start_ns: 0,
                time_ns: (time_ms.max(0) as u64) * 1_000_000,
            }),
        };
        let start_ms = (if start_ns == 0 { time_ns } else { start_ns } / 1_000_000) as i64;
        let (mut total, mut since_ms) = (more, start_ms);
        if let Some(before) = &before {
            // What the store knows is exact to the millisecond.
            let is_same = time_ns == before.time_ns && (start_ns == before.start_ns || before.start_ns == 0);
            if is_same || (before.start_ns == 0 && time_ns / 1_000_000 == before.time_ns / 1_000_000) {
                return Added::Repeated;
            }
            if time_ns <= before.time_ns {
                return Added::Late;
            }
            if let Some(sum) = added(&before.total, &total) {
                (total, since_ms) = (sum, before.since_ms);
            }
        }
        let now = Sum { total: total.clone(), since_ms, start_ns, time_ns };
        undo.0.push((series.clone(), before, now.clone()));
        sums.insert(series.clone(), now);
        Added::Sum(total, since_ms)
    }

    /// A request was not stored: it may come again, unless something later was added meanwhile.
    pub(super) fn take_back(&self, undo: Undo) {
        let mut sums = self.sums.lock();
        for (series, before, now) in undo.0.into_iter().rev() {
            if sums.get(&series) != Some(&now) {
                continue;
            }
            match before {
                Some(before) => drop(sums.insert(series, before)),
                None => drop(sums.remove(&series)),
            }
        }
    }
}

/// The sum; `None` where counting begins anew.
fn added(total: &Total, more: &Total) -> Option<Total> {
    match (total, more) {
        (Total::Float(total), Total::Float(more)) => Some(Total::Float(total + more)),
        (Total::Histogram(total), Total::Histogram(more)) => {
            let mut total = total.clone();
            native::add(&mut total, more).then_some(Total::Histogram(total))
        }
        _ => None,
    }
}

/// Makes room; false when everything is in use.
fn forget(sums: &mut HashMap<SeriesRef, Sum, FixedState>, now_ns: u64) -> bool {
    let before = sums.len();
    sums.retain(|_, sum| now_ns.saturating_sub(sum.time_ns) < FORGOTTEN_AFTER_NS);
    sums.len() < before
}
