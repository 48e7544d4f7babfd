//! What became of each trace in the head: one slot a trace, written once when its verdict is durable, read by queries and by the sealer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Slots of a chunk. A power of two.
#[cfg(not(test))]
pub(crate) const CHUNK_SLOTS: usize = 1024;
#[cfg(test)]
pub(crate) const CHUNK_SLOTS: usize = 4;

/// Counts the times that verdicts took effect. A view names the last one it shows. At most [`VERDICT_NO_MAX`]: enough for a million
/// a second over two years.
pub(crate) type VerdictNo = u64;

/// The largest number that a slot has room for.
pub(crate) const VERDICT_NO_MAX: VerdictNo = (1 << POLICY_SHIFT) - 1;

/// A policy, by its number among all names that this process has met (see `PolicyNames`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct PolicyNo(pub(crate) u16);

/// A verdict as it takes effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) keep: bool,
    pub(crate) policy: PolicyNo,
    /// How many arrived spans each kept one stands for.
    pub(crate) adjusted_count: f64,
    pub(crate) is_probabilistic: bool,
}

/// Where a span stands in one view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SpanStanding {
    /// Waits for its trace's verdict.
    Pending,
    /// Kept without a verdict: nothing sampled it.
    Unsampled,
    /// Its trace has a verdict.
    Decided(Outcome),
}

impl SpanStanding {
    /// Whether queries see the span.
    pub(crate) fn is_visible(self) -> bool {
        !matches!(self, Self::Decided(Outcome { keep: false, .. }))
    }
}

/// Room for the outcomes of some traces. Lives as long as a head frame or the decision cache needs one of them.
#[derive(Debug)]
pub(crate) struct SlotChunk(Box<[Slot]>);

#[derive(Debug, Default)]
struct Slot {
    /// 0 while pending; else verdict number, policy and flags.
    verdict: AtomicU64,
    /// An f64.
    adjusted_count: AtomicU64,
}

const POLICY_SHIFT: u32 = 46;
const KEEP: u64 = 1 << 62;
const PROBABILISTIC: u64 = 1 << 63;

impl SlotChunk {
    /// Memory of a slot.
    pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

    /// All pending.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self((0..CHUNK_SLOTS).map(|_| Slot::default()).collect()))
    }

    /// Writes a slot's outcome, visible to views that show verdict batch `number` (1 or more). Once for each slot.
    pub(crate) fn decide(&self, slot: usize, outcome: Outcome, number: VerdictNo) {
        let flags = if outcome.keep { KEEP } else { 0 } | if outcome.is_probabilistic { PROBABILISTIC } else { 0 };
        self.0[slot].adjusted_count.store(outcome.adjusted_count.to_bits(), Ordering::Relaxed);
        debug_assert!((1..=VERDICT_NO_MAX).contains(&number));
        let verdict = number | (u64::from(outcome.policy.0) << POLICY_SHIFT) | flags;
        self.0[slot].verdict.store(verdict, Ordering::Release);
    }

    /// The outcome as of verdict batch `number`; `None` while pending.
    pub(crate) fn outcome(&self, slot: usize, number: VerdictNo) -> Option<Outcome> {
        let verdict = self.0[slot].verdict.load(Ordering::Acquire);
        let decided = verdict & VERDICT_NO_MAX;
        if decided == 0 || decided > number {
            return None;
        }
        Some(Outcome {
            keep: verdict & KEEP != 0,
            policy: PolicyNo((verdict >> POLICY_SHIFT) as u16),
            adjusted_count: f64::from_bits(self.0[slot].adjusted_count.load(Ordering::Relaxed)),
            is_probabilistic: verdict & PROBABILISTIC != 0,
        })
    }
}

/// Which slot each span of a frame belongs to: set once, when the sampler has taken the frame in.
#[derive(Debug, Default)]
pub(crate) struct FrameTraces {
    chunks: Vec<Arc<SlotChunk>>,
    /// For each of the frame's rows: number among `chunks` times [`CHUNK_SLOTS`], plus slot.
    rows: Vec<u32>,
}

impl FrameTraces {
    /// Room for `rows` spans.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { chunks: Vec::new(), rows: Vec::with_capacity(rows) }
    }

    /// A chunk that rows will belong to, and its number for [`Self::push_in`].
    pub(crate) fn add_chunk(&mut self, chunk: &Arc<SlotChunk>) -> u32 {
        self.chunks.push(chunk.clone());
        self.chunks.len() as u32 - 1
    }

    /// The next rows belong to this slot of a chunk that was added.
    #[inline]
    pub(crate) fn push_in(&mut self, chunk: u32, slot: usize, rows: usize) {
        self.rows.extend(std::iter::repeat_n(chunk * CHUNK_SLOTS as u32 + slot as u32, rows));
    }

    /// The outcome of a row's trace as of verdict batch `number`; `None` while pending.
    pub(crate) fn outcome(&self, row: usize, number: VerdictNo) -> Option<Outcome> {
        let place = *self.rows.get(row)? as usize;
        self.chunks.get(place / CHUNK_SLOTS)?.outcome(place % CHUNK_SLOTS, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(policy: u16, keep: bool) -> Outcome {
        Outcome { keep, policy: PolicyNo(policy), adjusted_count: 100.0 / 3.0, is_probabilistic: policy == 3 }
    }

    #[test]
    fn an_outcome_is_seen_by_views_that_show_its_batch() {
        let chunk = SlotChunk::new();
        chunk.decide(1, outcome(3, true), 7);
        chunk.decide(2, outcome(u16::MAX, false), 8);
        assert_eq!(chunk.outcome(0, 100), None);
        assert_eq!(chunk.outcome(1, 6), None);
        assert_eq!(chunk.outcome(1, 7), Some(outcome(3, true)));
        assert_eq!(chunk.outcome(2, VerdictNo::MAX), Some(outcome(u16::MAX, false)));
    }

    #[test]
    fn rows_find_their_slots_in_several_chunks() {
        let (first, second) = (SlotChunk::new(), SlotChunk::new());
        let mut traces = FrameTraces::with_capacity(3);
        let chunks = [traces.add_chunk(&first), traces.add_chunk(&second)];
        traces.push_in(chunks[0], 3, 1);
        traces.push_in(chunks[1], 0, 1);
        traces.push_in(chunks[0], 1, 1);
        first.decide(3, outcome(1, true), 1);
        second.decide(0, outcome(2, false), 2);
        assert_eq!(traces.outcome(0, 2), Some(outcome(1, true)));
        assert_eq!(traces.outcome(1, 2), Some(outcome(2, false)));
        assert_eq!(traces.outcome(1, 1), None);
        assert_eq!(traces.outcome(2, 2), None);
        assert_eq!(traces.outcome(3, 2), None, "no such row");
    }
}
