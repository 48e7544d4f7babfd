//! Durations as Go writes them: `1.5s`, `100ms`, `1h30m` (Go's `time.ParseDuration`, which Jaeger and the Collector use).

use std::{fmt, time::Duration};

use serde::de::{Deserializer, Error, Visitor};

/// Text that is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration like 1.5s, 100ms or 1h30m: {0:?}")]
pub(super) struct NotADuration(String);

/// Reads a duration that is not negative.
pub(super) fn parse(text: &str) -> Result<Duration, NotADuration> {
    parse_units(text, &UNITS)
}

/// The same with days and weeks, as Jaeger's UI writes how far a search looks back.
pub(super) fn parse_lookback(text: &str) -> Result<Duration, NotADuration> {
    parse_units(text, &LOOKBACK_UNITS)
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration like 1.5s, 100ms or 1h30m")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            let duration = parse(text).map_err(E::custom)?;
            // A timer of zero would refuse everything: surely not what is meant.
            if duration.is_zero() {
                return Err(E::custom("must be longer than 0s"));
            }
            Ok(duration)
        }
    }
    deserializer.deserialize_str(Text)
}

/// Names with their nanoseconds; a name comes after those that it starts with.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const LOOKBACK_UNITS: [(&str, u64); 5] = [
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

fn parse_units(text: &str, units: &[(&str, u64)]) -> Result<Duration, NotADuration> {
    let error = || NotADuration(text.chars().take(64).collect());
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(error());
    }
    let mut total_ns: u64 = 0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let &(_, unit_ns) = units.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        let part_ns = scale(number, unit_ns).ok_or_else(error)?;
        total_ns = total_ns.checked_add(part_ns).ok_or_else(error)?;
        rest = after;
    }
    Ok(Duration::from_nanos(total_ns))
}

/// A decimal number of units in ns; `None` when it is no number or too large.
fn scale(number: &str, unit_ns: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut ns = whole.checked_mul(unit_ns)?;
    let mut digit_ns = unit_ns as f64;
    let mut fraction_ns = 0.0;
    for digit in fraction.bytes() {
        digit_ns /= 10.0;
        fraction_ns += f64::from(digit - b'0') * digit_ns;
    }
    ns = ns.checked_add(fraction_ns.round() as u64)?;
    Some(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, ns) in [
            ("0", 0),
            ("1.2s", 1_200_000_000),
            ("100ms", 100_000_000),
            ("10us", 10_000),
            ("10µs", 10_000),
            ("10μs", 10_000),
            ("5m", 300_000_000_000),
            ("1h30m0.5s", 5_400_500_000_000),
            (".5ns", 1),
            ("7.ms", 7_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "5", "s", "-1s", "1 s", "1.2.3s", ".s", "1x", "1d", "99999999999h", "1s2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn looks_back_days() {
        assert_eq!(parse_lookback("2d"), Ok(Duration::from_secs(172_800)));
        assert!(parse_lookback("custom").is_err());
    }
}
