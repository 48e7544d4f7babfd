//! Reads a recovered journal file of metrics into the head: frames are gathered, then each series takes its samples at once.
//!
//! One thread reads frames, others give what was gathered to its series meanwhile.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;
use weir_proto::TenantId;

use super::{
    replay_blocks::{BLOCK_SERIES, Block, Gathered, GatheredHistogram, Ordered},
    series_places::SeriesPlaces,
};
use crate::{
    head::{Arrival, Arrived, Blocks, Recovered, Registry, SeriesFile, SeriesRef, Taken},
    journal::{JournalFile, Newer, StoredFrame},
    samples::payload::{FloatColumns, Payload},
};

/// So many floats are gathered: one after the other they would find each series' memory cold.
const GATHERED_MAX: usize = if cfg!(test) { 100 } else { 2 << 20 };

/// A histogram counts as so many.
const HISTOGRAM_FLOATS: usize = 16;

/// Threads that series take their samples on, at most.
const THREADS_MAX: usize = 4;

/// The samples go to their series, which are made where need be. Files are read in their order.
pub(crate) fn replay(journal: &Arc<JournalFile>, registry: &Registry) -> Result<Arc<SeriesFile>, Newer> {
    let file = Arc::new(SeriesFile::new(journal.clone(), registry.limits()));
    // Beside this thread, which reads.
    let threads = thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).clamp(1, THREADS_MAX);
    let cleared = Mutex::default();
    thread::scope(|scope| {
        let (givers, taking): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::sync_channel(0)).unzip();
        let (file, cleared) = (&*file, &cleared);
        let running: Vec<_> =
            taking.into_iter().map(|taking| scope.spawn(move || give(taking, file, threads, cleared))).collect();
        let (series, blocks) = (DefinedSeries::default(), Vec::new());
        let mut replay = Replay { registry, file, series, blocks, gathered: 0, handed: 0, givers, cleared };
        let read = replay.read(journal);
        drop(replay);
        running.into_iter().for_each(|thread| thread.join().expect("replay does not panic"));
        read
    })?;
    Ok(file)
}

/// A block on its way to its series.
struct Handful {
    index: usize,
    /// Its series that were not there the last time, with whose they are.
    new: Vec<(TenantId, SeriesRef)>,
    block: Block,
}

/// Takes every `threads`th block until there is no more, and gives its rows to their series.
fn give(taking: mpsc::Receiver<Vec<Handful>>, file: &SeriesFile, threads: usize, cleared: &Mutex<Vec<Block>>) {
    let mut blocks: Vec<Vec<(TenantId, SeriesRef)>> = Vec::new();
    let mut ordered = Ordered::default();
    for Handful { index, new, mut block } in taking.into_iter().flatten() {
        let at = index / threads;
        if at >= blocks.len() {
            blocks.resize_with(at + 1, Vec::new);
        }
        blocks[at].extend(new);
        ordered.put(&mut block, blocks[at].len());
        give_block(&block, &ordered, &blocks[at], file);
        cleared.lock().push(block.cleared());
    }
}

fn give_block(block: &Block, ordered: &Ordered, all: &[(TenantId, SeriesRef)], file: &SeriesFile) {
    let mut stored = Vec::with_capacity(all.len());
    let mut histograms = block.histograms().peekable();
    for (place, (tenant, series)) in all.iter().enumerate() {
        let mut rows = ordered.rows(block, place).map(Recovered::from).peekable();
        let mut samples = 0;
        // In the order of their frames; in one, floats come first.
        while let Some(histogram) = histograms.next_if(|histogram| histogram.place as usize == place) {
            let position = histogram.position;
            let before = std::iter::from_fn(|| rows.next_if(|row| row.position <= position));
            samples += series.0.add_recovered(file.blocks(), before);
            samples += u64::from(histogram.add_to(series, file.blocks()) == Taken::Stored);
        }
        if rows.peek().is_some() {
            samples += series.0.add_recovered(file.blocks(), rows);
        }
        if samples > 0 {
            stored.push((tenant, series.0.is_first_in(file.number()).then_some(series), samples));
        }
    }
    file.add_series(stored.into_iter());
}

impl GatheredHistogram {
    fn add_to(&self, series: &SeriesRef, blocks: &Arc<Blocks>) -> Taken {
        // No snapshot is older.
        let arrival = Arrival { blocks, position: self.position, seen: self.position };
        series.0.add_histogram(arrival, (self.time_ms, self.start_ms), &self.histogram)
    }
}

impl From<(Gathered, i64)> for Recovered {
    fn from((row, start_ms): (Gathered, i64)) -> Self {
        Self { position: row.position, time_ms: row.time_ms, start_ms, value: row.value }
    }
}

struct Replay<'a> {
    registry: &'a Registry,
    file: &'a SeriesFile,
    series: DefinedSeries,
    /// What is gathered, by the series' places.
    blocks: Vec<Block>,
    gathered: usize,
    /// Series that were handed over.
    handed: usize,
    givers: Vec<mpsc::SyncSender<Vec<Handful>>>,
    /// Blocks to be used again.
    cleared: &'a Mutex<Vec<Block>>,
}

