//! A series' unsealed samples: a chunk for each journal file, and beside them what does not fit one.

use std::sync::{Arc, atomic::Ordering};

use weir_proto::metrics::Histogram;

use super::{
    blocks::Blocks,
    chunks::{ChunkView, ClosedChunk, OpenChunk},
    series::Series,
};
use crate::{
    journal::Fields,
    samples::{
        SeriesSamples, TimedHistogram,
        chunk::ChunkBytes,
        histogram::{histogram, put_histogram},
    },
};

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is there now.
    Stored,
    /// It was there already.
    Repeated,
    /// Another value was there at its time, and stays.
    Conflict,
}

/// Where a sample comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'f> {
    /// Those of its journal file.
    pub(crate) blocks: &'f Arc<Blocks>,
    /// Its frame's position there.
    pub(crate) position: u32,
    /// Every snapshot sees the frames of the file up to here.
    pub(crate) seen: u32,
}

/// A float that the journal had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovered {
    /// Its frame's position in its file.
    pub(crate) position: u32,
    /// Unix ms.
    pub(crate) time_ms: i64,
    /// Unix ms, or 0.
    pub(crate) start_ms: i64,
    /// The value.
    pub(crate) value: f64,
}

/// Samples in the order of their files.
#[derive(Debug, Default)]
pub(super) struct SeriesData {
    /// Of the newest file that had some.
    open: Option<OpenChunk>,
    /// Of files before it, oldest first.
    #[expect(clippy::box_collection, reason = "there are very many, and they have some while a file is sealed")]
    closed: Option<Box<Vec<ClosedChunk>>>,
    pub(super) beside: Option<Box<Beside>>,
}

/// Samples that are rare.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Floats not later than what their file's chunk had.
    pub(super) late: Vec<Single<f64>>,
    /// Histograms, as bytes.
    pub(super) histograms: Vec<Single<Box<[u8]>>>,
}

/// A sample by itself.
#[derive(Debug)]
pub(super) struct Single<V> {
    pub(super) file: u32,
    pub(super) position: u32,
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) value: V,
}

impl Series {
    /// Adds a float that was offered, and found to be new.
    pub(crate) fn add_float(&self, arrival: Arrival<'_>, times_ms: (i64, i64), value: f64) {
        self.data.lock().add_float(arrival, times_ms, value);
    }

    /// Adds floats of a file that is read again, when there is no snapshot yet; answers how many are new.
    pub(crate) fn add_recovered(&self, blocks: &Arc<Blocks>, rows: impl Iterator<Item = Recovered>) -> u64 {
        let mut data = self.data.lock();
        let mut last_ms = self.last_ms();
        let mut stored = 0;
        for Recovered { position, time_ms, start_ms, value } in rows {
            if time_ms > last_ms {
                last_ms = time_ms;
            } else if data.float_at(time_ms).is_some() || data.histogram_at(time_ms).is_some() {
                continue;
            }
            data.add_float(Arrival { blocks, position, seen: position }, (time_ms, start_ms), value);
            stored += 1;
        }
        self.last_ms.store(last_ms, Ordering::Relaxed);
        stored
    }

    /// Adds a histogram.
    pub(crate) fn add_histogram(
        &self,
        arrival: Arrival<'_>,
        (time_ms, start_ms): (i64, i64),
        histogram: &Histogram,
    ) -> Taken {
        let mut bytes = Vec::new();
        put_histogram(&mut bytes, histogram);
        let mut data = self.data.lock();
        if time_ms <= self.last_ms() {
            if let Some(taken) = data.histogram_taken(time_ms, &bytes) {
                return taken;
            }
        } else {
            self.last_ms.store(time_ms, Ordering::Relaxed);
        }
        let (file, position) = (arrival.file(), arrival.position);
        let single = Single { file, position, time_ms, start_ms, value: bytes.into() };
        data.beside.get_or_insert_default().histograms.push(single);
        Taken::Stored
    }

    /// What adding a float would answer.
    pub(crate) fn would_take_float(&self, time_ms: i64, value: f64) -> Taken {
        if time_ms > self.last_ms() {
            return Taken::Stored;
        }
        let data = self.data.lock();
        match data.float_at(time_ms) {
            Some(found) => found.compared(value),
            None if data.histogram_at(time_ms).is_some() => Taken::Conflict,
            None => Taken::Stored,
        }
    }

    /// What adding a histogram would answer.
    pub(crate) fn would_take_histogram(&self, time_ms: i64, histogram: &Histogram) -> Taken {
        if time_ms > self.last_ms() {
            return Taken::Stored;
        }
        let mut bytes = Vec::new();
        put_histogram(&mut bytes, histogram);
        self.data.lock().histogram_taken(time_ms, &bytes).unwrap_or(Taken::Stored)
    }

