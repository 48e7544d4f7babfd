//! When a group is evaluated: at multiples of its interval, moved by a hash of its file and name, so that not all ask at once.

/// A number that is the same for a group wherever and whenever it runs (FNV-1a).
pub(crate) fn slot_hash(file: &str, group: &str) -> u64 {
    let bytes = file.bytes().chain([0xff]).chain(group.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The first slot after a moment, Unix ms.
pub(crate) fn next_slot(hash: u64, interval_ms: i64, now_ms: i64) -> i64 {
    let interval_ms = interval_ms.max(1);
    let offset = (hash % interval_ms.unsigned_abs()) as i64;
    let moved = now_ms.saturating_sub(offset);
    moved - moved.rem_euclid(interval_ms) + offset + interval_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_an_interval_apart_and_moved_by_the_hash() {
        let hash = slot_hash("a.yml", "g");
        assert_ne!(hash, slot_hash("a.ym", "lg"));
        let first = next_slot(hash, 15_000, 1_700_000_000_000);
        assert!((1_700_000_000_001..=1_700_000_015_000).contains(&first));
        assert_eq!(first.rem_euclid(15_000), (hash % 15_000) as i64);
        assert_eq!(next_slot(hash, 15_000, first), first + 15_000);
        assert_eq!(next_slot(hash, 15_000, first - 1), first);
        assert_eq!(next_slot(7, 10, -4), -3);
    }
}
