//! What the engine reads: the lines of streams, in parts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::logql::{LogqlError, ast::Matcher, pipeline::Record};

/// Which lines are asked for. Whoever gives them may give more: the engine tests every line itself.
#[derive(Debug, Clone)]
pub struct Selection<'q> {
    /// All must hold.
    pub matchers: &'q [Matcher],
    /// Texts that are in every line.
    pub needles: Vec<String>,
    /// The first moment, Unix ns.
    pub start_ns: u64,
    /// The moment behind the last, Unix ns.
    pub end_ns: u64,
    /// Whether only the number of lines counts, so that neither text nor what came beside it is needed.
    pub only_counts: bool,
}

/// Gives lines.
pub trait Lines: Sync {
    /// The parts that may hold such lines.
    fn parts<'a>(&'a self, selection: &Selection<'_>) -> Result<Box<dyn Parts + 'a>, LogqlError>;
}

/// What of a part is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Lines before this are not needed, Unix ns.
    pub time_min_ns: u64,
}

/// Lines in parts, which threads may read at the same time.
pub trait Parts: Sync {
    /// How many parts.
    fn len(&self) -> usize;

    /// No line of a part lies before or after these, Unix ns.
    fn time_ns(&self, part: usize) -> (u64, u64);

    /// Gives each line of a part, lines of the same time in the order of their arrival. Ends early when it says so.
    fn read(
        &self,
        part: usize,
        bounds: Bounds,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError>;

    /// Whether something could not be read so far.
    fn is_partial(&self) -> bool;
}

/// What was read so far, by all threads.
#[derive(Debug, Default)]
pub struct Progress {
    lines: AtomicU64,
    bytes: AtomicU64,
    passed: AtomicU64,
}

/// Counted by one thread.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Lines that were looked at.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lines that came out of the pipeline.
    pub passed: u64,
}

impl Progress {
    /// Adds what a thread counted.
    pub fn add(&self, tally: Tally) {
        self.lines.fetch_add(tally.lines, Ordering::Relaxed);
        self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
        self.passed.fetch_add(tally.passed, Ordering::Relaxed);
    }

    /// The sums.
    pub fn tally(&self) -> Tally {
        Tally {
            lines: self.lines.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
        }
    }
}
