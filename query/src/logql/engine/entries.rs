//! Log queries: the newest or the oldest lines that come out of a pipeline, up to a limit.

use std::{
    cmp::Reverse,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use parking_lot::Mutex;

use super::{
    Limits,
    lines::{Bounds, Lines, Parts, Progress, Selection, Tally},
    room::LineRoom,
};
use crate::logql::{
    LogqlError,
    ast::LogExpr,
    labels::{LabelSet, Origin, StreamLabels},
    pipeline::{Pipeline, Record, Working, beside, conditions, needles},
};

/// Lines between looks at the clock.
const LINES_PER_LOOK: u64 = 1024;

/// What an entry, and each label beside it, take beside their texts.
const ENTRY_BYTES: usize = 160;
const LABEL_BYTES: usize = 48;

/// From where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The newest, newest first.
    Backward,
    /// The oldest, oldest first.
    Forward,
}

/// A log query.
#[derive(Debug, Clone)]
pub(crate) struct LogQuery<'q> {
    /// What.
    pub(crate) log: &'q LogExpr,
    /// The first moment, Unix ns.
    pub(crate) start_ns: u64,
    /// The moment behind the last, Unix ns.
    pub(crate) end_ns: u64,
    /// From where.
    pub(crate) direction: Direction,
    /// Lines at most.
    pub(crate) limit: usize,
}

/// A line that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Unix ns.
    pub(crate) time_ns: u64,
    /// As the last stage left it.
    pub(crate) text: String,
    /// What is left of its stream's labels.
    pub(crate) stream: StreamLabels,
    /// What came beside it.
    pub(crate) metadata: Vec<(String, String)>,
    /// What stages found.
    pub(crate) parsed: Vec<(String, String)>,
}

impl Entry {
    /// Bytes that it takes, about; its stream's labels are shared.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let pairs = self.metadata.iter().chain(&self.parsed);
        let labels: usize = pairs.map(|(name, value)| LABEL_BYTES + name.len() + value.len()).sum();
        (ENTRY_BYTES + self.text.len() + labels) as u64
    }
}

/// What a log query gives.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// In the direction that was asked for; lines of the same time as they arrived, or the other way round.
    pub(crate) entries: Vec<Entry>,
    /// Whether something could not be read.
    pub(crate) is_partial: bool,
}

/// A line on hold, with what it is sorted by.
struct Held {
    time_ns: u64,
    /// Its part's and its own number: the order of arrival.
    order: (u64, u64),
    entry: Entry,
}

/// Answers a log query: reads parts in the order of time, and no more of them than it needs.
pub(crate) fn entries(
    query: &LogQuery<'_>,
    lines: &dyn Lines,
    limits: &Limits,
    progress: &Progress,
) -> Result<Entries, LogqlError> {
    let selection = Selection {
        matchers: &query.log.matchers,
        needles: needles(query.log),
        conditions: conditions(query.log),
        beside: beside(query.log),
        start_ns: query.start_ns,
        end_ns: query.end_ns,
        needs_text: true,
        labels: None,
        fields: None,
    };
    if query.start_ns >= query.end_ns || query.limit == 0 {
        return Ok(Entries::default());
    }
    let parts = lines.parts(&selection)?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    match query.direction {
        Direction::Backward => order.sort_by_key(|&part| Reverse((parts.time_ns(part).1, parts.arrival(part)))),
        Direction::Forward => order.sort_by_key(|&part| (parts.time_ns(part).0, parts.arrival(part))),
    }
    let search = Search {
        query,
        has_needles: lines.tests_needles(),
        parts: parts.as_ref(),
        order: &order,
        next: AtomicUsize::new(0),
        bound_ns: AtomicU64::new(query.direction.boundless()),
    };
    // Mostly the first part is enough.
    let mut kept = search.run(limits, progress, 1)?;
    if search.next.load(Ordering::Relaxed) < order.len() {
        let rest: Mutex<Result<Vec<Held>, LogqlError>> = Mutex::new(Ok(Vec::new()));
        let work = || {
            let found = search.run(limits, progress, usize::MAX);
            if found.is_err() {
                search.next.store(order.len(), Ordering::Relaxed);
            }
            let mut rest = rest.lock();
            match (found, &mut *rest) {
                (Ok(mut found), Ok(rest)) => rest.append(&mut found.held),
                (Err(error), Ok(_)) => *rest = Err(error),
                (_, Err(_)) => {}
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..limits.threads.min(order.len() - 1) {
                scope.spawn(work);
            }
            work();
        });
        kept.held.append(&mut rest.into_inner()?);
        kept.cut();
    }
    let entries = kept.held.into_iter().map(|held| held.entry).collect();
    Ok(Entries { entries, is_partial: parts.is_partial() })
}

impl Direction {
    /// A time beyond which nothing lies.
    fn boundless(self) -> u64 {
        match self {
            Self::Backward => 0,
            Self::Forward => u64::MAX,
        }
    }

