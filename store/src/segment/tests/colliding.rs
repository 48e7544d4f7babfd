//! Trace ids that a stranger makes so that they meet in one place of a table.

use weir_proto::TraceId;

/// A different id for each number; [`TraceId::hash64`] of all of them is the same.
pub(crate) fn id(n: u64) -> TraceId {
    let low = 7u64.wrapping_sub(fmix64(n ^ 0x9e37_79b9_7f4a_7c15));
    TraceId([n.to_le_bytes(), low.to_le_bytes()].concat().try_into().expect("16 bytes"))
}

/// MurmurHash3's finaliser, which everybody knows.
fn fmix64(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

/// Whether 40,960 hashes fill the places of a table as evenly as random ones: by their lower bits, which choose the place, and
/// the upper seven, which tell apart what lies there.
pub(crate) fn is_spread(hashes: impl Iterator<Item = u64>) -> bool {
    let (mut low, mut high) = ([0u32; 1 << 12], [0u32; 1 << 7]);
    for hash in hashes {
        low[hash as usize % low.len()] += 1;
        high[(hash >> 57) as usize] += 1;
    }
    low.iter().sum::<u32>() == 40_960 && low.iter().all(|&n| n < 60) && high.iter().all(|&n| (100..800).contains(&n))
}
