//! Selectors: series read from the source, by several threads where there are many.

use std::{borrow::Cow, sync::Arc};

use weir_proto::metrics::{Histogram, LabelMatcher, ResetHint, is_stale};

use super::{Evaluator, QueryError, Sink, Steps, failed, parts::Parts, range};
use crate::promql::{
    functions::{Track, interpolated, interpolated_histogram},
    histogram,
    notes::Notes,
    source::{HistogramSample, Samples, Series},
    syntax::{
        ast::{Edges, Selector},
        regex,
        token::Extent,
    },
    value::{ABSENT, Point, Row},
};

/// What of a sample is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Value,
    /// When it was taken, in seconds.
    Time,
    /// When what it counts began, in seconds; 0 when nobody said.
    Start,
}

/// Makes a row of a series.
pub(super) type Compute<'c, 's> =
    &'c (dyn Fn(&'s dyn Series, &mut Track, &mut Notes) -> Result<Option<Row<'s>>, QueryError> + Sync);

impl Evaluator<'_> {
    /// The series that match, in the order of their labels.
    pub(super) fn series(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, QueryError> {
        let matchers = regex::translated(matchers).map_err(failed)?;
        Ok(self.source.select(&matchers, from_ms, to_ms)?)
    }

    /// Hands on the rows of series, in their order, whoever makes them.
    pub(super) fn each_series<'s>(
        &self,
        series: &'s [Box<dyn Series + 's>],
        steps: usize,
        compute: Compute<'_, 's>,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let parts = Parts::new(series, (steps, self.options.threads), compute, &self.budget);
        parts.hand_on(&|notes| self.notes.borrow_mut().merge(notes), sink)
    }

    pub(super) fn selector(
        &self,
        (selector, extent): (&Selector, Extent),
        wanted: Wanted,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let lookback = self.options.lookback_ms;
        let ahead = if selector.edges == Edges::Smoothed { lookback } else { 0 };
        let from = selector.shift.apply(steps.start_ms).saturating_sub(lookback).saturating_add(1);
        let to = selector.shift.apply(steps.last()).saturating_add(ahead);
        let series = self.series(&selector.matchers, from, to)?;
        let look = Look { selector, extent, wanted, steps, lookback };
        self.each_series(
            &series,
            steps.count,
            &|series, track, notes| {
                track.samples.clear();
                series.read(from, to, &mut track.samples)?;
                if selector.finds_resets {
                    find_resets(&mut track.samples);
                }
                look.row(series, &track.samples, notes)
            },
            sink,
        )
    }
}

/// Says of histograms whether counting began anew, by those before them.
pub(super) fn find_resets(samples: &mut Samples) {
    for at in (1..samples.histograms.len()).rev() {
        let (before, now) = (&samples.histograms[at - 1].histogram, &samples.histograms[at].histogram);
        if now.reset_hint == ResetHint::Unknown {
            let is_reset = histogram::is_reset(before, now);
            let reset_hint = if is_reset { ResetHint::Reset } else { ResetHint::NotReset };
            let found = Arc::new(Histogram { reset_hint, ..Histogram::clone(now) });
            samples.histograms[at].histogram = found;
        }
    }
}

/// How a series is looked at.
struct Look<'a> {
    selector: &'a Selector,
    /// Where it stands.
    extent: Extent,
    wanted: Wanted,
    steps: Steps,
    lookback: i64,
}

