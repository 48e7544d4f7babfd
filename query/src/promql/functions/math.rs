//! Numbers of numbers, where Go's answers differ from Rust's or are not there.

use std::f64::consts::PI;

pub(super) fn deg(value: f64) -> f64 {
    value * 180.0 / PI
}

pub(super) fn rad(value: f64) -> f64 {
    value * PI / 180.0
}

pub(super) fn pi(_: &[f64]) -> f64 {
    PI
}

/// Zero keeps its sign, and is zero.
pub(super) fn asinh(value: f64) -> f64 {
    if value.is_infinite() { value } else { value.asinh() }
}

pub(super) fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

pub(super) fn min_of(values: &[f64]) -> f64 {
    smaller(values[0], values[1])
}

pub(super) fn max_of(values: &[f64]) -> f64 {
    larger(values[0], values[1])
}

/// The larger; no number when one is none, but for infinity.
pub(super) fn larger(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

/// The smaller; no number when one is none, but for infinity.
pub(super) fn smaller(one: f64, other: f64) -> f64 {
    if one == f64::NEG_INFINITY || other == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.min(other)
    }
}
