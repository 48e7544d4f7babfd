//! What a policy has learned, as bytes: the version of its layout, then numbers.

/// A number's bytes.
const NUMBER_BYTES: usize = 8;

/// Writes them.
pub(super) fn write(version: u8, numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut saved = vec![version];
    saved.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
    saved
}

/// Reads them; nothing when they are of another version, or cut off.
pub(super) fn read(version: u8, saved: &[u8]) -> Vec<u64> {
    let Some((first, rest)) = saved.split_first() else { return Vec::new() };
    let (numbers, left) = rest.as_chunks::<NUMBER_BYTES>();
    if *first != version || !left.is_empty() {
        return Vec::new();
    }
    numbers.iter().map(|number| u64::from_le_bytes(*number)).collect()
}

/// An amount that can be reckoned with: 0 or more.
pub(super) fn amount(bits: u64) -> Option<f64> {
    Some(f64::from_bits(bits)).filter(|amount| amount.is_finite() && *amount >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        let saved = write(3, [1, u64::MAX]);
        assert_eq!(read(3, &saved), [1, u64::MAX]);
        assert_eq!((read(2, &saved), read(3, &saved[..10]), read(3, &[])), (vec![], vec![], vec![]));
        assert_eq!([2.5, -1.0, f64::NAN, f64::INFINITY].map(|n| amount(n.to_bits())), [Some(2.5), None, None, None]);
    }
}