impl Look<'_> {
    fn row<'s>(
        &self,
        series: &'s dyn Series,
        samples: &Samples,
        notes: &mut Notes,
    ) -> Result<Option<Row<'s>>, QueryError> {
        if samples.len() == 0 {
            return Ok(None);
        }
        let mut row = Row {
            labels: Cow::Borrowed(series.labels()),
            drops_name: false,
            floats: Vec::with_capacity(self.steps.count),
            histograms: Vec::new(),
        };
        if self.selector.edges == Edges::Smoothed {
            self.smooth(samples, series.labels().metric_name(), &mut row, notes);
        } else if samples.histograms.is_empty() {
            self.floats(samples, &mut row);
        } else {
            self.mixed(samples, &mut row);
        }
        Ok((!row.is_empty()).then_some(row))
    }

    /// The last float before each time. A marker that ends the series is what a row has where it has nothing.
    fn floats(&self, samples: &Samples, row: &mut Row<'_>) {
        let (times, values) = (&samples.times[..], &samples.values[..]);
        let mut next = 0;
        for step in 0..self.steps.count {
            let time = self.selector.shift.apply(self.steps.time(step));
            while next < times.len() && times[next] <= time {
                next += 1;
            }
            let value = match next.checked_sub(1) {
                Some(last) if times[last] > time - self.lookback => match self.wanted {
                    Wanted::Time if !is_stale(values[last]) => times[last] as f64 / 1e3,
                    Wanted::Start if !is_stale(values[last]) => {
                        samples.starts.get(last).copied().unwrap_or(0) as f64 / 1e3
                    }
                    _ => values[last],
                },
                _ => ABSENT,
            };
            row.floats.push(value);
        }
    }

    fn mixed(&self, samples: &Samples, row: &mut Row<'_>) {
        self.floats(samples, row);
        row.histograms = vec![None; self.steps.count];
        let histograms = &samples.histograms;
        for step in 0..self.steps.count {
            let time = self.selector.shift.apply(self.steps.time(step));
            let Some(last) = histograms.partition_point(|sample| sample.time_ms <= time).checked_sub(1) else {
                continue;
            };
            let sample = &histograms[last];
            let float_time =
                samples.times.partition_point(|&float| float <= time).checked_sub(1).map(|at| samples.times[at]);
            if sample.time_ms <= time - self.lookback || float_time.is_some_and(|float| float > sample.time_ms) {
                continue;
            }
            row.floats[step] = ABSENT;
            if is_stale(sample.histogram.sum) {
                continue;
            }
            match self.wanted {
                Wanted::Time => row.floats[step] = sample.time_ms as f64 / 1e3,
                Wanted::Start => row.floats[step] = sample.start_ms as f64 / 1e3,
                Wanted::Value => row.histograms[step] = Some(Arc::clone(&sample.histogram)),
            }
        }
    }

    /// Values between samples on a line; after the last one, its value.
    fn smooth(&self, samples: &Samples, metric: &str, row: &mut Row<'_>, notes: &mut Notes) {
        let mut samples = samples.clone();
        range::strip(&mut samples);
        let (times, values, histograms) = (&samples.times[..], &samples.values[..], &samples.histograms[..]);
        let of_histograms: Vec<i64> = histograms.iter().map(|sample| sample.time_ms).collect();
        row.floats = vec![ABSENT; self.steps.count];
        for step in 0..self.steps.count {
            let time = self.selector.shift.apply(self.steps.time(step));
            let (from, to) = (time - self.lookback, time + self.lookback);
            let near = |times: &[i64]| {
                let index = |is_before: &dyn Fn(i64) -> bool| times.partition_point(|&at| is_before(at));
                (index(&|at| at <= from), index(&|at| at < time), index(&|at| at <= to))
            };
            let floats = near(times);
            let (first, next, end) = near(&of_histograms);
            if floats.0 < floats.2 && first < end {
                notes.mixed_floats_and_histograms(self.extent, metric);
                continue;
            }
            if first < end {
                let point = self.smooth_histogram(&histograms[first..end], next - first, time, metric, notes);
                point.into_iter().for_each(|histogram| row.set(step, Point::Histogram(Arc::new(histogram))));
                continue;
            }
            let (first, next, end) = floats;
            let sample = |index: usize| (times[index], values[index]);
            row.floats[step] = match (next > first, next < end) {
                (_, true) if times[next] == time => values[next],
                (true, true) => interpolated(sample(next - 1), sample(next), time, false),
                (true, false) => values[next - 1],
                (false, _) => ABSENT,
            };
        }
    }

    /// `next` is the index of the first one that is not before the time.
    fn smooth_histogram(
        &self,
        near: &[HistogramSample],
        next: usize,
        time: i64,
        metric: &str,
        notes: &mut Notes,
    ) -> Option<Histogram> {
        let extent = self.extent;
        if let Some(exact) = near.get(next).filter(|sample| sample.time_ms == time) {
            return Some(Histogram::clone(&exact.histogram));
        }
        let before = &near[next.checked_sub(1)?];
        let Some(after) = near.get(next) else {
            return Some(Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(&before.histogram) });
        };
        let is_gauge = |sample: &HistogramSample| sample.histogram.reset_hint == ResetHint::Gauge;
        let is_counter = !is_gauge(before) || !is_gauge(after);
        let are_alike = histogram::is_custom(&before.histogram) == histogram::is_custom(&after.histogram);
        let made =
            are_alike.then(|| interpolated_histogram(before, after, time, is_counter, (extent, notes)).ok()).flatten();
        if made.is_none() {
            notes.mixed_schemas(extent, metric);
        }
        made
    }
}
