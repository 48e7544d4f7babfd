//! The rise between the edges of an anchored or smoothed range, whose values are taken from samples around them.

use std::sync::Arc;

use weir_proto::metrics::{Histogram, ResetHint};

use super::{rate::Kind, window::Window};
use crate::promql::{
    histogram::{self, Incompatible, arithmetic},
    notes::Notes,
    source::HistogramSample,
    syntax::{ast::Edges, token::Extent},
    value::Point,
};

/// Of floats or of native histograms, not of both.
pub(super) fn rise(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Point> {
    if !window.histograms.is_empty() {
        return of_histograms(window, kind, notes).map(|rise| Point::Histogram(Arc::new(rise)));
    }
    of_floats(window, kind).map(Point::Float)
}

/// Indices of the samples that say what the edges' values are; nothing where no sample is in the range.
fn around(window: &Window<'_>, count: usize, time: impl Fn(usize) -> i64) -> Option<(usize, usize)> {
    let mut last = count.checked_sub(1)?;
    let first_at = |end: usize, is_before: &dyn Fn(i64) -> bool| {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(time(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    };
    let first = first_at(last, &|time| time <= window.from_ms).saturating_sub(1);
    if window.edges == Edges::Smoothed {
        last = first_at(last, &|time| time < window.to_ms);
        if time(first) > window.to_ms {
            return None;
        }
    }
    (time(last) > window.from_ms).then_some((first, last))
}

fn of_floats(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let (times, values) = (window.times(), window.values());
    let (from, to) = (window.from_ms, window.to_ms);
    let is_smoothed = window.edges == Edges::Smoothed;
    let is_counter = kind != Kind::Delta;
    let (mut first, last) = around(window, times.len(), |index| times[index])?;
    let sample = |index: usize| (times[index], values[index]);
    let left = if is_smoothed && times[first] < from {
        interpolated(sample(first), sample(first + 1), from, is_counter)
    } else {
        values[first]
    };
    let right = if is_smoothed && last > 0 && times[last] > to {
        interpolated(sample(last - 1), sample(last), to, is_counter)
    } else {
        values[last]
    };
    let mut rise = right - left;
    if is_counter {
        // The edges' values know of resets beside them.
        first += usize::from(times[first] <= from);
        let end = if times[last] >= to { last } else { last + 1 };
        let mut before = left;
        for &value in values.get(first..end).unwrap_or_default().iter().chain([&right]) {
            if value < before {
                rise += before;
            }
            before = value;
        }
    }
    if kind == Kind::Rate {
        rise /= window.range_ms as f64 / 1e3;
    }
    Some(rise)
}

/// The value at a time between two samples; a counter that fell began at zero.
pub(crate) fn interpolated(one: (i64, f64), other: (i64, f64), at_ms: i64, is_counter: bool) -> f64 {
    let begin = if is_counter && other.1 < one.1 { 0.0 } else { one.1 };
    begin + (other.1 - begin) * (at_ms - one.0) as f64 / (other.0 - one.0) as f64
}

/// The histogram at a time between two; a counter that was reset began at zero.
pub(crate) fn interpolated_histogram(
    one: &HistogramSample,
    other: &HistogramSample,
    at_ms: i64,
    is_counter: bool,
    (extent, notes): (Extent, &mut Notes),
) -> Result<Histogram, Incompatible> {
    if at_ms == one.time_ms {
        return Ok(Histogram::clone(&one.histogram));
    }
    let mut result = Histogram::clone(&other.histogram);
    if at_ms == other.time_ms {
        return Ok(result);
    }
    let fraction = (at_ms - one.time_ms) as f64 / (other.time_ms - one.time_ms) as f64;
    if is_counter && histogram::is_reset(&one.histogram, &other.histogram) {
        arithmetic::scale(&mut result, fraction);
        return Ok(result);
    }
    if arithmetic::subtract(&mut result, &one.histogram)?.reconciled {
        notes.reconciled_buckets(extent, "subtraction");
    }
    arithmetic::scale(&mut result, fraction);
    if arithmetic::add(&mut result, &one.histogram)?.reconciled {
        notes.reconciled_buckets(extent, "addition");
    }
    Ok(result)
}

fn of_histograms(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Histogram> {
    let (samples, extent, metric) = (window.histograms(), window.extent, window.metric());
    let is_smoothed = window.edges == Edges::Smoothed;
    let is_counter = kind != Kind::Delta;
    let (first, last) = around(window, samples.len(), |index| samples[index].time_ms)?;
    let is_custom = histogram::is_custom(&samples[first].histogram);
    for sample in &samples[first..=last] {
        if histogram::is_custom(&sample.histogram) != is_custom {
            notes.mixed_schemas(extent, metric);
            return None;
        }
        if is_counter && sample.histogram.reset_hint == ResetHint::Gauge {
            notes.not_a_counter(extent, metric);
        }
    }
    let mut between = |one: usize, at_ms: i64| {
        let made = interpolated_histogram(&samples[one], &samples[one + 1], at_ms, is_counter, (extent, notes));
        if made.is_err() {
            notes.mixed_schemas(extent, metric);
        }
        made.ok()
    };
    let left = if is_smoothed && samples[first].time_ms < window.from_ms {
        between(first, window.from_ms)?
    } else {
        Histogram::clone(&samples[first].histogram)
    };
    let right = if is_smoothed && last > 0 && samples[last].time_ms > window.to_ms {
        between(last - 1, window.to_ms)?
    } else {
        Histogram::clone(&samples[last].histogram)
    };
    if !is_counter && (left.reset_hint != ResetHint::Gauge || right.reset_hint != ResetHint::Gauge) {
        notes.not_a_gauge(extent, metric);
    }
    let mut rise = right.clone();
    combine(&mut rise, &left, false, window, notes)?;
    if is_counter && let Some(correction) = correction(window, (first, last), (&left, &right), notes)? {
        combine(&mut rise, &correction, true, window, notes)?;
    }
    if kind == Kind::Rate {
        arithmetic::divide(&mut rise, window.range_ms as f64 / 1e3);
    }
    rise.reset_hint = ResetHint::Gauge;
    arithmetic::compact(&mut rise);
    Some(rise)
}

/// What the counter had reached before each reset, together; the outer nothing is where that cannot be added up.
fn correction(
    window: &Window<'_>,
    (first, last): (usize, usize),
    (left, right): (&Histogram, &Histogram),
    notes: &mut Notes,
) -> Option<Option<Histogram>> {
    let samples = window.histograms();
    let is_within = window.edges == Edges::Smoothed && samples[first].time_ms < window.from_ms;
    // The edges' values know of resets beside them.
    let knows = is_within
        && samples.get(first + 1).is_some_and(|next| histogram::is_reset(&samples[first].histogram, &next.histogram));
    let (from, mut before) = if knows { (first + 2, &*samples[first + 1].histogram) } else { (first + 1, left) };
    if from > last {
        return Some(None);
    }
    let mut sum: Option<Histogram> = None;
    for now in samples[from..last].iter().map(|sample| &*sample.histogram).chain([right]) {
        if histogram::is_reset(before, now) {
            match &mut sum {
                Some(sum) => combine(sum, before, true, window, notes)?,
                None => sum = Some(before.clone()),
            }
        }
        before = now;
    }
    Some(sum)
}

/// Adds or subtracts; nothing where their buckets do not go together.
fn combine(to: &mut Histogram, other: &Histogram, is_sum: bool, window: &Window<'_>, notes: &mut Notes) -> Option<()> {
    let outcome = if is_sum { arithmetic::add(to, other) } else { arithmetic::subtract(to, other) };
    match outcome {
        Ok(outcome) => {
            if outcome.reconciled {
                notes.reconciled_buckets(window.extent, if is_sum { "addition" } else { "subtraction" });
            }
            Some(())
        }
        Err(_) => {
            notes.mixed_schemas(window.extent, window.metric());
            None
        }
    }
}
