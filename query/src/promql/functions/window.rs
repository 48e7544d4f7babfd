//! A stretch of one series: what functions of ranges look at.

use std::ops::Range;

use weir_proto::metrics::Labels;

use crate::promql::{
    source::{HistogramSample, Samples},
    syntax::{ast::Edges, token::Extent},
};

/// All samples of a series that a query reads, without the markers that end series.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) samples: Samples,
    /// Indices of floats before which a counter began anew. Filled for functions of counters only.
    pub(crate) resets: Vec<usize>,
}

impl Track {
    /// Finds where the counter began anew: where it falls, or where a start time says so.
    pub(crate) fn find_resets(&mut self) {
        let Samples { times, values, starts, .. } = &self.samples;
        self.resets.clear();
        for index in 1..values.len() {
            let fell = values[index] < values[index - 1];
            let restarted = || {
                !starts.is_empty() && is_restart((starts[index - 1], times[index - 1]), (starts[index], times[index]))
            };
            if fell || restarted() {
                self.resets.push(index);
            }
        }
    }

    /// Indices, within a window, of floats before which a counter began anew, but for the first float.
    #[inline]
    pub(crate) fn resets_in(&self, window: &Range<usize>) -> impl Iterator<Item = usize> {
        let Range { start, end } = *window;
        let begin = if self.resets.is_empty() { 0 } else { self.resets.partition_point(|&index| index <= start) };
        self.resets[begin..].iter().take_while(move |&&index| index < end).map(move |&index| index - start)
    }
}

/// Whether start times say that counting began anew between two samples, each a start and a time.
pub(crate) fn is_restart(before: (i64, i64), now: (i64, i64)) -> bool {
    let (start, time) = now;
    if start == 0 || start >= time || start < before.1 {
        return false;
    }
    // A start at the sample before is that of deltas, or of a series whose start nobody knows.
    start > before.1 || (before.0 != 0 && before.0 < before.1)
}

/// Samples after one time up to another.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    pub(crate) track: &'a Track,
    pub(crate) floats: Range<usize>,
    pub(crate) histograms: Range<usize>,
    /// Where the range begins, not included, and ends, included. Anchored and smoothed selectors have samples outside.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) range_ms: i64,
    /// The time that is asked for, which `@` and `offset` do not move.
    pub(crate) step_ms: i64,
    pub(crate) edges: Edges,
    pub(crate) labels: &'a Labels,
    /// Where the first argument stands.
    pub(crate) extent: Extent,
}

impl<'a> Window<'a> {
    pub(crate) fn times(&self) -> &'a [i64] {
        &self.track.samples.times[self.floats.clone()]
    }

    pub(crate) fn values(&self) -> &'a [f64] {
        &self.track.samples.values[self.floats.clone()]
    }

    pub(crate) fn histograms(&self) -> &'a [HistogramSample] {
        &self.track.samples.histograms[self.histograms.clone()]
    }

    /// Start and time of a float.
    pub(crate) fn start_and_time(&self, index: usize) -> (i64, i64) {
        let index = self.floats.start + index;
        (self.track.samples.starts.get(index).copied().unwrap_or(0), self.track.samples.times[index])
    }

    /// The metric's name.
    pub(crate) fn metric(&self) -> &'a str {
        self.labels.metric_name()
    }

    /// Whether it holds both kinds of samples.
    pub(crate) fn is_mixed(&self) -> bool {
        !self.floats.is_empty() && !self.histograms.is_empty()
    }
}
