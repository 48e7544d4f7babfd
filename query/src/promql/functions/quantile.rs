//! Quantiles of plain numbers.

use std::cmp::Ordering;

/// The quantile, interpolated between neighbours; sorts the values, what is no number first.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(nans_first);
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Ascending, what is no number before all.
pub(crate) fn nans_first(one: &f64, other: &f64) -> Ordering {
    one.partial_cmp(other).unwrap_or_else(|| other.is_nan().cmp(&one.is_nan()))
}
