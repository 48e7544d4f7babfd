//! Log queries: the newest or the oldest lines that come out of a pipeline, up to a limit.

use std::cmp::Reverse;

use super::{
    Limits,
    lines::{Bounds, Lines, Progress, Selection, Tally},
};
use crate::logql::{
    LogqlError,
    ast::LogExpr,
    labels::{LabelSet, Origin, StreamLabels},
    pipeline::{Pipeline, Record, Working, needles},
};

/// Lines between looks at the clock.
const LINES_PER_LOOK: u64 = 1024;

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
        start_ns: query.start_ns,
        end_ns: query.end_ns,
        needs_text: true,
        labels: None,
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
    let mut kept = Kept { held: Vec::new(), direction: query.direction, limit: query.limit, bound_ns: None };
    let mut pipeline = Pipeline::new(query.log, None)?;
    let mut working = Working::new(limits.now_ns);
    for part in order {
        limits.check_time()?;
        let (min_ns, max_ns) = parts.time_ns(part);
        let ends = kept.bound_ns.is_some_and(|bound_ns| match query.direction {
            Direction::Backward => max_ns < bound_ns,
            Direction::Forward => min_ns > bound_ns,
        });
        if ends {
            break;
        }
        let floor_ns = match query.direction {
            Direction::Backward => kept.bound_ns.unwrap_or(0).max(query.start_ns),
            Direction::Forward => query.start_ns,
        };
        let mut tally = Tally::default();
        let mut number = 0u64;
        let result = parts.read(part, Bounds { time_min_ns: floor_ns }, &mut |record| {
            number += 1;
            tally.lines += 1;
            tally.bytes += record.text.len() as u64;
            if tally.lines % LINES_PER_LOOK == 0 {
                limits.check_time()?;
            }
            let is_outside = record.time_ns < query.start_ns || record.time_ns >= query.end_ns;
            if is_outside || kept.is_beyond(record.time_ns) || !pipeline.run(record, &mut working) {
                return Ok(());
            }
            tally.passed += 1;
            kept.push(Held {
                time_ns: record.time_ns,
                order: (parts.arrival(part), number),
                entry: entry(record, &working),
            });
            Ok(())
        });
        progress.add(tally);
        result?;
        kept.cut();
    }
    kept.cut();
    let entries = kept.held.into_iter().map(|held| held.entry).collect();
    Ok(Entries { entries, is_partial: parts.is_partial() })
}

/// The best lines so far.
struct Kept {
    held: Vec<Held>,
    direction: Direction,
    limit: usize,
    /// The time of the last that is good enough, when there are enough.
    bound_ns: Option<u64>,
}

impl Kept {
    /// Whether a line of this time is not good enough for certain.
    fn is_beyond(&self, time_ns: u64) -> bool {
        self.bound_ns.is_some_and(|bound_ns| match self.direction {
            Direction::Backward => time_ns < bound_ns,
            Direction::Forward => time_ns > bound_ns,
        })
    }

    fn push(&mut self, held: Held) {
        self.held.push(held);
        // Cut now and then: sorting is dear, lines are large.
        if self.held.len() >= self.limit.saturating_mul(2).max(1024) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        match self.direction {
            Direction::Backward => self.held.sort_by_key(|held| Reverse((held.time_ns, held.order))),
            Direction::Forward => self.held.sort_by_key(|held| (held.time_ns, held.order)),
        }
        self.held.truncate(self.limit);
        if self.held.len() == self.limit {
            self.bound_ns = self.held.last().map(|held| held.time_ns);
        }
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
