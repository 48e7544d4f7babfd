//! How fast a series rises.

use std::{ops::Range, sync::Arc};

use weir_proto::metrics::{Histogram, ResetHint};

use super::{
    edges,
    window::{Track, Window, is_restart},
};
use crate::promql::{
    histogram::{self, arithmetic},
    notes::Notes,
    source::HistogramSample,
    syntax::ast::Edges,
    value::Point,
};

type Result = std::result::Result<Option<Point>, String>;

/// What of the rise is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Delta,
    Increase,
    Rate,
}

impl Kind {
    /// Of the function of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "delta" => Some(Self::Delta),
            "increase" => Some(Self::Increase),
            "rate" => Some(Self::Rate),
            _ => None,
        }
    }
}

pub(super) fn delta(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    Ok(extrapolated(window, Kind::Delta, notes))
}

pub(super) fn increase(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    Ok(extrapolated(window, Kind::Increase, notes))
}

pub(super) fn rate(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    Ok(extrapolated(window, Kind::Rate, notes))
}

/// The rise from the first to the last sample, carried on to the range's edges where a series seems to fill it.
fn extrapolated(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Point> {
    if window.is_mixed() {
        notes.mixed_floats_and_histograms(window.extent, window.metric());
        return None;
    }
    if window.edges != Edges::Plain {
        return edges::rise(window, kind, notes);
    }
    let is_counter = kind != Kind::Delta;
    if window.histograms.len() > 1 {
        let histograms = window.histograms();
        let mut rise = histogram_rise(window, is_counter, notes)?;
        let (first, last) = (&histograms[0], &histograms[histograms.len() - 1]);
        let places = (first.time_ms - window.from_ms, last.time_ms - first.time_ms, window.to_ms - last.time_ms);
        let carried = Carried::new(places, histograms.len());
        let may_reach_zero = is_counter && rise.count > 0.0 && first.histogram.count >= 0.0;
        let factor = if may_reach_zero {
            carried.factor_from_zero(first.histogram.count / rise.count, kind, window.range_ms)
        } else {
            carried.factor(kind, window.range_ms)
        };
        arithmetic::scale(&mut rise, factor);
        return Some(Point::Histogram(Arc::new(rise)));
    }
    let mut rises = Rises::new(kind, window.range_ms);
    rises.rise(window.track, &window.floats, (window.from_ms, window.to_ms)).map(Point::Float)
}

/// What a rise between two samples is carried on over, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    sampled_s: f64,
    to_start_s: f64,
    to_end_s: f64,
}

impl Carried {
    /// Of samples by what lies before the first, between it and the last, and behind it, in ms.
    fn new((before_ms, sampled_ms, after_ms): (i64, i64, i64), count: usize) -> Self {
        let seconds = |ms: i64| ms as f64 / 1e3;
        let (mut to_start_s, sampled_s, mut to_end_s) = (seconds(before_ms), seconds(sampled_ms), seconds(after_ms));
        let spacing = sampled_s / (count - 1) as f64;
        // A gap of more than a tenth over the spacing: the series begins or ends within the range, half a spacing away.
        let threshold = spacing * 1.1;
        if to_start_s >= threshold {
            to_start_s = spacing / 2.0;
        }
        if to_end_s >= threshold {
            to_end_s = spacing / 2.0;
        }
        Self { sampled_s, to_start_s, to_end_s }
    }

    /// By what the rise is multiplied.
    fn factor(self, kind: Kind, range_ms: i64) -> f64 {
        let factor = (self.sampled_s + self.to_start_s + self.to_end_s) / self.sampled_s;
        if kind == Kind::Rate { factor / (range_ms as f64 / 1e3) } else { factor }
    }

    /// The same of a counter that was at zero `zero` times the samples' length before the first one, if it rose evenly: it is never
    /// below zero.
    fn factor_from_zero(mut self, zero: f64, kind: Kind, range_ms: i64) -> f64 {
        let to_zero_s = self.sampled_s * zero;
        if to_zero_s < self.to_start_s {
            self.to_start_s = to_zero_s;
        }
        self.factor(kind, range_ms)
    }
}

