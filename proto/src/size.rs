//! Byte sizes as people write them: `64MiB`, `100GB`, `4096`.

use std::num::NonZeroUsize;

use serde::{Deserialize, Deserializer, de};

use crate::decimal::scaled;

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

/// Text that is not a size, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; write it like 64MiB, 100GB or 4096 (KiB, MiB, GiB, TiB, kB, MB, GB, TB)")]
pub struct InvalidSize(String);

/// Reads `64MiB`, up to 2^63 - 1 bytes.
pub fn parse(text: &str) -> Result<u64, InvalidSize> {
    bytes(text).ok_or_else(|| InvalidSize(text.chars().take(64).collect()))
}

fn bytes(text: &str) -> Option<u64> {
    let number_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_len);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, unit_bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let bytes = u64::try_from(scaled(number, u128::from(*unit_bytes))?).ok()?;
    (bytes <= i64::MAX as u64).then_some(bytes)
}

/// For `#[serde(deserialize_with)]`: a size that is not 0.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse(&text).map_err(de::Error::custom)? {
        0 => Err(de::Error::custom("must be larger than 0")),
        bytes => Ok(bytes),
    }
}

/// The same of what fits into memory.
pub fn deserialize_in_memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroUsize, D::Error> {
    let bytes = usize::try_from(deserialize(deserializer)?).map_err(de::Error::custom)?;
    NonZeroUsize::new(bytes).ok_or_else(|| de::Error::custom("must be larger than 0"))
}

/// The same, or 0 for nothing at all.
pub fn deserialize_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    usize::try_from(bytes).map_err(de::Error::custom)
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
            assert_eq!(parse(text).ok(), bytes, "{text}");
        }
    }
}
