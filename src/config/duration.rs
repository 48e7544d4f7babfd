//! Durations as people write them: `5ms`, `10s`, `1h30m`, `7d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Units and their nanoseconds. A day is 24 hours.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// What to write instead of something that is not a duration.
const EXAMPLES: &str = "write it like 5ms, 10s, 1h30m or 7d (units ns, us, ms, s, m, h, d, w)";

/// A configured duration between two bounds in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period<const MS_MIN: u64 = 0, const MS_MAX: u64 = { u64::MAX }>(pub(crate) Duration);

impl<'de, const MS_MIN: u64, const MS_MAX: u64> Deserialize<'de> for Period<MS_MIN, MS_MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = parse(&text).map_err(de::Error::custom)?;
        let (min, max) = (Duration::from_millis(MS_MIN), Duration::from_millis(MS_MAX));
        if duration < min {
            return Err(de::Error::custom(format!("`{text}` is too short; at least {min:?}")));
        }
        if duration > max {
            return Err(de::Error::custom(format!("`{text}` is too long; at most {max:?}")));
        }
        Ok(Self(duration))
    }
}

/// How long something is kept: a duration, or `forever` (`None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "forever" {
            return Ok(Self(None));
        }
        match parse(&text) {
            Ok(Duration::ZERO) => Err(de::Error::custom("a retention of 0 keeps nothing; write a duration or forever")),
            Ok(duration) => Ok(Self(Some(duration))),
            Err(message) => Err(de::Error::custom(format!("{message}, or forever"))),
        }
    }
}

/// Reads `1h30m`: numbers (a fraction is allowed) each followed by its unit. The error is a message for people.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = |what: &str| format!("`{text}` is not a duration: {what}; {EXAMPLES}");
    let mut rest = text;
    let mut total_ns: u128 = 0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(wrong("a number needs a unit"));
        }
        let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong(&format!("unknown unit `{unit}`")));
        };
        let part_ns = scaled(number, *unit_ns).ok_or_else(|| wrong("cannot read the number"))?;
        total_ns = total_ns.checked_add(part_ns).ok_or_else(|| wrong("too long"))?;
        rest = after;
    }
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    // 2^63 ns are 292 years: any Unix time of this century plus or minus it still fits.
    match u64::try_from(total_ns) {
        Ok(ns) if ns <= i64::MAX as u64 => Ok(Duration::from_nanos(ns)),
        _ => Err(wrong("too long")),
    }
}

/// A decimal number times `unit`, cut to a whole; `None` when it is not a number or too large.
pub(crate) fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || (fraction.is_empty() && number.contains('.')) {
        return None;
    }
    let mut value = u128::from(whole.parse::<u64>().ok()?).checked_mul(unit)?;
    if !fraction.is_empty() {
        let tenths = u128::from(fraction.parse::<u64>().ok()?);
        value = value.checked_add(tenths * unit / 10u128.pow(fraction.len() as u32))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_written() {
        let cases = [
            ("0", 0),
            ("5ms", 5_000_000),
            ("10s", 10_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.25ms", 250_000),
            ("7d", 604_800_000_000_000),
            ("1w", 604_800_000_000_000),
            ("3µs", 3_000),
            ("3us2ns", 3_002),
        ];
        for (text, ns) in cases {
            assert_eq!(parse(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration() {
        let cases = [
            ("", "it is empty"),
            ("10", "a number needs a unit"),
            ("1h30", "a number needs a unit"),
            ("10 s", "unknown unit ` s`"),
            ("ten", "unknown unit `ten`"),
            ("-5s", "unknown unit `-`"),
            ("5 fortnights", "unknown unit ` fortnights`"),
            ("s", "cannot read the number"),
            (".5s", "cannot read the number"),
            ("1.s", "cannot read the number"),
            ("1.2.3s", "cannot read the number"),
            ("99999999999999999999s", "cannot read the number"),
            ("300000d", "too long"),
            ("18446744073709551615w", "too long"),
        ];
        for (text, what) in cases {
            assert_eq!(parse(text), Err(format!("`{text}` is not a duration: {what}; {EXAMPLES}")), "{text}");
        }
    }
}
