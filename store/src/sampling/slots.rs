//! Hands out slots for traces' outcomes, neighbours in time from the same chunk.

use std::sync::Arc;

use crate::verdict::outcome::{CHUNK_SLOTS, FrameTraces, Outcome, SlotChunk, VerdictNo};

/// A slot: the chunk's place times [`CHUNK_SLOTS`], plus the slot within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotNo(u32);

/// The chunks with slots that are not decided yet, and the one that new slots come from.
#[derive(Debug, Default)]
pub(super) struct Slots {
    chunks: Vec<Option<OpenChunk>>,
    free: Vec<u32>,
    /// The chunk that is being filled, and its next slot.
    newest: Option<(u32, usize)>,
    /// Counts frames.
    frame: u64,
}

#[derive(Debug)]
struct OpenChunk {
    chunk: Arc<SlotChunk>,
    undecided: u32,
    /// The frame that named it last, and its number there.
    named: (u64, u32),
}

impl Slots {
    /// A new frame's spans follow.
    pub(super) fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// A slot nobody has.
    pub(super) fn take(&mut self) -> SlotNo {
        let (place, slot) = match self.newest {
            Some((place, next)) if next < CHUNK_SLOTS => (place, next),
            _ => (self.open_chunk(), 0),
        };
        self.newest = Some((place, slot + 1));
        self.chunk(place).undecided += 1;
        SlotNo(place * CHUNK_SLOTS as u32 + slot as u32)
    }

    /// The frame's next rows belong to this slot.
    #[inline]
    pub(super) fn name(&mut self, slot: SlotNo, rows: usize, traces: &mut FrameTraces) {
        let frame = self.frame;
        let open = self.chunk(slot.0 / CHUNK_SLOTS as u32);
        if open.named.0 != frame {
            open.named = (frame, traces.add_chunk(&open.chunk));
        }
        traces.push_in(open.named.1, slot.0 as usize % CHUNK_SLOTS, rows);
    }

    /// Writes a slot's outcome; the slot is not this one's any more.
    pub(super) fn decide(&mut self, slot: SlotNo, outcome: Outcome, number: VerdictNo) {
        let place = slot.0 / CHUNK_SLOTS as u32;
        let is_newest = self.newest.is_some_and(|(newest, next)| newest == place && next < CHUNK_SLOTS);
        let open = self.chunk(place);
        open.chunk.decide(slot.0 as usize % CHUNK_SLOTS, outcome, number);
        open.undecided -= 1;
        if open.undecided == 0 && !is_newest {
            self.chunks[place as usize] = None;
            self.free.push(place);
            self.newest = self.newest.filter(|(newest, _)| *newest != place);
        }
    }

    /// Bytes taken by chunks that hold an undecided slot.
    pub(super) fn bytes(&self) -> usize {
        (self.chunks.len() - self.free.len()) * CHUNK_SLOTS * SlotChunk::SLOT_BYTES
            + self.chunks.capacity() * size_of::<Option<OpenChunk>>()
    }

    fn open_chunk(&mut self) -> u32 {
        // The one before was kept open for its free slots.
        if let Some((full, _)) = self.newest.take()
            && self.chunks[full as usize].as_ref().is_some_and(|open| open.undecided == 0)
        {
            self.chunks[full as usize] = None;
            self.free.push(full);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() as u32 - 1
        });
        self.chunks[place as usize] = Some(OpenChunk { chunk: SlotChunk::new(), undecided: 0, named: (0, 0) });
        place
    }

    fn chunk(&mut self, place: u32) -> &mut OpenChunk {
        self.chunks[place as usize].as_mut().expect("a chunk stays while one of its slots is undecided")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::outcome::PolicyNo;

    fn outcome(keep: bool) -> Outcome {
        Outcome { keep, policy: PolicyNo(0), adjusted_count: 1.0, is_probabilistic: false }
    }

    #[test]
    fn slots_are_written_once_and_their_chunks_let_go() {
        let mut slots = Slots::default();
        let mut frames = Vec::new();
        for number in 1..=50 {
            slots.begin_frame();
            let mut traces = FrameTraces::with_capacity(3);
            let taken = [slots.take(), slots.take()];
            for slot in [taken[0], taken[1], taken[0]] {
                slots.name(slot, 1, &mut traces);
            }
            slots.decide(taken[1], outcome(false), number);
            slots.decide(taken[0], outcome(true), number);
            frames.push(traces);
        }
        for (frame, number) in frames.iter().zip(1..) {
            let kept = |row| frame.outcome(row, number).map(|outcome| outcome.keep);
            assert_eq!([kept(0), kept(1), kept(2)], [Some(true), Some(false), Some(true)]);
            assert_eq!(frame.outcome(0, number - 1), None);
        }
        assert!(slots.chunks.len() <= 2, "places are used again");
    }

    #[test]
    fn a_chunk_stays_for_its_undecided_slots() {
        let mut slots = Slots::default();
        let first = slots.take();
        let rest: Vec<_> = (0..3 * CHUNK_SLOTS).map(|_| slots.take()).collect();
        rest.into_iter().for_each(|slot| slots.decide(slot, outcome(true), 1));
        slots.begin_frame();
        let mut traces = FrameTraces::with_capacity(1);
        slots.name(first, 1, &mut traces);
        slots.decide(first, outcome(false), 2);
        assert_eq!(traces.outcome(0, 2), Some(outcome(false)));
    }
}
