//! Durations with bounds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use weir_proto::duration::parse;

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
