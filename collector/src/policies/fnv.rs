//! FNV-1a, the Collector's hash of trace ids. <http://www.isthe.com/chongo/tech/comp/fnv/>

/// 64 bits, of what has been written so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv64(pub(crate) u64);

impl Fnv64 {
    /// Of nothing.
    pub(crate) const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// With more bytes.
    #[inline]
    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }
}

/// 32 bits.
pub(crate) fn fnv1a_32(parts: [&[u8]; 2]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in parts.into_iter().flatten() {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' test suite.
    #[test]
    fn known_values() {
        assert_eq!(Fnv64::EMPTY.and(b"").0, 0xcbf29ce484222325);
        assert_eq!(Fnv64::EMPTY.and(b"foo").and(b"bar").0, 0x85944171f73967e8);
        assert_eq!(fnv1a_32([b"", b"a"]), 0xe40c292c);
        assert_eq!(fnv1a_32([b"foobar", b""]), 0xbf9cf968);
    }
}