/// The rises of a series' floats over windows of one length. Samples come evenly, and so do steps: what was divided for one window
/// mostly holds for the next.
pub(crate) struct Rises {
    kind: Kind,
    range_ms: i64,
    /// Of which window the rest is.
    places: ((i64, i64, i64), usize),
    carried: Carried,
    factor: f64,
}

impl Rises {
    pub(crate) fn new(kind: Kind, range_ms: i64) -> Self {
        Self { kind, range_ms, places: ((0, 0, 0), 0), carried: Carried::default(), factor: 0.0 }
    }

    /// The rise in a window, whose samples are `floats`, in which counters began anew where the track says.
    #[inline]
    pub(crate) fn rise(&mut self, track: &Track, floats: &Range<usize>, (from_ms, to_ms): (i64, i64)) -> Option<f64> {
        let (times, values) = (&track.samples.times[floats.clone()], &track.samples.values[floats.clone()]);
        let ([first, .., last], [first_ms, .., last_ms]) = (values, times) else { return None };
        let mut rise = last - first;
        if self.kind == Kind::Delta {
            return Some(rise * self.carried(((first_ms - from_ms, last_ms - first_ms, to_ms - last_ms), times.len())));
        }
        for index in track.resets_in(floats) {
            rise += values[index - 1];
        }
        let factor = self.carried(((first_ms - from_ms, last_ms - first_ms, to_ms - last_ms), times.len()));
        let Carried { sampled_s, to_start_s, .. } = self.carried;
        let may_reach_zero = rise > 0.0 && *first >= 0.0 && !(*first >= rise && sampled_s >= to_start_s);
        if may_reach_zero {
            return Some(rise * self.carried.factor_from_zero(first / rise, self.kind, self.range_ms));
        }
        Some(rise * factor)
    }

    fn carried(&mut self, places: ((i64, i64, i64), usize)) -> f64 {
        if places != self.places {
            self.places = places;
            self.carried = Carried::new(places.0, places.1);
            self.factor = self.carried.factor(self.kind, self.range_ms);
        }
        self.factor
    }
}

/// Whether counting began anew between two histograms.
pub(super) fn began_anew(before: &HistogramSample, now: &HistogramSample) -> bool {
    is_restart((before.start_ms, before.time_ms), (now.start_ms, now.time_ms))
        || histogram::is_reset(&before.histogram, &now.histogram)
}

/// The rise between the first and the last histogram; there are two at least.
fn histogram_rise(window: &Window<'_>, is_counter: bool, notes: &mut Notes) -> Option<Histogram> {
    let samples = window.histograms();
    let (extent, metric) = (window.extent, window.metric());
    let mut first = Arc::clone(&samples[0].histogram);
    let last = &samples[samples.len() - 1].histogram;
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    if is_counter && (is_gauge(&first) || is_gauge(last)) {
        notes.not_a_counter(extent, metric);
    }
    // What is before a reset does not matter, nor do its buckets.
    if is_counter && began_anew(&samples[0], &samples[1]) {
        let second = &samples[1].histogram;
        first = Arc::new(Histogram {
            schema: second.schema,
            custom_values: second.custom_values.clone(),
            ..Histogram::default()
        });
    }
    let is_custom = histogram::is_custom(&first);
    if histogram::is_custom(last) != is_custom {
        notes.mixed_schemas(extent, metric);
        return None;
    }
    let mut schema = last.schema.min(first.schema);
    for sample in &samples[1..samples.len() - 1] {
        if !is_counter {
            continue;
        }
        if is_gauge(&sample.histogram) {
            notes.not_a_counter(extent, metric);
        }
        schema = schema.min(sample.histogram.schema);
        if histogram::is_custom(&sample.histogram) != is_custom {
            notes.mixed_schemas(extent, metric);
            return None;
        }
    }
    let mut rise = arithmetic::at_schema(last, schema);
    let mut combine = |rise: &mut Histogram, other: &Histogram, is_sum: bool| {
        let outcome = if is_sum { arithmetic::add(rise, other) } else { arithmetic::subtract(rise, other) };
        match outcome {
            Ok(outcome) => {
                if outcome.reconciled {
                    notes.reconciled_buckets(extent, if is_sum { "addition" } else { "subtraction" });
                }
                true
            }
            Err(_) => {
                notes.mixed_schemas(extent, metric);
                false
            }
        }
    };
    if !combine(&mut rise, &first, false) {
        return None;
    }
    if is_counter {
        let mut before = HistogramSample { histogram: first, ..samples[0].clone() };
        for sample in &samples[1..] {
            if began_anew(&before, sample) && !combine(&mut rise, &before.histogram, true) {
                return None;
            }
            before = sample.clone();
        }
    } else if !is_gauge(&samples[0].histogram) || !is_gauge(last) {
        notes.not_a_gauge(extent, metric);
    }
    rise.reset_hint = ResetHint::Gauge;
    arithmetic::compact(&mut rise);
    Some(rise)
}

