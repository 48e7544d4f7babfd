//! Bytes of one journal file's chunks, in blocks of one size: no room is left over between them, and all go at once when the file
//! is sealed.

use std::ops::ControlFlow;

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

    /// Shows `each` the block `last` and those before it, until it has enough.
    pub(super) fn walk_back(&self, last: u32, mut each: impl FnMut(&[u8; PAYLOAD_BYTES]) -> ControlFlow<()>) {
        let slabs = self.slabs.read();
        let mut next = last;
        while next != NO_BLOCK {
            let block = &slabs[next as usize / SLAB_BLOCKS][next as usize % SLAB_BLOCKS];
            if each(&block.payload).is_break() {
                return;
            }
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
        let mut found = Vec::new();
        blocks.walk_back(last[1], |payload| {
            found.push(*payload);
            if payload[0] == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let expected: Vec<_> = [19, 17, 15, 13, 11, 9, 7, 5].map(|number| [number; PAYLOAD_BYTES]).into();
        assert_eq!((found, blocks.file()), (expected, 7));
        blocks.walk_back(NO_BLOCK, |_| unreachable!("there is none"));
    }
}
