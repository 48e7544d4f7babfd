//! Sums of what counts since the point before: the state behind `delta: cumulative`.
//!
//! The stored series is the state: its last sample is the total. Where stretches of time were left out, or more than
//! one sender or scope counts, a note beside the samples says what was counted (docs/decisions/0128-late-deltas.md).

#![allow(clippy::mutable_key_type, reason = "what a series is equal to and hashed by never changes")]

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use weir_proto::metrics::{Histogram, Sample, SampleValue};
use weir_store::{Note, SeriesRef};

use super::{
    native,
    notes::note,
    stretches::{Standing, Stretch, Stretches},
};

/// A series that nothing was added to for this long may be forgotten when there are too many.
const FORGOTTEN_AFTER_NS: u64 = 3_600_000_000_000;

/// What was counted so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Total {
    Float(f64),
    Histogram(Box<Histogram>),
}

#[derive(Debug, Clone, PartialEq)]
struct Sum {
    total: Total,
    /// Since when, Unix ms.
    since_ms: i64,
    /// The time of its last sample, Unix ms.
    written_ms: i64,
    /// When the last delta was received, Unix ns.
    added_ns: u64,
    stretches: Stretches,
    /// Whether a note of the stretches stands.
    is_noted: bool,
}

/// What became of a point's part.
#[derive(Debug, PartialEq)]
pub(super) enum Added {
    /// The total with it.
    Sum(Counted),
    /// It is in the total already.
    Repeated,
    /// It comes late, and some of it may be in the total.
    Late,
    /// No more series are known.
    Full,
}

/// A new total.
#[derive(Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) total: Total,
    /// Since when, Unix ms.
    pub(super) since_ms: i64,
    /// Where its sample belongs, Unix ms.
    pub(super) time_ms: i64,
    /// What the series' note has to be from now on, if it changes: no bytes where it is plain again.
    pub(super) note: Option<Vec<u8>>,
}

/// What a request changed, so that it can be taken back.
#[derive(Debug, Default)]
pub(super) struct Undo(Vec<(SeriesRef, Option<Sum>, Sum)>);

/// What the store knows of a series.
pub(super) trait Known {
    /// Its last sample.
    fn last(&self, series: &SeriesRef) -> Option<Sample>;

    /// The note of its stretches.
    fn stretches(&self, series: &SeriesRef) -> Option<Stretches>;

    /// All notes of stretches.
    fn all_notes(&self) -> Vec<Note>;

    /// When the request was received, Unix ns.
    fn now_ns(&self) -> u64;
}

/// The sums of all series that deltas arrive for.
#[derive(Debug)]
pub(super) struct Deltas {
    sums: Mutex<HashMap<SeriesRef, Sum, FixedState>>,
    series_max: usize,
}

impl Deltas {
    pub(super) fn new(series_max: usize) -> Self {
        Self { sums: Mutex::default(), series_max }
    }

    /// Adds what a stretch of time counted. A series that is not known goes on from its last sample in the store.
    /// `at_hand_ms`: the time of its sample that is still in the request, and can be replaced.
    pub(super) fn add(
        &self,
        series: &SeriesRef,
        (stretch, more): (Stretch, Total),
        at_hand_ms: Option<i64>,
        known: &dyn Known,
        undo: &mut Undo,
    ) -> Added {
        let mut sums = self.sums.lock();
        let mut is_noted = false;
        let before = match sums.get(series).cloned() {
            Some(sum) => Some(sum),
            None if sums.len() >= self.series_max && !forget(&mut sums, known.now_ns()) => return Added::Full,
            None => {
                let noted = known.stretches(series);
                // One of a series that is silent for long stands until it is replaced.
                is_noted = noted.is_some();
                known.last(series).map(|last| Sum::of_stored(last, noted))
            }
        };
        let end_ms = (stretch.end_ns / 1_000_000) as i64;
        let start_ms = if stretch.start_ns == 0 { end_ms } else { (stretch.start_ns / 1_000_000) as i64 };
        let mut now = Sum {
            total: more,
            since_ms: start_ms,
            written_ms: end_ms,
            added_ns: known.now_ns(),
            stretches: Stretches::default(),
            is_noted,
        };
        if let Some(before) = &before {
            match before.stretches.standing(stretch) {
                Standing::New => {}
                Standing::Repeated => return Added::Repeated,
                Standing::Overlapping => return Added::Late,
            }
            // What is stored is not written anew: the total with what comes late is the next millisecond's.
            let is_at_hand = at_hand_ms == Some(before.written_ms);
            let late_ms = if is_at_hand { before.written_ms } else { before.written_ms.saturating_add(1) };
            now.written_ms = if end_ms > before.written_ms { end_ms } else { late_ms };
            now.stretches.clone_from(&before.stretches);
            now.is_noted = before.is_noted;
            if let Some(sum) = added(&before.total, &now.total) {
                (now.total, now.since_ms) = (sum, before.since_ms);
            }
        }
        now.stretches.add(stretch);
        let is_plain = now.stretches.is_plain();
        let note = match (is_plain, now.is_noted) {
            (true, false) => None,
            (true, true) => Some(Vec::new()),
            (false, _) => Some(now.stretches.to_bytes()),
        };
        now.is_noted = !is_plain;
        let counted = Counted { total: now.total.clone(), since_ms: now.since_ms, time_ms: now.written_ms, note };
        undo.0.push((series.clone(), before, now.clone()));
        sums.insert(series.clone(), now);
        Added::Sum(counted)
    }