pub(super) fn irate(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    Ok(instant(window, true, notes))
}

pub(super) fn idelta(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    Ok(instant(window, false, notes))
}

/// One of the last samples of both kinds.
struct LastSample<'a> {
    time_ms: i64,
    start_ms: i64,
    value: f64,
    histogram: Option<&'a HistogramSample>,
}

/// The last two samples, older first.
fn last_two<'a>(window: &Window<'a>) -> Option<[LastSample<'a>; 2]> {
    let count = window.floats.len();
    let mut last: Vec<_> = (count.saturating_sub(2)..count)
        .map(|index| {
            let (start_ms, time_ms) = window.start_and_time(index);
            LastSample { time_ms, start_ms, value: window.values()[index], histogram: None }
        })
        .collect();
    let histograms = window.histograms();
    for sample in &histograms[histograms.len().saturating_sub(2)..] {
        let (time_ms, start_ms) = (sample.time_ms, sample.start_ms);
        last.push(LastSample { time_ms, start_ms, value: 0.0, histogram: Some(sample) });
    }
    last.sort_by_key(|sample| sample.time_ms);
    let now = last.pop()?;
    Some([last.pop()?, now])
}

/// The rise between the last two samples.
fn instant(window: &Window<'_>, is_rate: bool, notes: &mut Notes) -> Option<Point> {
    let [before, now] = last_two(window)?;
    let seconds = (now.time_ms - before.time_ms) as f64 / 1e3;
    if seconds == 0.0 {
        return None;
    }
    let (extent, metric) = (window.extent, window.metric());
    match (before.histogram, now.histogram) {
        (None, None) => {
            let restarted = is_restart((before.start_ms, before.time_ms), (now.start_ms, now.time_ms));
            let is_anew = is_rate && (now.value < before.value || restarted);
            let rise = if is_anew { now.value } else { now.value - before.value };
            Some(Point::Float(if is_rate { rise / seconds } else { rise }))
        }
        (Some(before), Some(now)) => {
            let is_gauge = |sample: &HistogramSample| sample.histogram.reset_hint == ResetHint::Gauge;
            if is_rate && (is_gauge(before) || is_gauge(now)) {
                notes.not_a_counter(extent, metric);
            }
            let are_gauges = is_gauge(before) && is_gauge(now);
            if !is_rate && !are_gauges {
                notes.not_a_gauge(extent, metric);
            }
            let mut rise = Histogram::clone(&now.histogram);
            if !is_rate || !began_anew(before, now) {
                match arithmetic::subtract(&mut rise, &before.histogram) {
                    Ok(outcome) if outcome.reconciled => notes.reconciled_buckets(extent, "subtraction"),
                    Ok(_) => {}
                    Err(_) => {
                        notes.mixed_schemas(extent, metric);
                        return None;
                    }
                }
            }
            rise.reset_hint = ResetHint::Gauge;
            arithmetic::compact(&mut rise);
            if is_rate {
                arithmetic::divide(&mut rise, seconds);
            }
            Some(Point::Histogram(Arc::new(rise)))
        }
        _ => {
            notes.mixed_floats_and_histograms(extent, metric);
            None
        }
    }
}
