//! What waits for the sampler, in journal order: frames, reloads; and which of its verdicts are durable.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Sampling;
use crate::{
    head::{SpanFile, SpanFrame},
    offset::Offset,
    verdict::mark::SpanMark,
};

/// Spans waiting at which receivers are refused: sampling has fallen behind.
pub(crate) const LAG_SPANS_MAX: u64 = if cfg!(test) { 2000 } else { 1 << 20 };

/// Spans waiting at which the sampler is woken before its tick.
const BATCH_SPANS: u64 = 16 << 10;

/// A frame in the head that the sampler has not taken in.
#[derive(Debug)]
pub(crate) struct FedFrame {
    pub(crate) file: Arc<SpanFile>,
    /// Its index in the file.
    pub(crate) index: usize,
    /// Its number among the frames of its group commit.
    pub(crate) in_group: u32,
    /// One for each span.
    pub(crate) marks: Vec<SpanMark>,
    /// The configuration that made them.
    pub(crate) marked_by: u32,
}

impl FedFrame {
    pub(crate) fn frame(&self) -> &SpanFrame {
        self.file.frame(self.index).expect("fed after it was published")
    }

    /// What its span at `row` is marked with, for a trace that began under `generation`.
    #[inline]
    pub(crate) fn mark(&self, row: usize, generation: u32) -> SpanMark {
        let mark = self.marks.get(row).copied().unwrap_or_default();
        let bits = if generation == self.marked_by { mark.bits } else { mark.previous_bits };
        SpanMark { bits, ..mark }
    }
}

/// One thing after the other.
#[derive(Debug)]
pub(super) enum Fed {
    Frame(FedFrame),
    /// Another configuration, from here on.
    Reload(Option<Arc<dyn Sampling>>),
}

/// The queue. Its bound is kept by housekeeping, which refuses receivers.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) fed: VecDeque<Fed>,
    pub(super) spans: u64,
    /// Frames of the verdict journal that are durable: number in the round, file.
    pub(super) durable: Vec<(u32, u32)>,
    /// A reload whose predecessor still has traces to decide.
    pub(super) is_reloading: bool,
    is_woken: bool,
}

impl Waiting {
    /// The first frame that waits.
    pub(super) fn first_offset(&self) -> Option<Offset> {
        let offset = |fed: &Fed| match fed {
            Fed::Frame(frame) => Some(frame.frame().offset),
            Fed::Reload(_) => None,
        };
        self.fed.iter().find_map(offset)
    }
}

impl Inbox {
    /// Adds frames, in journal order; `before` is done first, under the same lock.
    pub(super) fn feed(&self, frames: Vec<FedFrame>, before: impl FnOnce()) {
        let mut waiting = self.lock();
        before();
        let had = waiting.spans;
        waiting.spans += frames.iter().map(|frame| frame.frame().spans.len() as u64).sum::<u64>();
        let wakes = had < BATCH_SPANS && waiting.spans >= BATCH_SPANS;
        waiting.fed.extend(frames.into_iter().map(Fed::Frame));
        drop(waiting);
        if wakes {
            self.wake();
        }
    }

    /// A frame of the verdict journal is durable.
    pub(super) fn settle(&self, settled: impl Iterator<Item = (u32, u32)>) {
        self.lock().durable.extend(settled);
        self.wake();
    }

    /// Ends the sampler's pause.
    pub(super) fn wake(&self) {
        self.lock().is_woken = true;
        self.news.notify_one();
    }

    /// Waits for [`Self::wake`], or `tick`.
    pub(super) fn pause(&self, tick: Duration) {
        let mut waiting = self.lock();
        self.news.wait_while_for(&mut waiting, |waiting| !waiting.is_woken, tick);
        waiting.is_woken = false;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
}
