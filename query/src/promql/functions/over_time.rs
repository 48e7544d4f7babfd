//! What a series had over a stretch of time.

use std::sync::Arc;

use weir_proto::metrics::Histogram;

use super::{
    quantile::quantile as quantile_of,
    window::{Window, is_restart},
};
use crate::promql::{
    histogram::{self, HistogramMean, HistogramSum},
    notes::Notes,
    source::HistogramSample,
    sum::{Mean, Sum},
    syntax::ast::Edges,
    value::Point,
};

type Result = std::result::Result<Option<Point>, String>;

fn float(value: f64) -> Result {
    Ok(Some(Point::Float(value)))
}

/// What is computed of floats; histograms beside them are ignored, and that is said.
fn of_floats(window: &Window<'_>, notes: &mut Notes, compute: impl FnOnce(&[f64]) -> f64) -> Result {
    if window.floats.is_empty() {
        return Ok(None);
    }
    if window.is_mixed() {
        notes.ignored_in_mixed_range(window.extent, window.metric());
    }
    float(compute(window.values()))
}

pub(super) fn avg(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    if window.is_mixed() {
        notes.mixed_floats_and_histograms(window.extent, window.metric());
        return Ok(None);
    }
    if window.floats.is_empty() {
        let mean = folded(window, notes, HistogramMean::of, HistogramMean::add, HistogramMean::total);
        return Ok(mean.map(|histogram| Point::Histogram(Arc::new(histogram))));
    }
    let mut mean = Mean::of(window.values()[0]);
    window.values()[1..].iter().for_each(|&value| mean.add(value));
    float(mean.total())
}

pub(super) fn sum(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    if window.is_mixed() {
        notes.mixed_floats_and_histograms(window.extent, window.metric());
        return Ok(None);
    }
    if window.floats.is_empty() {
        let sum = folded(window, notes, HistogramSum::of, HistogramSum::add, HistogramSum::total);
        return Ok(sum.map(|histogram| Point::Histogram(Arc::new(histogram))));
    }
    let mut sum = Sum::default();
    window.values().iter().for_each(|&value| sum.add(value));
    float(if sum.sum.is_infinite() { sum.sum } else { sum.total() })
}

/// Folds histograms, and says what was odd about them.
fn folded<F>(
    window: &Window<'_>,
    notes: &mut Notes,
    of: impl FnOnce(&Histogram) -> F,
    add: impl Fn(&mut F, &Histogram) -> std::result::Result<histogram::Outcome, histogram::Incompatible>,
    total: impl FnOnce(F) -> Histogram,
) -> Option<Histogram> {
    let (first, others) = window.histograms().split_first()?;
    let mut fold = of(&first.histogram);
    let mut hints = histogram::Hints::of(&first.histogram);
    let mut reconciled = false;
    for sample in others {
        hints.add(&sample.histogram);
        match add(&mut fold, &sample.histogram) {
            Ok(outcome) => reconciled |= outcome.reconciled,
            Err(_) => {
                notes.mixed_schemas(window.extent, window.metric());
                return None;
            }
        }
    }
    if hints.conflict() {
        notes.conflicting_resets(window.extent, "aggregation");
    }
    if reconciled {
        notes.reconciled_buckets(window.extent, "aggregation");
    }
    Some(total(fold))
}

pub(super) fn count(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    float((window.floats.len() + window.histograms.len()) as f64)
}

pub(super) fn present(_: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    float(1.0)
}

/// The sample that is first (or last) in time, a float or a histogram.
fn outermost<'a>(window: &Window<'a>, is_last: bool) -> (Option<(i64, f64)>, Option<&'a HistogramSample>) {
    let (times, values, histograms) = (window.times(), window.values(), window.histograms());
    let pick = |length: usize| if is_last { length.checked_sub(1) } else { (length > 0).then_some(0) };
    let float = pick(times.len()).map(|at| (times[at], values[at]));
    let histogram = pick(histograms.len()).map(|at| &histograms[at]);
    match (float, histogram) {
        (Some(float), Some(histogram)) if (float.0 > histogram.time_ms) == is_last => (Some(float), None),
        (Some(_), Some(histogram)) => (None, Some(histogram)),
        either => either,
    }
}

fn outermost_point(window: &Window<'_>, is_last: bool) -> Result {
    let (float, histogram) = outermost(window, is_last);
    let histogram = histogram.map(|sample| Point::Histogram(Arc::clone(&sample.histogram)));
    Ok(float.map(|(_, value)| Point::Float(value)).or(histogram))
}

pub(super) fn first(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    outermost_point(window, false)
}

pub(super) fn last(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    outermost_point(window, true)
}

fn outermost_time(window: &Window<'_>, is_last: bool) -> Result {
    let (float, histogram) = outermost(window, is_last);
    let time = float.map(|(time, _)| time).or(histogram.map(|sample| sample.time_ms));
    Ok(time.map(|ms| Point::Float(ms as f64 / 1e3)))
}

pub(super) fn ts_of_first(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    outermost_time(window, false)
}

pub(super) fn ts_of_last(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    outermost_time(window, true)
}

