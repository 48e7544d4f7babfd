//! Floats kept within bounds, or brought to the nearest of evenly spaced numbers.

use super::math;

pub(super) fn clamp(value: f64, bounds: &[f64]) -> Option<f64> {
    let (low, high) = (bounds[0], bounds[1]);
    // Bounds that are the wrong way round leave nothing; those that are no numbers make none.
    if high < low {
        return None;
    }
    Some(math::larger(low, math::smaller(high, value)))
}

pub(super) fn clamp_max(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(math::smaller(bounds[0], value))
}

pub(super) fn clamp_min(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(math::larger(bounds[0], value))
}

/// To the nearest multiple, ties upwards.
pub(super) fn round(value: f64, nearest: &[f64]) -> Option<f64> {
    // Dividing by the inverse loses less than multiplying by a fraction.
    let inverse = 1.0 / nearest.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}