impl Replay<'_> {
    fn read(&mut self, journal: &Arc<JournalFile>) -> Result<(), Newer> {
        let mut frames = journal.frames();
        let mut columns = FloatColumns::default();
        for frame in &mut frames {
            let frame = match frame {
                Ok(frame) => frame,
                Err(damage) => {
                    Newer::of_damage(journal, &damage)?;
                    tracing::error!(file = journal.number(), %damage, "damaged frames in the journal; the rest is read");
                    continue;
                }
            };
            self.add(&frame, &mut columns);
            if self.gathered >= GATHERED_MAX {
                self.hand_out();
            }
        }
        self.hand_out();
        self.file.add_damaged(&frames.damaged());
        Ok(())
    }

    fn add(&mut self, frame: &StoredFrame, columns: &mut FloatColumns) {
        let position = frame.offset.position();
        // No snapshot is older.
        let arrival = Arrival { blocks: self.file.blocks(), position, seen: position };
        let tenant = &frame.header.tenant;
        let Some(payload) = Payload::read_apart(&frame.payload, columns) else {
            tracing::error!(offset = %frame.offset, "a journalled payload cannot be read");
            let damaged = frame.header.accepted();
            self.file.add(arrival, &frame.header, Arrived { damaged, ..Arrived::default() });
            return;
        };
        self.series.define(self.registry, tenant, &payload);
        let of_tenant = self.registry.tenant(tenant);
        of_tenant.learn(&payload.metadata, self.registry.limits());
        of_tenant.note(&payload.notes);
        let mut arrived = Arrived { metadata: payload.metadata, ..Arrived::default() };
        arrived.damaged += self.gather(columns, position);
        for row in payload.histograms {
            let Some(place) = self.series.by_number.get(row.series) else {
                arrived.damaged += 1;
                continue;
            };
            self.gathered += HISTOGRAM_FLOATS;
            self.blocks[place as usize / BLOCK_SERIES].push_histogram(GatheredHistogram {
                place: place % BLOCK_SERIES as u32,
                position,
                time_ms: row.time_ms,
                start_ms: row.start_ms,
                histogram: row.value,
            });
        }
        let exemplars = payload.exemplars.into_iter();
        arrived.exemplars =
            exemplars.filter_map(|(number, exemplar)| Some((self.series.find(number)?.clone(), exemplar))).collect();
        self.file.add(arrival, &frame.header, arrived);
    }

    /// Answers how many samples are of series that nothing defines: what did is damaged.
    fn gather(&mut self, columns: &FloatColumns, position: u32) -> u64 {
        let mut lost = 0;
        let blocks = self.series.all.len().div_ceil(BLOCK_SERIES);
        if self.blocks.len() < blocks {
            let mut cleared = self.cleared.lock();
            self.blocks.resize_with(blocks, || cleared.pop().unwrap_or_default());
        }
        let samples = columns.numbers.iter().zip(&columns.times_ms).zip(&columns.values);
        for (index, ((&number, &time_ms), &value)) in samples.enumerate() {
            let Some(place) = self.series.by_number.get(number) else {
                lost += 1;
                continue;
            };
            let start_ms = columns.starts_ms.get(index).copied().unwrap_or(0);
            let row = Gathered { value, time_ms, position, place: place % BLOCK_SERIES as u32 };
            self.blocks[place as usize / BLOCK_SERIES].push(row, start_ms);
        }
        self.gathered += columns.numbers.len();
        lost
    }

    /// Hands over what is gathered. A series is always given its samples by the same thread: they stay in their order.
    fn hand_out(&mut self) {
        let mut parts: Vec<Vec<Handful>> = self.givers.iter().map(|_| Vec::new()).collect();
        for (index, block) in self.blocks.drain(..).enumerate() {
            let until = ((index + 1) * BLOCK_SERIES).min(self.series.all.len());
            let new = self.series.all[(index * BLOCK_SERIES).max(self.handed).min(until)..until].to_vec();
            parts[index % self.givers.len()].push(Handful { index, new, block });
        }
        for (part, giver) in parts.into_iter().zip(&self.givers) {
            // They take until this end is gone.
            let _ = giver.send(part);
        }
        (self.gathered, self.handed) = (0, self.series.all.len());
    }
}

/// The series that the file defines.
#[derive(Debug, Default)]
struct DefinedSeries {
    /// With whose they are.
    all: Vec<(TenantId, SeriesRef)>,
    /// By the numbers of the file, where in `all`.
    by_number: SeriesPlaces,
    /// The same by those that the registry gave.
    by_known: SeriesPlaces,
}

impl DefinedSeries {
    fn define(&mut self, registry: &Registry, tenant: &TenantId, payload: &Payload) {
        if payload.series.is_empty() {
            return;
        }
        let mut numbers = payload.series.iter().map(|(number, _)| *number);
        registry.recovered(tenant, payload.series.iter().map(|(_, labels)| labels), |series| {
            // A file in which two runs wrote may define a label set twice: it is one series all the same.
            let known = series.0.number;
            let place = self.by_known.get(known).unwrap_or_else(|| {
                self.all.push((tenant.clone(), series));
                self.all.len() as u32 - 1
            });
            self.by_known.set(known, place);
            let number = numbers.next().expect("one for each");
            self.by_number.set(number, place);
        });
    }

    fn find(&self, number: u64) -> Option<&SeriesRef> {
        self.by_number.get(number).map(|place| &self.all[place as usize].1)
    }
}
