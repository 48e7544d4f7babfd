//! A series' chunks: the one that samples are added to, of the newest journal file, and those of files before it.

use std::sync::Arc;

use super::{
    blocks::{Blocks, NO_BLOCK, PAYLOAD_BYTES},
    marks::Marks,
};
use crate::samples::chunk::{ChunkBytes, Encoder};

/// Chunks of up to so many bytes are put together without taking memory.
const WHOLE_BYTES: usize = 32 * PAYLOAD_BYTES;

/// The floats that one file brought in ascending order, while there may be more. Its last bytes are here, the others in the file's
/// blocks: most additions touch no memory but the series' own.
#[derive(Debug)]
pub(super) struct OpenChunk {
    encoder: Encoder,
    first_ms: i64,
    stored: Stored,
    tail: [u8; PAYLOAD_BYTES],
}

/// The same when nothing is added any more.
#[derive(Debug)]
pub(super) struct ClosedChunk {
    samples: u32,
    first_ms: i64,
    last_ms: i64,
    last_value: f64,
    stored: Stored,
}

/// Where a chunk's bytes are, and who sees them.
#[derive(Debug)]
struct Stored {
    blocks: Arc<Blocks>,
    marks: Marks,
    /// From which sample on counting began when; empty where nobody says.
    #[expect(clippy::box_collection, reason = "there are very many, and few have one")]
    starts: Option<Box<Vec<(u32, i64)>>>,
    last_block: u32,
    /// Bytes of the chunk.
    bytes: u32,
}

/// One of the two, to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkView<'c> {
    pub(super) samples: u32,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) last_value: f64,
    stored: &'c Stored,
    /// The bytes that are not in blocks.
    tail: &'c [u8],
}

impl OpenChunk {
    /// Without samples.
    pub(super) fn new(blocks: Arc<Blocks>) -> Self {
        let stored = Stored { blocks, marks: Marks::default(), starts: None, last_block: NO_BLOCK, bytes: 0 };
        Self { encoder: Encoder::default(), first_ms: 0, stored, tail: [0; PAYLOAD_BYTES] }
    }

    /// The journal file's number.
    pub(super) fn file(&self) -> u32 {
        self.stored.blocks.file()
    }

    /// Whether a sample of a time can be added.
    pub(super) fn is_before(&self, time_ms: i64) -> bool {
        self.encoder.len() == 0 || time_ms > self.encoder.last_ms()
    }

    /// Adds a sample of a frame at `position`. What lies at or before `seen` every snapshot sees.
    pub(super) fn push(&mut self, (position, seen): (u32, u32), (time_ms, start_ms): (i64, i64), value: f64) {
        let stored = &mut self.stored;
        let before = self.encoder.len();
        stored.marks.add(position, before, seen);
        stored.note_start(before, start_ms);
        if before == 0 {
            self.first_ms = time_ms;
        }
        let mut used = tail_bytes(stored.bytes);
        let last = used.checked_sub(1).map(|last| &mut self.tail[last]);
        let token = self.encoder.push(time_ms, value, last);
        let mut bytes = token.bytes();
        stored.bytes += bytes.len() as u32;
        while !bytes.is_empty() {
            if used == PAYLOAD_BYTES {
                stored.last_block = stored.blocks.add(stored.last_block, self.tail);
                used = 0;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(PAYLOAD_BYTES - used));
            self.tail[used..used + now.len()].copy_from_slice(now);
            used += now.len();
            bytes = rest;
        }
    }

    /// Nothing is added any more.
    pub(super) fn close(mut self) -> ClosedChunk {
        if self.stored.bytes > 0 {
            self.stored.last_block = self.stored.blocks.add(self.stored.last_block, self.tail);
        }
        let Self { encoder, first_ms, stored, .. } = self;
        let (last_ms, last_value) = (encoder.last_ms(), encoder.last_value());
        ClosedChunk { samples: encoder.len(), first_ms, last_ms, last_value, stored }
    }

    /// To be read.
    pub(super) fn view(&self) -> ChunkView<'_> {
        ChunkView {
            samples: self.encoder.len(),
            first_ms: self.first_ms,
            last_ms: self.encoder.last_ms(),
            last_value: self.encoder.last_value(),
            stored: &self.stored,
            tail: &self.tail[..tail_bytes(self.stored.bytes)],
        }
    }

    /// Memory beside the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let in_blocks = self.stored.bytes as usize - tail_bytes(self.stored.bytes);
        Blocks::bytes_of(in_blocks / PAYLOAD_BYTES) + self.stored.heap_bytes()
    }
}

