//! Decided traces whose late spans are recognised: two bounded queues, kept and dropped, in the order of the verdicts.

use std::collections::VecDeque;

use weir_proto::TraceId;

use super::table::TRACES_MAX;
use crate::{
    offset::Offset,
    verdict::outcome::{Outcome, PolicyNo},
};

/// A decided trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecidedTrace {
    pub(super) trace_id: TraceId,
    pub(super) adjusted_count: f64,
    pub(super) epoch: Offset,
    pub(super) tenant: u32,
    /// The file of the verdict journal that has its verdict; 0 before that is durable.
    pub(super) file: u32,
    pub(super) policy: PolicyNo,
    pub(super) is_probabilistic: bool,
    /// Replaced by another verdict: nothing refers to it any more.
    pub(super) is_void: bool,
}

impl DecidedTrace {
    /// What its late spans get.
    pub(super) fn outcome(&self, keep: bool) -> Outcome {
        let (policy, adjusted_count) = (self.policy, self.adjusted_count);
        Outcome { keep, policy, adjusted_count, is_probabilistic: self.is_probabilistic }
    }
}

/// Traces of a page. A power of two.
const PAGE_TRACES: usize = if cfg!(test) { 4 } else { 4096 };

/// One of the queues. In pages, which are used again: it never moves what it holds, and once it is full it takes no more memory.
#[derive(Debug, Default)]
pub(super) struct DecidedTraces {
    /// Oldest first; all full but the last one.
    pages: VecDeque<Vec<DecidedTrace>>,
    /// A page that was emptied.
    spare: Vec<DecidedTrace>,
    /// How many of the first page have left.
    left_of_first: usize,
    len: usize,
    /// How many have left.
    gone: u64,
}

impl DecidedTraces {
    /// Adds one; answers its position, modulo [`TRACES_MAX`].
    pub(super) fn push(&mut self, trace: DecidedTrace) -> u32 {
        let position = self.gone + self.len as u64;
        if self.pages.back().is_none_or(|page| page.len() == PAGE_TRACES) {
            let mut page = std::mem::take(&mut self.spare);
            page.reserve_exact(PAGE_TRACES);
            self.pages.push_back(page);
        }
        self.pages.back_mut().expect("pushed if there was none").push(trace);
        self.len += 1;
        (position % TRACES_MAX) as u32
    }

    /// Takes the oldest, with its position.
    pub(super) fn pop(&mut self) -> Option<(u32, DecidedTrace)> {
        let trace = *self.oldest()?;
        let position = (self.gone % TRACES_MAX) as u32;
        self.gone += 1;
        self.len -= 1;
        self.left_of_first += 1;
        if self.left_of_first == PAGE_TRACES {
            self.left_of_first = 0;
            self.spare = self.pages.pop_front().expect("the oldest was in it");
            self.spare.clear();
        }
        Some((position, trace))
    }

    /// The oldest.
    pub(super) fn oldest(&self) -> Option<&DecidedTrace> {
        self.pages.front()?.get(self.left_of_first)
    }

    /// The oldest few.
    pub(super) fn oldest_ones(&self, most: usize) -> impl Iterator<Item = &DecidedTrace> {
        self.pages.iter().flatten().skip(self.left_of_first).take(most)
    }

    /// The one at a position that [`Self::push`] answered.
    #[inline]
    pub(super) fn get(&self, position: u32) -> &DecidedTrace {
        let index = self.index(position);
        &self.pages[index / PAGE_TRACES][index % PAGE_TRACES]
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, position: u32) -> &mut DecidedTrace {
        let index = self.index(position);
        &mut self.pages[index / PAGE_TRACES][index % PAGE_TRACES]
    }

    /// The verdicts of all that were added are durable, the new ones in `file`. Answers how many those are.
    pub(super) fn settle(&mut self, file: u32) -> u64 {
        let mut count = 0;
        // Verdicts become durable in the order in which they were decided: those without a file are the newest.
        let newest_first = self.pages.iter_mut().rev().flat_map(|page| page.iter_mut().rev());
        for trace in newest_first.take(self.len).take_while(|trace| trace.file == 0) {
            trace.file = file;
            count += 1;
        }
        count
    }

    pub(super) fn len(&self) -> u64 {
        self.len as u64
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        (self.pages.len() * PAGE_TRACES + self.spare.capacity()) * size_of::<DecidedTrace>()
    }

    /// Among all traces in the pages, those that have left included.
    #[inline]
    fn index(&self, position: u32) -> usize {
        self.left_of_first + (u64::from(position).wrapping_sub(self.gone) % TRACES_MAX) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_hold_while_older_ones_leave() {
        let trace = |n: u8| DecidedTrace {
            trace_id: TraceId([n; 16]),
            adjusted_count: 1.0,
            epoch: Offset(0),
            tenant: 0,
            file: 0,
            policy: PolicyNo(0),
            is_probabilistic: false,
            is_void: false,
        };
        // Close to where positions begin again.
        let mut traces = DecidedTraces { gone: TRACES_MAX - 3, ..DecidedTraces::default() };
        let positions: Vec<u32> = (0..6).map(|n| traces.push(trace(n))).collect();
        assert_eq!(positions[2..4], [TRACES_MAX as u32 - 1, 0]);
        assert_eq!(traces.settle(5), 6);
        traces.pop();
        assert_eq!(traces.pop().map(|(position, _)| position), Some(positions[1]));
        let later = traces.push(trace(9));
        assert_eq!(traces.get(positions[4]).trace_id, TraceId([4; 16]));
        assert_eq!((traces.get(positions[5]).file, traces.get(later).file), (5, 0));
        assert_eq!(traces.settle(6), 1);
        assert_eq!(traces.get(later).file, 6);
        // Recovery knows the files of what it finds.
        traces.push(DecidedTrace { file: 4, ..trace(10) });
        assert_eq!(traces.settle(7), 0);
        assert!(size_of::<DecidedTrace>() <= 48);
    }

    #[test]
    fn a_full_queue_takes_no_more_memory() {
        let mut traces = DecidedTraces::default();
        let trace = |n: u32| DecidedTrace {
            trace_id: TraceId([1; 16]),
            adjusted_count: f64::from(n),
            epoch: Offset(0),
            tenant: n,
            file: 1,
            policy: PolicyNo(0),
            is_probabilistic: false,
            is_void: false,
        };
        let mut positions: VecDeque<u32> = (0..10).map(|n| traces.push(trace(n))).collect();
        let bytes = traces.bytes() + PAGE_TRACES * size_of::<DecidedTrace>();
        for n in 10..100 {
            let (position, oldest) = traces.pop().expect("ten are there");
            assert_eq!((Some(position), oldest.tenant), (positions.pop_front(), n - 10));
            positions.push_back(traces.push(trace(n)));
            assert!(positions.iter().zip(n - 9..).all(|(&position, n)| traces.get(position).tenant == n));
            assert!(traces.oldest_ones(7).map(|trace| trace.tenant).eq(n - 9..n - 2));
            assert!(traces.bytes() <= bytes, "{} of {bytes}", traces.bytes());
        }
    }
}