    /// A request was not stored: it may come again, unless something later was added meanwhile.
    pub(super) fn take_back(&self, undo: Undo) {
        self.undone(undo, false);
    }

    /// Totals were not stored, but their notes were: the notes that mend those.
    pub(super) fn take_back_noted(&self, undo: Undo) -> Vec<Note> {
        self.undone(undo, true)
    }

    fn undone(&self, undo: Undo, are_noted: bool) -> Vec<Note> {
        let mut mended = BTreeMap::new();
        let mut sums = self.sums.lock();
        for (series, before, now) in undo.0.into_iter().rev() {
            if sums.get(&series) != Some(&now) {
                continue;
            }
            if are_noted && (now.is_noted || before.as_ref().is_some_and(|before| before.is_noted)) {
                let standing = before.as_ref().filter(|before| before.is_noted);
                let note = note(&series, standing.map_or_else(Vec::new, |before| before.stretches.to_bytes()));
                mended.insert(note.name, note.bytes);
            }
            match before {
                Some(before) => drop(sums.insert(series, before)),
                None => drop(sums.remove(&series)),
            }
        }
        mended.into_iter().map(|(name, bytes)| Note { name, bytes }).collect()
    }
}

impl Undo {
    /// What changed the newest sample of each of these series.
    pub(super) fn newest_of<V>(self, series: &HashMap<SeriesRef, V, FixedState>) -> Self {
        let newest: HashMap<SeriesRef, i64, FixedState> =
            self.0.iter().map(|(series, _, now)| (series.clone(), now.written_ms)).collect();
        let is_of_newest =
            |(one, _, now): &(SeriesRef, _, Sum)| series.contains_key(one) && newest.get(one) == Some(&now.written_ms);
        Self(self.0.into_iter().filter(is_of_newest).collect())
    }

    /// Whether any delta was added.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sum {
    /// Of another run.
    fn of_stored(last: Sample, noted: Option<Stretches>) -> Self {
        let Sample { time_ms, start_ms, value } = last;
        Self {
            total: match value {
                SampleValue::Float(value) => Total::Float(value),
                SampleValue::Histogram(histogram) => Total::Histogram(histogram),
            },
            since_ms: start_ms,
            written_ms: time_ms,
            added_ns: 0,
            is_noted: noted.is_some(),
            stretches: noted.unwrap_or_else(|| Stretches::up_to_ms(time_ms)),
        }
    }
}

/// The sum; `None` where counting begins anew.
fn added(total: &Total, more: &Total) -> Option<Total> {
    match (total, more) {
        (Total::Float(total), Total::Float(more)) => Some(Total::Float(total + more)),
        (Total::Histogram(total), Total::Histogram(more)) => {
            let mut total = total.clone();
            native::add(&mut total, more).then_some(Total::Histogram(total))
        }
        _ => None,
    }
}

/// Makes room; false when everything is in use.
fn forget(sums: &mut HashMap<SeriesRef, Sum, FixedState>, now_ns: u64) -> bool {
    let before = sums.len();
    sums.retain(|_, sum| now_ns.saturating_sub(sum.added_ns) < FORGOTTEN_AFTER_NS);
    sums.len() < before
}
