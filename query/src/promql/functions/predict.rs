//! Where a series is heading.

use super::window::Window;
use crate::promql::{notes::Notes, sum::Sum, value::Point};

type Result = std::result::Result<Option<Point>, String>;

/// Whether there are two floats; says so when histograms beside floats are ignored.
fn has_two_floats(window: &Window<'_>, notes: &mut Notes) -> bool {
    if window.is_mixed() {
        notes.ignored_in_mixed_range(window.extent, window.metric());
    }
    window.floats.len() >= 2
}

/// Slope per second, and the value at a time, of the line of least squares.
fn line(window: &Window<'_>, at_ms: i64) -> (f64, f64) {
    let (times, values) = (window.times(), window.values());
    let first = values[0];
    if values.iter().all(|&value| value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let mut sums = [Sum::default(); 4];
    for (&time, &y) in times.iter().zip(values) {
        let x = (time - at_ms) as f64 / 1e3;
        for (sum, value) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            sum.add(value);
        }
    }
    let [x, y, xy, xx] = sums.map(Sum::total);
    let count = values.len() as f64;
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}

pub(super) fn deriv(window: &Window<'_>, _: &[f64], notes: &mut Notes) -> Result {
    if !has_two_floats(window, notes) {
        return Ok(None);
    }
    // A time near those in use, for the sake of precision.
    Ok(Some(Point::Float(line(window, window.times()[0]).0)))
}

pub(super) fn predict_linear(window: &Window<'_>, scalars: &[f64], notes: &mut Notes) -> Result {
    if !has_two_floats(window, notes) {
        return Ok(None);
    }
    let (slope, now) = line(window, window.step_ms);
    Ok(Some(Point::Float(slope * scalars[0] + now)))
}

/// Holt's linear method (https://en.wikipedia.org/wiki/Exponential_smoothing).
pub(super) fn double_exponential_smoothing(window: &Window<'_>, scalars: &[f64], notes: &mut Notes) -> Result {
    let (smoothing, trending) = (scalars[0], scalars[1]);
    for (name, letters, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trending)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(format!("invalid {name} factor. Expected: 0 < {letters} < 1, got: {factor:.6}"));
        }
    }
    if !has_two_floats(window, notes) {
        return Ok(None);
    }
    let values = window.values();
    let mut before = 0.0;
    let mut smoothed = values[0];
    let mut trend = values[1] - values[0];
    for (index, &value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trending * (smoothed - before) + (1.0 - trending) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, next);
    }
    Ok(Some(Point::Float(smoothed)))
}
