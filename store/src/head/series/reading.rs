//! Reads a series' unsealed samples as a snapshot has them.

use super::{chunks::ChunkView, data::Single, series::Series};
use crate::{
    offset::Offset,
    samples::{SeriesSamples, TimedHistogram},
};

/// What of the head a snapshot sees: its files, and in the newest the frames up to an offset.
#[derive(Debug, Clone)]
pub(crate) struct HeadCut {
    /// The first file that is not sealed.
    pub(crate) first_file: u32,
    /// The last frame.
    pub(crate) projected: Offset,
}

impl HeadCut {
    /// The last visible position in a file; `None` where nothing is visible.
    fn position_in(&self, file: u32) -> Option<u32> {
        if file < self.first_file || file > self.projected.file() {
            return None;
        }
        Some(if file == self.projected.file() { self.projected.position() } else { u32::MAX })
    }

    fn shows<V>(&self, single: &Single<V>) -> bool {
        self.position_in(single.file).is_some_and(|position| single.position <= position)
    }

    fn visible(&self, chunk: &ChunkView<'_>) -> u32 {
        self.position_in(chunk.file()).map_or(0, |position| chunk.visible(position))
    }
}

impl Series {
    /// How many chunks it has in memory, and the times of the earliest and the latest sample; `None` without any.
    pub(crate) fn extent(&self) -> Option<(u64, i64, i64)> {
        let data = self.data.lock();
        let chunks = data.chunks().map(|chunk| (chunk.first_ms, chunk.last_ms));
        let beside = data.beside.iter().flat_map(|beside| {
            let late = beside.late.iter().map(|single| single.time_ms);
            late.chain(beside.histograms.iter().map(|single| single.time_ms)).map(|time_ms| (time_ms, time_ms))
        });
        let (first, last) = chunks.chain(beside).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        Some((data.chunks().count().max(1) as u64, first, last))
    }

    /// Whether there may be a visible sample from `from_ms` to `to_ms`, both included. Where it says no there is none.
    pub(crate) fn overlaps(&self, cut: &HeadCut, from_ms: i64, to_ms: i64) -> bool {
        let within = |time_ms| (from_ms..=to_ms).contains(&time_ms);
        let data = self.data.lock();
        let chunk_overlaps =
            |chunk: ChunkView<'_>| chunk.first_ms <= to_ms && chunk.last_ms >= from_ms && cut.visible(&chunk) > 0;
        data.chunks().any(chunk_overlaps)
            || data.beside.as_ref().is_some_and(|beside| {
                beside.late.iter().any(|single| within(single.time_ms) && cut.shows(single))
                    || beside.histograms.iter().any(|single| within(single.time_ms) && cut.shows(single))
            })
    }

    /// Appends the visible samples from `from_ms` to `to_ms`, in the order of their files; within one those that came in order first.
    pub(crate) fn read(&self, cut: &HeadCut, (from_ms, to_ms): (i64, i64), into: &mut SeriesSamples) {
        let data = self.data.lock();
        for chunk in data.chunks() {
            let visible = cut.visible(&chunk);
            if visible == 0 || chunk.first_ms > to_ms || chunk.last_ms < from_ms {
                continue;
            }
            chunk.since(from_ms, visible, |samples| into.append_chunk(samples, chunk.starts(), (from_ms, to_ms)));
        }
        let Some(beside) = &data.beside else { return };
        for single in &beside.late {
            if cut.shows(single) && (from_ms..=to_ms).contains(&single.time_ms) {
                into.push(single.time_ms, single.start_ms, single.value);
            }
        }
        for single in &beside.histograms {
            if cut.shows(single)
                && (from_ms..=to_ms).contains(&single.time_ms)
                && let Some(histogram) = single.histogram()
            {
                let Single { time_ms, start_ms, .. } = *single;
                into.histograms.push(TimedHistogram { time_ms, start_ms, histogram });
            }
        }
    }
}
