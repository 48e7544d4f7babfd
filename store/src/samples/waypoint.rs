//! A waypoint: where reading can begin in the middle of a chunk. What the next sample depends on, kept beside the bytes.

use super::chunk::Last;

/// Behind so many samples, and how to go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waypoint {
    /// What the last of them was.
    pub(super) last: Last,
    /// How many they are, one at least.
    pub(crate) samples: u32,
    /// Bytes that follow and still belong to them.
    pub(super) rest: u8,
}

/// Bytes of a waypoint.
pub(crate) const WAYPOINT_BYTES: usize = 38;

impl Waypoint {
    /// The last sample before it.
    pub(crate) fn last_ms(&self) -> i64 {
        self.last.time_ms
    }

    /// As bytes that never leave memory.
    pub(crate) fn to_bytes(self) -> [u8; WAYPOINT_BYTES] {
        let mut bytes = [0; WAYPOINT_BYTES];
        let Last { time_ms, step_ms, value, integer, scale } = self.last;
        bytes[..8].copy_from_slice(&time_ms.to_ne_bytes());
        bytes[8..16].copy_from_slice(&step_ms.to_ne_bytes());
        bytes[16..24].copy_from_slice(&value.to_ne_bytes());
        bytes[24..32].copy_from_slice(&integer.to_ne_bytes());
        bytes[32..36].copy_from_slice(&self.samples.to_ne_bytes());
        bytes[36] = scale;
        bytes[37] = self.rest;
        bytes
    }

    /// Of bytes that begin with what [`Self::to_bytes`] gave.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let eight = |at: usize| *bytes[at..].first_chunk::<8>().expect("a waypoint has more bytes");
        let samples = *bytes[32..].first_chunk::<4>().expect("a waypoint has more bytes");
        Self {
            last: Last {
                time_ms: i64::from_ne_bytes(eight(0)),
                step_ms: i64::from_ne_bytes(eight(8)),
                value: f64::from_ne_bytes(eight(16)),
                integer: i64::from_ne_bytes(eight(24)),
                scale: bytes[36],
            },
            samples: u32::from_ne_bytes(samples),
            rest: bytes[37],
        }
    }
}
