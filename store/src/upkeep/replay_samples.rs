//! Reads a recovered journal file of metrics into the head: frames are gathered, then each series takes its samples at once.

use std::{collections::HashMap, ops::Range, sync::Arc};

use weir_proto::{TenantId, metrics::Labels};

use crate::{
    head::{Arrival, Arrived, Registry, SeriesFile, SeriesRef, Taken},
    journal::{JournalFile, Newer, StoredFrame},
    samples::payload::{Payload, Row},
};

/// So many floats are gathered: one after the other they would find each series' memory cold.
const GATHERED_MAX: usize = if cfg!(test) { 100 } else { 1 << 21 };

/// Threads that series take their samples on, at most.
const THREADS_MAX: usize = 4;

/// The samples go to their series, which are made where need be. Files are read in their order.
pub(crate) fn replay(journal: &Arc<JournalFile>, registry: &Registry) -> Result<Arc<SeriesFile>, Newer> {
    let mut replay = Replay {
        registry,
        file: Arc::new(SeriesFile::new(journal.clone(), registry.limits())),
        series: Vec::new(),
        places: HashMap::default(),
        places_of_known: HashMap::default(),
        gathered: Vec::new(),
    };
    let mut frames = journal.frames();
    for frame in &mut frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(damage) => {
                Newer::of_damage(journal, &damage)?;
                tracing::error!(file = journal.number(), %damage, "damaged frames in the journal; the rest is read");
                continue;
            }
        };
        replay.add(&frame);
        if replay.gathered.len() >= GATHERED_MAX {
            replay.hand_out();
        }
    }
    replay.hand_out();
    replay.file.add_damaged(&frames.damaged());
    Ok(replay.file)
}

struct Replay<'a> {
    registry: &'a Registry,
    file: Arc<SeriesFile>,
    /// The series that the file defines, and whose they are.
    series: Vec<(TenantId, SeriesRef)>,
    /// By number, where in `series`.
    places: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// The same by the number that the registry gave.
    places_of_known: HashMap<u64, u32, foldhash::fast::RandomState>,
    gathered: Vec<Gathered>,
}

/// A float that waits for its neighbours.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    /// In `series`.
    place: u32,
    /// Of its frame.
    position: u32,
    time_ms: i64,
    start_ms: i64,
    value: f64,
}

impl Replay<'_> {
    fn add(&mut self, frame: &StoredFrame) {
        let position = frame.offset.position();
        // No snapshot is older.
        let arrival = Arrival { file: frame.offset.file(), position, seen: position };
        let tenant = &frame.header.tenant;
        let Some(payload) = Payload::read(&frame.payload) else {
            tracing::error!(offset = %frame.offset, "a journalled payload cannot be read");
            let damaged = frame.header.accepted();
            self.file.add(arrival, &frame.header, Arrived { damaged, ..Arrived::default() });
            return;
        };
        payload.series.iter().for_each(|(number, labels)| self.define(tenant, *number, labels));
        self.registry.tenant(tenant).learn(&payload.metadata, self.registry.limits());
        self.registry.tenant(tenant).note(&payload.notes);
        let mut arrived = Arrived { metadata: payload.metadata, ..Arrived::default() };
        for &Row { series, time_ms, start_ms, value } in &payload.floats {
            match self.places.get(&series) {
                Some(&place) => self.gathered.push(Gathered { place, position, time_ms, start_ms, value }),
                // What defined it is damaged.
                None => arrived.damaged += 1,
            }
        }
        for row in &payload.histograms {
            let Some(series) = self.find(row.series) else {
                arrived.damaged += 1;
                continue;
            };
            if series.0.add_histogram(arrival, (row.time_ms, row.start_ms), &row.value) == Taken::Stored {
                arrived.count(series, arrival.file);
            }
        }
        let exemplars = payload.exemplars.into_iter();
        arrived.exemplars =
            exemplars.filter_map(|(number, exemplar)| Some((self.find(number)?.clone(), exemplar))).collect();
        self.file.add(arrival, &frame.header, arrived);
    }

    fn define(&mut self, tenant: &TenantId, number: u64, labels: &Labels) {
        let series = self.registry.recovered(tenant, labels);
        // A file in which two runs wrote may define a label set twice: it is one series all the same.
        let next = self.series.len() as u32;
        let place = *self.places_of_known.entry(series.0.number).or_insert(next);
        if place == next {
            self.series.push((tenant.clone(), series));
        }
        self.places.insert(number, place);
    }

    fn find(&self, number: u64) -> Option<&SeriesRef> {
        self.places.get(&number).map(|&place| &self.series[place as usize].1)
    }

    /// Hands the gathered samples to their series, on several threads: each has series of its own.
    fn hand_out(&mut self) {
        let by_place = ByPlace::new(&self.gathered, self.series.len());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (file, gathered, series) = (self.file.number(), &self.gathered, &self.series);
        let arrived: Vec<_> = std::thread::scope(|scope| {
            let parts = by_place.parts(threads).into_iter();
            let give = |part: Range<usize>| {
                let mut stored = Vec::new();
                for place in part {
                    let rows = by_place.of(place).iter().map(|&row| gathered[row as usize]);
                    let samples = give_to(&series[place].1, file, rows);
                    if samples > 0 {
                        stored.push((place, samples));
                    }
                }
                stored
            };
            let running: Vec<_> = parts.map(|part| scope.spawn(move || give(part))).collect();
            running.into_iter().flat_map(|thread| thread.join().expect("replay does not panic")).collect()
        });
        for (place, samples) in arrived {
            let (tenant, series) = &self.series[place];
            self.file.add_series(tenant, series.0.is_first_in(file).then_some(series), samples);
        }
        self.gathered.clear();
    }
}

/// Gives a series its samples; answers how many are new.
fn give_to(series: &SeriesRef, file: u32, rows: impl Iterator<Item = Gathered>) -> u64 {
    let mut stored = 0;
    for Gathered { position, time_ms, start_ms, value, .. } in rows {
        let arrival = Arrival { file, position, seen: position };
        stored += u64::from(series.0.add_float(arrival, (time_ms, start_ms), value) == Taken::Stored);
    }
    stored
}

/// Rows by their series, each series' in the order in which they came.
struct ByPlace {
    /// Where each series' rows begin in `rows`; one more at the end.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl ByPlace {
    fn new(gathered: &[Gathered], places: usize) -> Self {
        let mut starts = vec![0_u32; places + 1];
        gathered.iter().for_each(|row| starts[row.place as usize + 1] += 1);
        for place in 0..places {
            starts[place + 1] += starts[place];
        }
        let mut next = starts.clone();
        let mut rows = vec![0_u32; gathered.len()];
        for (index, row) in (0..).zip(gathered) {
            let at = &mut next[row.place as usize];
            rows[*at as usize] = index;
            *at += 1;
        }
        Self { starts, rows }
    }

    fn of(&self, place: usize) -> &[u32] {
        &self.rows[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// Neighbouring series, with about as many rows in each part.
    fn parts(&self, parts: usize) -> Vec<Range<usize>> {
        let places = self.starts.len() - 1;
        let mut ranges = Vec::with_capacity(parts);
        let mut from = 0;
        for part in 1..=parts {
            let until = (self.rows.len() * part / parts) as u32;
            let to = if part == parts { places } else { self.starts[..places].partition_point(|&start| start < until) };
            ranges.push(from..to.max(from));
            from = to.max(from);
        }
        ranges
    }
}