/// Index of the value that beats all before it; what is no number is beaten by anything.
fn winner(values: &[f64], beats: impl Fn(f64, f64) -> bool) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        if beats(value, values[best]) || values[best].is_nan() {
            best = index;
        }
    }
    best
}

pub(super) fn max(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    of_floats(window, notes, |values| values[winner(values, |one, best| one > best)])
}

pub(super) fn min(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    of_floats(window, notes, |values| values[winner(values, |one, best| one < best)])
}

/// Of equal ones the last.
pub(super) fn ts_of_max(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    let times = window.times();
    of_floats(window, notes, |values| times[winner(values, |one, best| one >= best)] as f64 / 1e3)
}

/// Of equal ones the last.
pub(super) fn ts_of_min(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    let times = window.times();
    of_floats(window, notes, |values| times[winner(values, |one, best| one <= best)] as f64 / 1e3)
}

pub(super) fn mad(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    of_floats(window, notes, |values| {
        if values.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        let mut values = values.to_vec();
        let median = quantile_of(0.5, &mut values);
        values.iter_mut().for_each(|value| *value = (*value - median).abs());
        quantile_of(0.5, &mut values)
    })
}

pub(super) fn quantile(window: &Window<'_>, scalars: &[f64], notes: &mut Notes) -> Result {
    let q = scalars[0];
    if !window.floats.is_empty() && !(0.0..=1.0).contains(&q) {
        notes.bad_quantile(window.extent, q);
    }
    of_floats(window, notes, |values| quantile_of(q, &mut values.to_vec()))
}

fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    let mut count = 0.0;
    for &value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

pub(super) fn stdvar(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    of_floats(window, notes, variance)
}

pub(super) fn stddev(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    of_floats(window, notes, |values| variance(values).sqrt())
}

/// One of a window's samples of both kinds.
#[derive(Clone, Copy)]
struct OneOf<'a> {
    start_ms: i64,
    time_ms: i64,
    /// Nothing where it is a histogram.
    value: f64,
    histogram: Option<&'a Histogram>,
}

/// How often two neighbours differ in that way; those of two kinds always do.
fn count_pairs(window: &Window<'_>, differ: impl Fn(&OneOf<'_>, &OneOf<'_>) -> bool) -> Result {
    let Some((mut float, mut histogram)) = anchors(window) else { return Ok(None) };
    let (times, histograms) = (window.times(), window.histograms());
    let mut count = 0_u64;
    let mut before: Option<OneOf<'_>> = None;
    while float < times.len() || histogram < histograms.len() {
        let is_float =
            histogram >= histograms.len() || (float < times.len() && times[float] < histograms[histogram].time_ms);
        let now = if is_float {
            let (start_ms, time_ms) = window.start_and_time(float);
            float += 1;
            OneOf { start_ms, time_ms, value: window.values()[float - 1], histogram: None }
        } else {
            let HistogramSample { start_ms, time_ms, histogram: one } = &histograms[histogram];
            histogram += 1;
            OneOf { start_ms: *start_ms, time_ms: *time_ms, value: 0.0, histogram: Some(one) }
        };
        let differs =
            |before: OneOf<'_>| before.histogram.is_some() != now.histogram.is_some() || differ(&before, &now);
        count += u64::from(before.is_some_and(differs));
        before = Some(now);
    }
    float_count(count)
}

fn float_count(count: u64) -> Result {
    float(count as f64)
}

/// The first float and the first histogram to look at. Where the range is anchored at its begin that is the last sample at or before it,
/// of either kind, and what comes after; nothing when nothing does.
fn anchors(window: &Window<'_>) -> Option<(usize, usize)> {
    let (times, histograms) = (window.times(), window.histograms());
    if times.is_empty() && histograms.is_empty() {
        return None;
    }
    if window.edges != Edges::Anchored {
        return Some((0, 0));
    }
    let floats = times.partition_point(|&time| time <= window.from_ms);
    let of_histograms = histograms.partition_point(|sample| sample.time_ms <= window.from_ms);
    if floats == times.len() && of_histograms == histograms.len() {
        return None;
    }
    let last_float = floats.checked_sub(1);
    let last_histogram = of_histograms.checked_sub(1);
    Some(match (last_float, last_histogram) {
        (None, None) => (0, 0),
        (Some(float), None) => (float, of_histograms),
        (Some(float), Some(histogram)) if times[float] >= histograms[histogram].time_ms => (float, of_histograms),
        (_, Some(histogram)) => (floats, histogram),
    })
}

pub(super) fn changes(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    count_pairs(window, |before, now| match (before.histogram, now.histogram) {
        (Some(before), Some(now)) => !histogram::equal(before, now),
        _ => before.value != now.value && !(before.value.is_nan() && now.value.is_nan()),
    })
}

pub(super) fn resets(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    count_pairs(window, |before, now| {
        let falls = match (before.histogram, now.histogram) {
            (Some(before), Some(now)) => histogram::is_reset(before, now),
            _ => now.value < before.value,
        };
        falls || is_restart((before.start_ms, before.time_ms), (now.start_ms, now.time_ms))
    })
}
