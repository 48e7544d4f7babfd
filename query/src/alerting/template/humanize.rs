//! Numbers as people read them.

use crate::{
    gotemplate::{layout, printf::general},
    promql::format::shortest,
};

const UP: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const DOWN: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

/// Four digits that mean something.
fn four(value: f64) -> String {
    let sign = if value.is_sign_negative() && value.is_finite() { "-" } else { "" };
    let size = if value.is_finite() { value.abs() } else { value };
    format!("{sign}{}", general(size, 4))
}

/// Divided by the step until it is below it.
fn scaled(mut value: f64, step: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut used = "";
    for prefix in prefixes {
        if value.abs() < step {
            break;
        }
        used = prefix;
        value /= step;
    }
    (value, used)
}

/// Multiplied by 1000 until it is at least 1.
fn raised(mut value: f64) -> (f64, &'static str) {
    let mut used = "";
    for prefix in DOWN {
        if value.abs() >= 1.0 {
            break;
        }
        used = prefix;
        value *= 1000.0;
    }
    (value, used)
}

/// `1.235k`, `12.5m`
pub(super) fn decimal(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four(value);
    }
    let (value, prefix) = if value.abs() >= 1.0 { scaled(value, 1000.0, UP) } else { raised(value) };
    format!("{}{prefix}", four(value))
}

/// `1.206Ki`, as Prometheus writes it: `1.206ki`
pub(super) fn binary(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four(value);
    }
    let (value, prefix) = scaled(value, 1024.0, BINARY);
    format!("{}{prefix}", four(value))
}

/// `12.34%` of 0.1234
pub(super) fn percentage(value: f64) -> String {
    format!("{}%", four(value * 100.0))
}

/// `1h 2m 3s` of seconds.
pub(super) fn duration(value: f64) -> String {
    if !value.is_finite() {
        return four(value);
    }
    if value == 0.0 {
        return format!("{}s", four(value));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = raised(value);
        return format!("{}{prefix}s", four(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    let whole = wrapped(size);
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four(size)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// `2015-05-07 09:10:21.66 +0000 UTC` of Unix seconds.
pub(super) fn timestamp(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        return Ok(four(value));
    }
    Ok(layout::shown(time_ns(value)?, 0))
}

/// Unix ns of Unix seconds.
pub(super) fn time_ns(value: f64) -> Result<i64, String> {
    if !value.is_finite() {
        return Err("value is NaN or Inf".into());
    }
    let ns = value * 1e9;
    if ns > i64::MAX as f64 || ns < i64::MIN as f64 {
        let shown = shortest(value);
        return Err(format!("{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"));
    }
    // Times of samples are whole milliseconds.
    Ok((ns as i64) / 1_000_000 * 1_000_000)
}

/// ns of seconds.
pub(super) fn duration_ns(value: f64) -> i64 {
    wrapped(value * 1e9)
}

/// A whole number; what none holds is the smallest, as Go's conversion on x86 has it.
fn wrapped(value: f64) -> i64 {
    let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
    if fits { value as i64 } else { i64::MIN }
}
