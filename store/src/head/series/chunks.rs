//! A series' chunks: the one that samples are added to, of the newest journal file, and those of files before it.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    blocks::{Blocks, NO_BLOCK, PAYLOAD_BYTES},
    marks::Marks,
};
use crate::samples::{
    chunk::{ChunkBytes, Encoder, Samples},
    waypoint::{WAYPOINT_BYTES, Waypoint},
};

/// Chunks of up to so many bytes are put together without taking memory.
const WHOLE_BYTES: usize = 32 * PAYLOAD_BYTES;

/// Between two waypoints of a chunk that reading can begin at there are so many blocks of its bytes. A waypoint takes a block of its own. The
/// fewer, the less is read that nobody asked for, and the more memory is taken. Few in tests, so that there are several.
const WAYPOINT_BLOCKS: usize = if cfg!(test) { 2 } else { 4 };

const _: () = assert!(WAYPOINT_BYTES <= PAYLOAD_BYTES);

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
                let full = (stored.bytes as usize - bytes.len()) / PAYLOAD_BYTES;
                if is_waypoint_behind(full) {
                    let mut waypoint = [0; PAYLOAD_BYTES];
                    waypoint[..WAYPOINT_BYTES].copy_from_slice(&self.encoder.waypoint(bytes.len()).to_bytes());
                    stored.last_block = stored.blocks.add(stored.last_block, waypoint);
                }
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
        let full = self.stored.bytes as usize / PAYLOAD_BYTES;
        Blocks::bytes_of(full + full / WAYPOINT_BLOCKS) + self.stored.heap_bytes()
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
        let blocks = (self.stored.bytes as usize).div_ceil(PAYLOAD_BYTES);
        Blocks::bytes_of(blocks + blocks / WAYPOINT_BLOCKS) + self.stored.heap_bytes()
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
        self.gathered(|_| false, |_, bytes| take(ChunkBytes { bytes, samples, first_ms, last_ms, starts }))
    }

    /// Hands over its first `count` samples without some that are before a time, and which of the chunk's the first of them is.
    pub(super) fn since<T>(&self, from_ms: i64, count: u32, take: impl FnOnce((u32, Samples<'_>)) -> T) -> T {
        let is_enough = |waypoint: &Waypoint| waypoint.last_ms() < from_ms && waypoint.samples <= count;
        self.gathered(is_enough, |waypoint, bytes| match waypoint {
            Some(waypoint) => take((waypoint.samples, Samples::behind(waypoint, bytes, count))),
            None => take((0, Samples::new(bytes, count))),
        })
    }

    /// Puts the chunk's bytes into one piece, from the last waypoint that is enough on.
    fn gathered<T>(
        &self,
        is_enough: impl Fn(&Waypoint) -> bool,
        take: impl FnOnce(Option<&Waypoint>, &[u8]) -> T,
    ) -> T {
        let length = self.stored.bytes as usize;
        // A closed chunk's last block may have room left.
        let in_blocks = (length - self.tail.len()).next_multiple_of(PAYLOAD_BYTES);
        if in_blocks == 0 {
            return take(None, self.tail);
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
        whole[in_blocks..].copy_from_slice(self.tail);
        let mut begin = in_blocks;
        let mut waypoint = None;
        // What is added behind a full block only: a closed chunk ends without.
        let mut is_waypoint = !self.tail.is_empty() && is_waypoint_behind(begin / PAYLOAD_BYTES);
        self.stored.blocks.walk_back(self.stored.last_block, |payload| {
            if is_waypoint {
                is_waypoint = false;
                waypoint = Some(Waypoint::of(payload)).filter(&is_enough);
                return if waypoint.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            begin -= PAYLOAD_BYTES;
            whole[begin..begin + PAYLOAD_BYTES].copy_from_slice(payload);
            is_waypoint = is_waypoint_behind(begin / PAYLOAD_BYTES);
            ControlFlow::Continue(())
        });
        take(waypoint.as_ref(), &whole[begin..length])
    }
}

/// Whether a waypoint follows so many full blocks of a chunk's bytes, when more follow.
fn is_waypoint_behind(full: usize) -> bool {
    full > 0 && full.is_multiple_of(WAYPOINT_BLOCKS)
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

    fn bits(samples: impl Iterator<Item = (i64, f64)>) -> Vec<(i64, u64)> {
        samples.map(|(time_ms, value)| (time_ms, value.to_bits())).collect()
    }

    fn check(view: ChunkView<'_>, expected: &Chunk, samples: &[(i64, f64)]) {
        view.whole(|chunk| {
            assert_eq!(chunk.bytes, expected.bytes());
            assert_eq!(bits(Samples::new(chunk.bytes, chunk.samples)), bits(samples.iter().copied()));
        });
        for since in 0..samples.len() {
            for count in [since, since + 1, (since + samples.len()) / 2, samples.len()] {
                view.since(samples[since].0, count as u32, |(first, read)| {
                    let first = first as usize;
                    assert!(first <= since.min(count), "what was asked for is there");
                    assert_eq!(bits(read), bits(samples[first..count].iter().copied()));
                });
            }
        }
        let last = samples.len().saturating_sub(1);
        if view.stored.bytes as usize > (2 * WAYPOINT_BLOCKS + 1) * PAYLOAD_BYTES {
            let first = view.since(samples[last].0, samples.len() as u32, |(first, _)| first);
            assert!(first > 0, "not all of it is read");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_chunk_that_it_would_be_in_one_piece(
            values in prop::collection::vec(prop_oneof![Just(1.0), Just(1.0), Just(2.0), (0..99_u8).prop_map(f64::from), any::<f64>()], 0..300),
            odd_step in 0..300_usize,
        ) {
            let blocks = Arc::new(Blocks::new(3));
            let mut open = OpenChunk::new(blocks.clone());
            let mut expected = Chunk::default();
            let (mut time_ms, mut samples) = (5, Vec::new());
            for (index, &value) in values.iter().enumerate() {
                prop_assert!(open.is_before(time_ms));
                open.push((1, 0), (time_ms, 0), value);
                expected.push(time_ms, value);
                samples.push((time_ms, value));
                time_ms += if index == odd_step { 16 } else { 15 };
            }
            check(open.view(), &expected, &samples);
            // Somebody else's come between.
            blocks.add(NO_BLOCK, [9; PAYLOAD_BYTES]);
            check(open.close().view(), &expected, &samples);
        }
    }

    #[test]
    fn waypoints_lie_among_runs_too() {
        // Each run's byte may come first behind a full block, and go on growing there.
        for run in 1..40_usize {
            let blocks = Arc::new(Blocks::new(3));
            let mut open = OpenChunk::new(blocks);
            let (mut expected, mut samples) = (Chunk::default(), Vec::new());
            for index in 0..run * 120 {
                let sample = (5 + 15 * index as i64, (index / run) as f64);
                open.push((1, 0), (sample.0, 0), sample.1);
                expected.push(sample.0, sample.1);
                samples.push(sample);
                if index % 97 == 0 || index + 1 == run * 120 {
                    let first = samples.len() - samples.len().min(50);
                    open.view().since(samples[first].0, samples.len() as u32, |(begin, read)| {
                        assert_eq!(bits(read), bits(samples[begin as usize..].iter().copied()), "{run}");
                    });
                }
            }
        }
    }
}
