//! Byte sizes as people write them: `64MiB`, `100GB`, `4096`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use weir_proto::decimal::scaled;

/// Units and their bytes; letter case does not matter.
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

/// A configured number of bytes between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize<const MIN: u64 = 0, const MAX: u64 = { i64::MAX as u64 }>(pub(crate) u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for ByteSize<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(bytes) = parse(&text) else {
            return Err(de::Error::custom(format!(
                "`{text}` is not a size; write it like 64MiB, 100GB or 4096 (KiB, MiB, GiB, TiB, kB, MB, GB, TB)"
            )));
        };
        if bytes < MIN {
            return Err(de::Error::custom(format!("`{text}` is too small; at least {}", Written(MIN))));
        }
        if bytes > MAX {
            return Err(de::Error::custom(format!("`{text}` is too large; at most {}", Written(MAX))));
        }
        Ok(Self(bytes))
    }
}

/// Reads `64MiB`; `None` when it is no size or above 2^63 - 1.
fn parse(text: &str) -> Option<u64> {
    let number_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_len);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, unit_bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = u64::try_from(scaled(number, u128::from(*unit_bytes))?).ok()?;
    (bytes <= i64::MAX as u64).then_some(bytes)
}

/// Bytes, written in the largest binary unit that divides them.
pub(crate) struct Written(pub(crate) u64);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_written() {
        let cases = [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("64MiB", Some(64 << 20)),
            ("64 mib", Some(64 << 20)),
            ("1.5GiB", Some(3 << 29)),
            ("100GB", Some(100_000_000_000)),
            ("2TiB", Some(2 << 40)),
            ("7B", Some(7)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("64M", None),
            ("64MiBs", None),
            ("1e3", None),
            ("8388608TiB", None),
            ("8388607TiB", Some(8388607 << 40)),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_whole_unit() {
        let cases = [(0, "0B"), (1000, "1000B"), (1 << 20, "1MiB"), (3 << 29, "1536MiB"), (5 << 40, "5TiB")];
        for (bytes, text) in cases {
            assert_eq!(Written(bytes).to_string(), text);
        }
    }
}
