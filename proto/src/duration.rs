//! Durations as people write them: `5ms`, `10s`, `1h30m`, `7d`. Go's syntax, with days and weeks, without a minus sign.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use crate::decimal::scaled;

/// Units and their nanoseconds, µ as either of its two characters. A day is 24 hours.
const UNITS: [(&str, u128); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// The longest duration, as in Go: 2^63 - 1 ns are 292 years, so that any Unix time of this century plus or minus it fits.
const NS_MAX: u64 = i64::MAX as u64;

/// How much of a text that is no duration an error repeats.
const TEXT_CHARS_MAX: usize = 64;

/// Text that is not a duration, why, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: {problem}; write it like 5ms, 10s, 1h30m or 7d (units ns, us, ms, s, m, h, d, w)")]
pub struct InvalidDuration {
    text: String,
    problem: Problem,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("it is empty")]
    Empty,
    #[error("a number needs a unit")]
    NoUnit,
    #[error("unknown unit `{0}`")]
    UnknownUnit(String),
    #[error("cannot read the number")]
    Number,
    #[error("too long")]
    TooLong,
}

/// Reads a duration in the syntax of Go's `time.ParseDuration`: numbers (a fraction is allowed) each followed by its unit,
/// or `0`. Beside Go's units there are `d` and `w`; negative durations are refused.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    read(text).map_err(|problem| InvalidDuration { text: text.chars().take(TEXT_CHARS_MAX).collect(), problem })
}

fn read(text: &str) -> Result<Duration, Problem> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(Problem::Empty);
    }
    let mut total_ns: u128 = 0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(Problem::NoUnit);
        }
        let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Problem::UnknownUnit(unit.chars().take(TEXT_CHARS_MAX).collect()));
        };
        let part_ns = scaled(number, *unit_ns).ok_or(Problem::Number)?;
        total_ns = total_ns.saturating_add(part_ns);
        rest = after;
    }
    match u64::try_from(total_ns) {
        Ok(ns) if ns <= NS_MAX => Ok(Duration::from_nanos(ns)),
        _ => Err(Problem::TooLong),
    }
}

/// For `#[serde(deserialize_with)]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Written::deserialize(deserializer).map(|written| written.0)
}

/// For `#[serde(deserialize_with)]` on a duration that may be left empty.
pub fn deserialize_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<Written>::deserialize(deserializer)?.map(|written| written.0))
}

/// For `#[serde(deserialize_with)]` on a timeout: one of zero would refuse everything, surely not what is meant.
pub fn deserialize_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = deserialize(deserializer)?;
    if duration.is_zero() {
        return Err(D::Error::custom("must be longer than 0s"));
    }
    Ok(duration)
}

/// A duration as it stands in a file.
struct Written(Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WrittenVisitor)
    }
}

/// Reads the text.
struct WrittenVisitor;

impl Visitor<'_> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like 5ms, 10s, 1h30m or 7d")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        parse(text).map(Written).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn reads_what_go_reads_and_days() {
        let cases = [
            ("0", 0),
            ("+5s", 5_000_000_000),
            ("5ms", 5_000_000),
            ("10s", 10_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1h30m0.5s", 5_400_500_000_000),
            ("1h1m1s1ms", 3_661_001_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1.2s", 1_200_000_000),
            ("0.25ms", 250_000),
            ("7d", 604_800_000_000_000),
            ("1w", 604_800_000_000_000),
            ("3us2ns", 3_002),
            ("10µs", 10_000),
            ("10μs", 10_000),
            (".5s", 500_000_000),
            ("7.ms", 7_000_000),
            // Cut to whole nanoseconds, as Go does.
            (".9ns", 0),
            ("9223372036854775807ns", NS_MAX),
        ];
        for (text, ns) in cases {
            assert_eq!(parse(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", "it is empty"),
            ("+", "it is empty"),
            ("10", "a number needs a unit"),
            ("1h30", "a number needs a unit"),
            ("10 s", "unknown unit ` s`"),
            ("ten", "unknown unit `ten`"),
            ("-5s", "unknown unit `-`"),
            ("5 fortnights", "unknown unit ` fortnights`"),
            ("1e400d", "unknown unit `e`"),
            ("s", "cannot read the number"),
            (".s", "cannot read the number"),
            ("1.2.3s", "cannot read the number"),
            ("99999999999999999999s", "cannot read the number"),
            ("9223372036854775808ns", "too long"),
            ("300000d", "too long"),
            ("18446744073709551615w", "too long"),
        ];
        for (text, what) in cases {
            let message = parse(text).expect_err(text).to_string();
            let rest = "write it like 5ms, 10s, 1h30m or 7d (units ns, us, ms, s, m, h, d, w)";
            assert_eq!(message, format!("`{text}` is not a duration: {what}; {rest}"));
        }
        let long = "x".repeat(10_000);
        assert!(parse(&long).expect_err("no duration").to_string().len() < 300);
    }

    #[test]
    fn reads_configurations() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(default)]
        struct Times {
            #[serde(deserialize_with = "deserialize")]
            any: Duration,
            #[serde(deserialize_with = "deserialize_some")]
            some: Option<Duration>,
            #[serde(deserialize_with = "deserialize_positive")]
            positive: Duration,
        }
        impl Default for Times {
            fn default() -> Self {
                Self { any: Duration::MAX, some: None, positive: Duration::MAX }
            }
        }
        let second = Duration::from_secs(1);
        let times = |value| from_value::<Times>(value).map_err(|error| error.to_string());
        assert_eq!(
            times(json!({"any": "0", "some": "1s", "positive": "1s"})),
            Ok(Times { any: Duration::ZERO, some: Some(second), positive: second })
        );
        assert_eq!(times(json!({"some": null})), Ok(Times::default()));
        for (value, said) in [
            (json!({"any": "soon"}), "`soon` is not a duration: unknown unit `soon`"),
            (json!({"some": "1"}), "a number needs a unit"),
            (json!({"any": 5}), "expected a duration like 5ms, 10s, 1h30m or 7d"),
            (json!({"positive": "0ms"}), "must be longer than 0s"),
        ] {
            let error = times(value.clone()).expect_err("a mistake");
            assert!(error.contains(said), "{value}: {error}");
        }
    }
}
