//! Makes the rows of many series by several threads, part by part, and hands the parts on in the order of the series.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use parking_lot::{Condvar, Mutex};

use super::{Budget, QueryError, Sink, failed, select::Compute};
use crate::promql::{functions::Track, notes::Notes, source::Series, value::Row};

/// Values that the rows of one part may have, about: they stay near the processor until they are handed on.
const PART_VALUES: usize = 1 << 14;
/// Series of a part at most: whether to go on is asked between them.
const PART_SERIES: usize = 512;
/// Parts for each thread that may be under way or done before they are wanted.
const AHEAD: usize = 4;
/// Fewer series than that are not worth a second thread.
const PARALLEL_MIN: usize = 64;

/// The rows of a part, and what was noticed while they were made.
type Part<'s> = Result<(Vec<Row<'s>>, Notes), QueryError>;

/// Series whose rows are wanted.
pub(super) struct Parts<'p, 's> {
    series: &'s [Box<dyn Series + 's>],
    compute: Compute<'p, 's>,
    budget: &'p Budget<'p>,
    threads: usize,
    part_series: usize,
    state: Mutex<State<'s>>,
    changed: Condvar,
}

struct State<'s> {
    /// The first part that nobody makes.
    next: usize,
    /// The one that is handed on next.
    wanted: usize,
    done: BTreeMap<usize, Part<'s>>,
    is_over: bool,
}

/// However handing on ends, nobody waits for it any longer.
struct Over<'o, 'p, 's>(&'o Parts<'p, 's>);

impl Drop for Over<'_, '_, '_> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl<'p, 's> Parts<'p, 's> {
    /// Of series, of which each has a row of so many steps at most.
    pub(super) fn new(
        series: &'s [Box<dyn Series + 's>],
        (steps, threads): (usize, usize),
        compute: Compute<'p, 's>,
        budget: &'p Budget<'p>,
    ) -> Self {
        let threads = if series.len() < PARALLEL_MIN { 1 } else { threads.max(1) };
        // Several for each thread: one may take longer than the others.
        let even = series.len().div_ceil(AHEAD * threads).max(1);
        let part_series = (PART_VALUES / steps.max(1)).clamp(1, PART_SERIES).min(even);
        let state = State { next: 0, wanted: 0, done: BTreeMap::new(), is_over: false };
        Self { series, compute, budget, threads, part_series, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Makes all rows and hands them on, on this thread; what was noticed of a part before its rows.
    pub(super) fn hand_on(&self, notice: &dyn Fn(Notes), sink: Sink<'_>) -> Result<(), QueryError> {
        std::thread::scope(|scope| {
            let _over = Over(self);
            for _ in 1..self.threads {
                scope.spawn(|| self.work());
            }
            let mut track = Track::default();
            for wanted in 0..self.count() {
                self.budget.check()?;
                let (rows, notes) = self.wait_for(wanted, &mut track)?;
                notice(notes);
                for row in rows {
                    sink(row)?;
                }
            }
            Ok(())
        })
    }

    fn count(&self) -> usize {
        self.series.len().div_ceil(self.part_series)
    }

    fn work(&self) {
        let mut track = Track::default();
        loop {
            let mut state = self.state.lock();
            while !state.is_over && state.next < self.count() && state.next >= state.wanted + AHEAD * self.threads {
                self.changed.wait(&mut state);
            }
            if state.is_over || state.next >= self.count() {
                return;
            }
            let number = state.next;
            state.next += 1;
            drop(state);
            let made = self.made(number, &mut track);
            self.state.lock().done.insert(number, made);
            self.changed.notify_all();
        }
    }

    /// A part; while others make it, this thread makes those after it.
    fn wait_for(&self, wanted: usize, track: &mut Track) -> Part<'s> {
        let mut state = self.state.lock();
        state.wanted = wanted;
        self.changed.notify_all();
        loop {
            if let Some(done) = state.done.remove(&wanted) {
                return done;
            }
            if state.next < self.count() && state.next < wanted + AHEAD * self.threads {
                let number = state.next;
                state.next += 1;
                drop(state);
                let made = self.made(number, track);
                if number == wanted {
                    return made;
                }
                state = self.state.lock();
                state.done.insert(number, made);
            } else {
                self.changed.wait(&mut state);
            }
        }
    }

    /// Whoever waits for a part gets one, also when making it panics.
    fn made(&self, number: usize, track: &mut Track) -> Part<'s> {
        let made = catch_unwind(AssertUnwindSafe(|| self.rows(number, track)));
        made.unwrap_or_else(|_| Err(failed("a thread of the query failed")))
    }

    fn rows(&self, number: usize, track: &mut Track) -> Part<'s> {
        let begin = number * self.part_series;
        let series = &self.series[begin..self.series.len().min(begin + self.part_series)];
        let mut notes = Notes::default();
        let mut rows = Vec::with_capacity(series.len());
        for (index, one) in series.iter().enumerate() {
            if index % 64 == 63 {
                self.budget.check()?;
            }
            if let Some(row) = (self.compute)(&**one, track, &mut notes)? {
                self.budget.take_samples(row.samples())?;
                rows.push(row);
            }
        }
        Ok((rows, notes))
    }
}
