//! Asks a bloom filter about one value by the block that it would be in: no other is read.

use parquet::bloom_filter::Sbbf;

use super::{SegmentError, files::ReadFile};

/// A bloom filter, of which blocks are read when they are asked for.
pub(super) struct BloomBlocks<'a> {
    pub(super) file: &'a ReadFile,
    /// Where they begin.
    pub(super) start: u64,
    /// How many.
    pub(super) blocks: u64,
}

impl BloomBlocks<'_> {
    /// Whether the filter has the eight bytes of a number.
    pub(super) fn has(&self, number: u64) -> Result<bool, SegmentError> {
        let at = self.start + block_of(number, self.blocks) * BLOCK_BYTES as u64;
        let mut block = [0; BLOCK_BYTES];
        self.file.read_into(at, &mut block)?;
        Ok(is_in_block(&block, number))
    }
}

/// Bytes of a block (parquet-format, BloomFilter.md).
pub(super) const BLOCK_BYTES: usize = 32;

/// Which block of so many the eight bytes of this number would be in.
fn block_of(number: u64, blocks: u64) -> u64 {
    ((xxh64(number) >> 32) * blocks) >> 32
}

/// Whether they are in it.
fn is_in_block(block: &[u8; BLOCK_BYTES], number: u64) -> bool {
    Sbbf::new(block).check(&number.to_le_bytes()[..])
}

/// XXH64 of a number's eight bytes with seed 0 (xxhash_spec.md).
fn xxh64(number: u64) -> u64 {
    const PRIMES: [u64; 5] = [
        0x9e37_79b1_85eb_ca87,
        0xc2b2_ae3d_27d4_eb4f,
        0x1656_67b1_9e37_79f9,
        0x85eb_ca77_c2b2_ae63,
        0x27d4_eb2f_1656_67c5,
    ];
    let lane = number.wrapping_mul(PRIMES[1]).rotate_left(31).wrapping_mul(PRIMES[0]);
    let mut hash = PRIMES[4].wrapping_add(8) ^ lane;
    hash = hash.rotate_left(27).wrapping_mul(PRIMES[0]).wrapping_add(PRIMES[3]);
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_says_what_the_filter_does() {
        let mut filter = Sbbf::new_with_num_of_bytes(1 << 12);
        let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..500).for_each(|n| filter.insert(&number(n).to_le_bytes()[..]));
        let mut bits = Vec::new();
        filter.write_bitset(&mut bits).expect("memory");
        let blocks = (bits.len() / BLOCK_BYTES) as u64;
        for n in 0..5000 {
            let at = block_of(number(n), blocks) as usize * BLOCK_BYTES;
            let block = bits[at..].first_chunk().expect("a whole block");
            let expected = filter.check(&number(n).to_le_bytes()[..]);
            assert_eq!(is_in_block(block, number(n)), expected, "{n}");
            assert!(expected || n >= 500);
        }
    }
}