    /// Whether nothing between these times is as good as this one.
    fn is_beyond(self, (min_ns, max_ns): (u64, u64), bound_ns: u64) -> bool {
        match self {
            Self::Backward => max_ns < bound_ns,
            Self::Forward => min_ns > bound_ns,
        }
    }
}

/// What threads share that look for the best lines.
struct Search<'q> {
    query: &'q LogQuery<'q>,
    has_needles: bool,
    parts: &'q dyn Parts,
    /// Parts, the best first.
    order: &'q [usize],
    next: AtomicUsize,
    /// As many lines as are asked for are known that are no worse than this time.
    bound_ns: AtomicU64,
}

impl Search<'_> {
    /// Reads parts, some at most, until no part that is left can have a better line.
    fn run(&self, limits: &Limits, progress: &Progress, parts_max: usize) -> Result<Kept, LogqlError> {
        let LogQuery { log, start_ns, end_ns, direction, limit } = *self.query;
        let mut kept = Kept { held: Vec::new(), direction, limit, room: limits.room.clone() };
        let mut pipeline = Pipeline::new(log, None, self.has_needles)?;
        let mut working = Working::new(limits.now_ns);
        for _ in 0..parts_max {
            let Some(&part) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            limits.check_time()?;
            let bound_ns = || self.bound_ns.load(Ordering::Relaxed);
            if direction.is_beyond(self.parts.time_ns(part), bound_ns()) {
                // So are all behind it.
                self.next.store(self.order.len(), Ordering::Relaxed);
                break;
            }
            let bounds = Bounds {
                time_min_ns: if direction == Direction::Backward { bound_ns().max(start_ns) } else { start_ns },
                newest_first: direction == Direction::Backward,
                is_wanted: &|times| !direction.is_beyond(times, bound_ns()),
            };
            let mut tally = Tally::default();
            let result = self.parts.read(part, &bounds, &mut |record| {
                tally.lines += 1;
                tally.bytes += record.text.len() as u64;
                if tally.lines % LINES_PER_LOOK == 0 {
                    limits.check_time()?;
                }
                let time_ns = record.time_ns;
                let is_outside = time_ns < start_ns || time_ns >= end_ns;
                if is_outside
                    || direction.is_beyond((time_ns, time_ns), bound_ns())
                    || !pipeline.run(record, &mut working)
                {
                    return Ok(());
                }
                tally.passed += 1;
                let order = (self.parts.arrival(part), record.number);
                if let Some(known_ns) = kept.push(Held { time_ns, order, entry: entry(record, &working) })? {
                    self.tighten(known_ns);
                }
                Ok(())
            });
            progress.add(tally);
            result?;
            if let Some(known_ns) = kept.cut() {
                self.tighten(known_ns);
            }
        }
        Ok(kept)
    }

    fn tighten(&self, known_ns: u64) {
        match self.query.direction {
            Direction::Backward => self.bound_ns.fetch_max(known_ns, Ordering::Relaxed),
            Direction::Forward => self.bound_ns.fetch_min(known_ns, Ordering::Relaxed),
        };
    }
}

/// The best lines so far.
struct Kept {
    held: Vec<Held>,
    direction: Direction,
    limit: usize,
    room: LineRoom,
}

impl Kept {
    /// Adds a line; answers as [`Self::cut`] does, when it is time for that. An error when lines take too much.
    fn push(&mut self, held: Held) -> Result<Option<u64>, LogqlError> {
        let bytes = held.entry.memory_bytes();
        let mut known_ns = None;
        if self.room.take(bytes).is_err() {
            known_ns = self.cut();
            self.room.take(bytes)?;
        }
        self.held.push(held);
        // Cut now and then: sorting is dear, lines are large.
        let is_time = self.held.len() >= self.limit.saturating_mul(2).max(1024);
        Ok(if is_time { self.cut() } else { known_ns })
    }

    /// Leaves out what is not good enough; answers with the time of the last line that is, when there are enough.
    fn cut(&mut self) -> Option<u64> {
        match self.direction {
            Direction::Backward => self.held.sort_by_key(|held| Reverse((held.time_ns, held.order))),
            Direction::Forward => self.held.sort_by_key(|held| (held.time_ns, held.order)),
        }
        let let_go = self.held.get(self.limit..).unwrap_or_default();
        self.room.give_back(let_go.iter().map(|held| held.entry.memory_bytes()).sum());
        self.held.truncate(self.limit);
        self.held.last().filter(|_| self.held.len() == self.limit).map(|held| held.time_ns)
    }
}

/// A line that came out of a pipeline.
pub(super) fn entry(record: &Record<'_>, working: &Working) -> Entry {
    let labels: &LabelSet = &working.labels;
    let (mut stream, mut metadata, mut parsed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value, origin) in labels.sorted() {
        let label = (name.to_owned(), value.to_owned());
        match origin {
            Origin::Stream => stream.push(label),
            Origin::Metadata => metadata.push(label),
            Origin::Parsed => parsed.push(label),
        }
    }
    Entry {
        time_ns: record.time_ns,
        text: working.text(record).to_owned(),
        stream: StreamLabels::new(stream),
        metadata,
        parsed,
    }
}
