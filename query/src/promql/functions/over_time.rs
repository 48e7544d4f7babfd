//! What a series had over a stretch of time.

use std::sync::Arc;

use weir_proto::metrics::Histogram;

use super::{quantile::quantile as quantile_of, window::Window};
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

/// How often two neighbours differ in that way.
fn count_pairs(
    window: &Window<'_>,
    of_floats: impl Fn(f64, f64) -> bool,
    of_histograms: impl Fn(&Histogram, &Histogram) -> bool,
) -> Result {
    let (times, values, histograms) = (window.times(), window.values(), window.histograms());
    let first = match anchor(window, times) {
        Some(first) => first,
        None => return Ok(None),
    };
    if values.is_empty() && histograms.is_empty() {
        return Ok(None);
    }
    let mut count = 0_u64;
    let (mut float, mut histogram) = (first, 0);
    let mut before: Option<Point> = None;
    while float < values.len() || histogram < histograms.len() {
        let is_float =
            histogram >= histograms.len() || (float < values.len() && times[float] < histograms[histogram].time_ms);
        let now = if is_float {
            float += 1;
            Point::Float(values[float - 1])
        } else {
            histogram += 1;
            Point::Histogram(Arc::clone(&histograms[histogram - 1].histogram))
        };
        count += match (&before, &now) {
            (None, _) => 0,
            (Some(Point::Float(before)), Point::Float(now)) => u64::from(of_floats(*before, *now)),
            (Some(Point::Histogram(before)), Point::Histogram(now)) => u64::from(of_histograms(before, now)),
            _ => 1,
        };
        before = Some(now);
    }
    float_count(count)
}

fn float_count(count: u64) -> Result {
    float(count as f64)
}

/// The first float to look at: the last one at or before the range's begin, where the range is anchored there.
fn anchor(window: &Window<'_>, times: &[i64]) -> Option<usize> {
    if window.edges != Edges::Anchored {
        return Some(0);
    }
    if times.last().is_none_or(|&last| last <= window.from_ms) {
        return None;
    }
    let after = times[..times.len() - 1].partition_point(|&time| time <= window.from_ms);
    Some(after.saturating_sub(1))
}

pub(super) fn changes(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    count_pairs(
        window,
        |before, now| before != now && !(before.is_nan() && now.is_nan()),
        |before, now| !histogram::equal(before, now),
    )
}

pub(super) fn resets(window: &Window<'_>, _: &[f64], _: &mut Notes) -> Result {
    count_pairs(window, |before, now| now < before, histogram::is_reset)
}
