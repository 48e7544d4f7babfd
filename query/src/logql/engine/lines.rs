//! What the engine reads: the lines of streams, in parts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::pieces::Piece;
use crate::logql::{
    LogqlError,
    ast::Matcher,
    pipeline::{Filter, Needles, Record},
};

/// Which lines are asked for. Whoever gives them may give more: the engine tests every line itself.
#[derive(Debug, Clone)]
pub(crate) struct Selection<'q> {
    /// All must hold.
    pub(crate) matchers: &'q [Matcher],
    /// Texts that are in every line, or in none.
    pub(crate) needles: Needles,
    /// What every line fulfils that comes out, of labels that a JSON parser finds in its text.
    pub(crate) conditions: Vec<Filter>,
    /// The same, of labels that lines have before anything is found in their texts.
    pub(crate) beside: Vec<Filter>,
    /// The first moment, Unix ns.
    pub(crate) start_ns: u64,
    /// The moment behind the last, Unix ns.
    pub(crate) end_ns: u64,
    /// Whether the text is looked at.
    pub(crate) needs_text: bool,
    /// The labels that are looked at; `None` where all are.
    pub(crate) labels: Option<Vec<String>>,
    /// The labels that a JSON parser is asked for, where nothing else looks at the text: these fields will do instead of it.
    pub(crate) fields: Option<Vec<String>>,
}

impl Selection<'_> {
    /// Whether this label is looked at.
    pub(crate) fn needs_label(&self, name: &str) -> bool {
        self.labels.as_ref().is_none_or(|labels| labels.iter().any(|label| label == name))
    }

    /// Whether any label is looked at that a stream may not have.
    pub(crate) fn needs_beside(&self) -> bool {
        self.labels.as_ref().is_none_or(|labels| !labels.is_empty())
    }
}

/// Gives lines.
pub(crate) trait Lines: Sync {
    /// The parts that may hold such lines.
    fn parts<'a>(&'a self, selection: &Selection<'_>) -> Result<Box<dyn Parts + 'a>, LogqlError>;

    /// Whether every line that is given has the needles in it: then nobody has to look again.
    fn tests_needles(&self) -> bool {
        false
    }
}

/// What of a part is needed.
pub(crate) struct Bounds<'b> {
    /// Lines before this are not needed, Unix ns.
    pub(crate) time_min_ns: u64,
    /// Whether newer lines come first, where a part is read in pieces; lines of a piece come as they arrived.
    pub(crate) newest_first: bool,
    /// Whether lines between these times are needed, asked before a piece is read.
    pub(crate) is_wanted: &'b dyn Fn((u64, u64)) -> bool,
}

impl Bounds<'_> {
    /// All lines from this time on.
    pub(crate) fn from(time_min_ns: u64) -> Self {
        Self { time_min_ns, newest_first: false, is_wanted: &|_| true }
    }
}

/// Takes lines one by one, or many that differ in little at once.
pub(crate) trait Takes {
    /// Takes a line.
    fn take(&mut self, record: &Record<'_>) -> Result<(), LogqlError>;

    /// Gets to know the first line of a class of those that come next; classes come in the order of their numbers. It is not taken yet.
    fn meet(&mut self, record: &Record<'_>) -> Result<(), LogqlError>;

    /// Takes lines of the classes that were met.
    fn take_alike(&mut self, alike: &Alike<'_>) -> Result<(), LogqlError>;

    /// Takes lines that differ from this one in nothing that is looked at but their time: how many are in each piece of time. This one counts
    /// only where it is among them, and its time is any.
    fn take_counted(&mut self, record: &Record<'_>, pieces: &[(i64, u64)]) -> Result<(), LogqlError>;
}

/// Lines that differ from the first of their class in nothing that is looked at but their time.
pub(crate) struct Alike<'b> {
    /// The class of each.
    pub(crate) classes: &'b [u32],
    /// The time of each, Unix ns.
    pub(crate) times_ns: &'b [i64],
}

/// Lines in parts, which threads may read at the same time.
pub(crate) trait Parts: Sync {
    /// How many parts.
    fn len(&self) -> usize;

    /// No line of a part lies before or after these, Unix ns.
    fn time_ns(&self, part: usize) -> (u64, u64);

    /// Lines of a part with a smaller number arrived before.
    fn arrival(&self, part: usize) -> u64 {
        part as u64
    }

    /// Gives each line of a part, with numbers that tell the order of arrival. Ends early when it says so.
    fn read(
        &self,
        part: usize,
        bounds: &Bounds<'_>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError>;

    /// The same for whoever takes many at once.
    fn read_alike(&self, part: usize, bounds: &Bounds<'_>, takes: &mut dyn Takes) -> Result<(), LogqlError> {
        self.read(part, bounds, &mut |record| takes.take(record))
    }

    /// The same for whoever needs to know no more than how many lines of the selection are in each piece of time; false, before any was given, where
    /// they have to be read.
    fn count(
        &self,
        _part: usize,
        _time_min_ns: u64,
        _cut: &dyn Fn(i64) -> Piece,
        _takes: &mut dyn Takes,
    ) -> Result<bool, LogqlError> {
        Ok(false)
    }

    /// Whether something could not be read so far.
    fn is_partial(&self) -> bool;
}

/// What was read so far, by all threads.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    lines: AtomicU64,
    bytes: AtomicU64,
    passed: AtomicU64,
}

/// Counted by one thread.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    /// Lines that were looked at.
    pub(crate) lines: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Lines that came out of the pipeline.
    pub(crate) passed: u64,
}

impl Progress {
    /// Adds what a thread counted.
    pub(crate) fn add(&self, tally: Tally) {
        self.lines.fetch_add(tally.lines, Ordering::Relaxed);
        self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
        self.passed.fetch_add(tally.passed, Ordering::Relaxed);
    }

    /// The sums.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            lines: self.lines.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
        }
    }
}