    /// Hands over what a closed file brought: its chunk, and what lies beside it, in time order.
    pub(crate) fn of_file<T>(&self, file: u32, take: impl FnOnce(Option<ChunkBytes<'_>>, SeriesSamples) -> T) -> T {
        let data = self.data.lock();
        let mut rest = SeriesSamples::default();
        if let Some(beside) = &data.beside {
            for single in beside.late.iter().filter(|single| single.file == file) {
                rest.push(single.time_ms, single.start_ms, single.value);
            }
            let histograms = beside.histograms.iter().filter(|single| single.file == file);
            rest.histograms.extend(histograms.filter_map(|single| {
                let Single { time_ms, start_ms, .. } = *single;
                Some(TimedHistogram { time_ms, start_ms, histogram: single.histogram()? })
            }));
            rest.settle(0, 0);
        }
        match data.chunks().find(|chunk| chunk.file() == file) {
            Some(chunk) => chunk.whole(|chunk| take(Some(chunk), rest)),
            None => take(None, rest),
        }
    }

    /// Lets go of the samples of files numbered below; answers whether nothing is left.
    pub(crate) fn forget_before(&self, first_kept: u32) -> bool {
        let mut data = self.data.lock();
        if let Some(closed) = &mut data.closed {
            closed.retain(|chunk| chunk.file() >= first_kept);
            if closed.is_empty() {
                data.closed = None;
            }
        }
        if data.open.as_ref().is_some_and(|open| open.file() < first_kept) {
            data.open = None;
        }
        if let Some(beside) = &mut data.beside {
            beside.late.retain(|single| single.file >= first_kept);
            beside.histograms.retain(|single| single.file >= first_kept);
            if beside.late.is_empty() && beside.histograms.is_empty() {
                data.beside = None;
            }
        }
        data.is_empty()
    }

    /// Whether it has no samples in memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.data.lock().is_empty()
    }
}

/// A float that is there.
struct Found(f64);

impl Found {
    fn compared(&self, value: f64) -> Taken {
        if self.0.to_bits() == value.to_bits() { Taken::Repeated } else { Taken::Conflict }
    }
}

impl Arrival<'_> {
    /// The journal file's number.
    pub(crate) fn file(&self) -> u32 {
        self.blocks.file()
    }
}

impl SeriesData {
    fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_none() && self.beside.is_none()
    }

    /// In the order of their files.
    pub(super) fn chunks(&self) -> impl DoubleEndedIterator<Item = ChunkView<'_>> {
        let closed = self.closed.iter().flat_map(|closed| closed.iter());
        closed.map(ClosedChunk::view).chain(self.open.iter().map(OpenChunk::view))
    }

    fn add_float(&mut self, arrival: Arrival<'_>, (time_ms, start_ms): (i64, i64), value: f64) {
        let Arrival { blocks, position, seen } = arrival;
        if let Some(before) = self.open.take_if(|open| open.file() != blocks.file()) {
            let closed = self.closed.get_or_insert_default();
            closed.reserve_exact(1);
            closed.push(before.close());
        }
        let open = self.open.get_or_insert_with(|| OpenChunk::new(blocks.clone()));
        if open.is_before(time_ms) {
            open.push((position, seen), (time_ms, start_ms), value);
        } else {
            let single = Single { file: blocks.file(), position, time_ms, start_ms, value };
            self.beside.get_or_insert_default().late.push(single);
        }
    }

    fn float_at(&self, time_ms: i64) -> Option<Found> {
        for chunk in self.chunks().rev() {
            if chunk.samples == 0 || time_ms > chunk.last_ms || time_ms < chunk.first_ms {
                continue;
            }
            if time_ms == chunk.last_ms {
                return Some(Found(chunk.last_value));
            }
            let found = chunk.since(time_ms, chunk.samples, |(_, mut samples)| {
                samples.find(|&(time, _)| time >= time_ms).filter(|&(time, _)| time == time_ms)
            });
            if let Some((_, value)) = found {
                return Some(Found(value));
            }
        }
        let late = self.beside.iter().flat_map(|beside| &beside.late);
        late.filter(|single| single.time_ms == time_ms).map(|single| Found(single.value)).next()
    }

    fn histogram_at(&self, time_ms: i64) -> Option<&[u8]> {
        let mut histograms = self.beside.iter().flat_map(|beside| &beside.histograms);
        histograms.find(|single| single.time_ms == time_ms).map(|single| &*single.value)
    }

    fn histogram_taken(&self, time_ms: i64, bytes: &[u8]) -> Option<Taken> {
        match self.histogram_at(time_ms) {
            Some(known) if known == bytes => Some(Taken::Repeated),
            Some(_) => Some(Taken::Conflict),
            None => self.float_at(time_ms).map(|_| Taken::Conflict),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let closed = self.closed.as_ref().map_or(0, |closed| 24 + closed.capacity() * size_of::<ClosedChunk>());
        let of_closed: usize = self.closed.iter().flat_map(|closed| closed.iter()).map(ClosedChunk::heap_bytes).sum();
        let of_open = self.open.as_ref().map_or(0, OpenChunk::heap_bytes);
        let beside = self.beside.as_ref().map_or(0, |beside| {
            let histograms: usize = beside.histograms.iter().map(|single| single.value.len()).sum();
            let singles = beside.late.capacity() * size_of::<Single<f64>>()
                + beside.histograms.capacity() * size_of::<Single<Box<[u8]>>>();
            histograms + singles
        });
        closed + of_closed + of_open + beside
    }
}

impl Single<Box<[u8]>> {
    /// The histogram itself.
    pub(super) fn histogram(&self) -> Option<Box<Histogram>> {
        histogram(&mut Fields(&self.value)).map(Box::new)
    }
}