impl ClosedChunk {
    /// The journal file's number.
    pub(super) fn file(&self) -> u32 {
        self.stored.blocks.file()
    }

    /// To be read.
    pub(super) fn view(&self) -> ChunkView<'_> {
        let Self { samples, first_ms, last_ms, last_value, ref stored } = *self;
        ChunkView { samples, first_ms, last_ms, last_value, stored, tail: &[] }
    }

    /// Memory beside the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        Blocks::bytes_of((self.stored.bytes as usize).div_ceil(PAYLOAD_BYTES)) + self.stored.heap_bytes()
    }
}

impl Stored {
    fn note_start(&mut self, sample: u32, start_ms: i64) {
        let known = self.starts.as_ref().and_then(|starts| starts.last()).map_or(0, |&(_, known)| known);
        if known != start_ms {
            self.starts.get_or_insert_default().push((sample, start_ms));
        }
    }

    fn heap_bytes(&self) -> usize {
        let starts = self.starts.as_ref().map_or(0, |starts| 24 + starts.capacity() * size_of::<(u32, i64)>());
        self.marks.heap_bytes() + starts
    }
}

impl<'c> ChunkView<'c> {
    /// The journal file's number.
    pub(super) fn file(&self) -> u32 {
        self.stored.blocks.file()
    }

    /// How many samples are of frames at or before a position.
    pub(super) fn visible(&self, projected: u32) -> u32 {
        self.stored.marks.visible(self.samples, projected)
    }

    /// From which sample on counting began when.
    pub(super) fn starts(&self) -> &'c [(u32, i64)] {
        self.stored.starts.as_ref().map_or(&[], |starts| starts)
    }

    /// Hands over the chunk in one piece.
    pub(super) fn whole<T>(&self, take: impl FnOnce(ChunkBytes<'_>) -> T) -> T {
        let Self { samples, first_ms, last_ms, .. } = *self;
        let starts = self.starts();
        let give = |bytes: &[u8]| take(ChunkBytes { bytes, samples, first_ms, last_ms, starts });
        let length = self.stored.bytes as usize;
        // A closed chunk's last block may have room left.
        let in_blocks = (length - self.tail.len()).next_multiple_of(PAYLOAD_BYTES);
        if in_blocks == 0 {
            return give(self.tail);
        }
        let mut room = [0; WHOLE_BYTES];
        let mut more = Vec::new();
        let whole = match room.get_mut(..in_blocks + self.tail.len()) {
            Some(whole) => whole,
            None => {
                more.resize(in_blocks + self.tail.len(), 0);
                &mut more[..]
            }
        };
        self.stored.blocks.copy(self.stored.last_block, &mut whole[..in_blocks]);
        whole[in_blocks..].copy_from_slice(self.tail);
        give(&whole[..length])
    }
}

/// Of a chunk's bytes those in its tail: a full one is kept until there is more, since its last byte may still change.
fn tail_bytes(bytes: u32) -> usize {
    (bytes as usize).checked_sub(1).map_or(0, |bytes| bytes % PAYLOAD_BYTES + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::chunk::{Chunk, Samples};

    proptest! {
        #[test]
        fn it_is_the_chunk_that_it_would_be_in_one_piece(
            values in prop::collection::vec(prop_oneof![Just(1.0), Just(1.0), any::<f64>()], 0..400),
        ) {
            let blocks = Arc::new(Blocks::new(3));
            let mut open = OpenChunk::new(blocks.clone());
            let mut expected = Chunk::default();
            for (time_ms, &value) in (5_i64..).step_by(15).zip(&values) {
                prop_assert!(open.is_before(time_ms));
                open.push((1, 0), (time_ms, 0), value);
                expected.push(time_ms, value);
            }
            let same = |view: ChunkView<'_>| view.whole(|chunk| {
                let read = Samples::new(chunk.bytes, chunk.samples).count();
                chunk.bytes == expected.bytes() && read == values.len()
            });
            prop_assert!(same(open.view()));
            // Somebody else's come between.
            blocks.add(NO_BLOCK, [9; PAYLOAD_BYTES]);
            prop_assert!(same(open.close().view()));
        }
    }
}
