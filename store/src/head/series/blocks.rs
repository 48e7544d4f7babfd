//! Bytes of one journal file's chunks, in blocks of one size: no room is left over between them, and all go at once when the file
//! is sealed.

use parking_lot::RwLock;

/// Bytes of a chunk in a block.
pub(super) const PAYLOAD_BYTES: usize = 48;

/// Blocks that memory is taken for at a time, a mebibyte about. Few in tests, so that they need several.
const SLAB_BLOCKS: usize = if cfg!(test) { 3 } else { 20_000 };

/// Before the first block of a chunk.
pub(super) const NO_BLOCK: u32 = u32::MAX;

/// What a chunk goes on in, and where the block before it is.
#[derive(Debug, Clone, Copy)]
struct Block {
    payload: [u8; PAYLOAD_BYTES],
    before: u32,
}

/// The blocks of a file. A block that is there never changes.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: u32,
    slabs: RwLock<Vec<Vec<Block>>>,
}

impl Blocks {
    /// None, of a journal file.
    pub(crate) fn new(file: u32) -> Self {
        Self { file, slabs: RwLock::default() }
    }

    /// The journal file's number.
    pub(crate) fn file(&self) -> u32 {
        self.file
    }

    /// Adds a block behind another one, or behind none; answers its number.
    pub(super) fn add(&self, before: u32, payload: [u8; PAYLOAD_BYTES]) -> u32 {
        let mut slabs = self.slabs.write();
        if slabs.last().is_none_or(|slab| slab.len() == SLAB_BLOCKS) {
            slabs.push(Vec::with_capacity(SLAB_BLOCKS));
        }
        let whole = (slabs.len() - 1) * SLAB_BLOCKS;
        let slab = slabs.last_mut().expect("there is one now");
        slab.push(Block { payload, before });
        u32::try_from(whole + slab.len() - 1).expect("a journal file has fewer bytes")
    }

    /// Copies the blocks of a chunk into `into`, which ends with the block `last`.
    pub(super) fn copy(&self, last: u32, into: &mut [u8]) {
        let slabs = self.slabs.read();
        let mut next = last;
        for payload in into.rchunks_exact_mut(PAYLOAD_BYTES) {
            let block = &slabs[next as usize / SLAB_BLOCKS][next as usize % SLAB_BLOCKS];
            payload.copy_from_slice(&block.payload);
            next = block.before;
        }
    }

    /// Memory of a number of blocks.
    pub(super) fn bytes_of(blocks: usize) -> usize {
        blocks * size_of::<Block>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_from_among_others() {
        let blocks = Blocks::new(7);
        let mut last = [NO_BLOCK; 2];
        for number in 0..20_u8 {
            let chunk = usize::from(number % 2);
            last[chunk] = blocks.add(last[chunk], [number; PAYLOAD_BYTES]);
        }
        let mut bytes = [0; 10 * PAYLOAD_BYTES];
        blocks.copy(last[1], &mut bytes);
        let expected: Vec<u8> = (0..20).filter(|number| number % 2 == 1).flat_map(|n| [n; PAYLOAD_BYTES]).collect();
        assert_eq!((&bytes[..], blocks.file()), (&expected[..], 7));
    }
}
