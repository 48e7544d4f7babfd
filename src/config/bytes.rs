//! Byte sizes as people write them: `64MiB`, `100GB`, `4096`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use weir_proto::size::parse;

/// A configured number of bytes between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize<const MIN: u64 = 0, const MAX: u64 = { i64::MAX as u64 }>(pub(crate) u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for ByteSize<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = parse(&text).map_err(de::Error::custom)?;
        if bytes < MIN {
            return Err(de::Error::custom(format!("`{text}` is too small; at least {}", Written(MIN))));
        }
        if bytes > MAX {
            return Err(de::Error::custom(format!("`{text}` is too large; at most {}", Written(MAX))));
        }
        Ok(Self(bytes))
    }
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
    fn sizes_are_written_in_the_largest_whole_unit() {
        let cases = [(0, "0B"), (1000, "1000B"), (1 << 20, "1MiB"), (3 << 29, "1536MiB"), (5 << 40, "5TiB")];
        for (bytes, text) in cases {
            assert_eq!(Written(bytes).to_string(), text);
        }
    }
}
