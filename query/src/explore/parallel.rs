//! Reads the parts of a scan on as many threads as there are cores.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use arrow_array::RecordBatch;

use crate::batches::Batches;

/// Threads of one query at most.
const THREADS_MAX: usize = 8;

/// What was read, folded by each thread by itself.
#[derive(Debug)]
pub(crate) struct Folded<S> {
    pub(crate) states: Vec<S>,
    /// The deadline came before the end.
    pub(crate) is_late: bool,
}

/// Threads to read so many parts with, at least 1.
pub(crate) fn threads(parts: usize) -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(parts.max(1))
}

/// Does this with each of some, a thread each; in their order.
pub(crate) fn each<I: Sync, T: Send>(some: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = some.iter().skip(1).map(|one| scope.spawn(move || work(one))).collect();
        let first = some.first().map(work);
        // A panic in one is a panic of the query, as it would be on its own thread.
        let others =
            others.into_iter().map(|read| read.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        first.into_iter().chain(others).collect()
    })
}

/// Reads the newest parts first and adds each to the state of a thread, until there are no more, `add` has enough, or the deadline comes.
pub(crate) fn fold<S: Send>(
    batches: &dyn Batches,
    deadline: Instant,
    new: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, &RecordBatch) -> bool + Sync,
) -> Folded<S> {
    let parts = batches.parts_rows_max().len();
    let threads = threads(parts);
    let (next, has_enough, is_late) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let work = || {
        let mut state = new();
        while !has_enough.load(Ordering::Relaxed) {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            if Instant::now() >= deadline {
                is_late.store(true, Ordering::Relaxed);
                break;
            }
            batches.read_in_pieces(part, &mut |batch, _| {
                if batch.num_rows() > 0 && !has_enough.load(Ordering::Relaxed) && !add(&mut state, batch) {
                    has_enough.store(true, Ordering::Relaxed);
                }
            });
        }
        state
    };
    let states = if threads == 1 {
        vec![work()]
    } else {
        thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            // A panic in one is a panic of the query, as it would be on its own thread.
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    };
    Folded { states, is_late: is_late.into_inner() }
}
