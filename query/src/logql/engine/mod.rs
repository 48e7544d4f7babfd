//! Answers queries: lines for log queries, series for metric queries.
//!
//! [`Lines`] is what it reads. Log queries read parts by time and stop at their limit ([`entries`]); metric queries read
//! all of them, several at a time, into windows ([`windows`]), on which aggregations and operators work ([`series`]).

mod accumulator;
mod aggregate;
mod binary;
mod each;
mod entries;
mod evaluate;
mod follow;
mod groups;
mod lines;
mod pieces;
mod reader;
mod room;
mod series;
mod windows;

pub(crate) use each::each_line;
pub(crate) use entries::{Direction, Entries, Entry, LogQuery, entries};
pub(crate) use evaluate::{Evaluated, MetricQuery, evaluate};
pub(crate) use follow::Following;
pub(crate) use lines::{Alike, Bounds, Lines, Parts, Progress, Selection, Takes, Tally};
pub(crate) use pieces::Piece;
pub(crate) use room::{HoldsLines, LineRoom, NoRoom};
pub(crate) use series::Series;

/// What a query may take.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Series of a metric query, also between its steps.
    pub(crate) series_max: usize,
    /// Moments of a range query.
    pub(crate) steps_max: usize,
    /// Samples that quantiles and counters hold together.
    pub(crate) samples_max: usize,
    /// Threads that read.
    pub(crate) threads: usize,
    /// Now, Unix ns.
    pub(crate) now_ns: u64,
    /// When to stop.
    pub(crate) deadline: std::time::Instant,
    /// For the lines that are held.
    pub(crate) room: LineRoom,
}

impl Limits {
    /// An error when the time is over.
    fn check_time(&self) -> Result<(), super::LogqlError> {
        if std::time::Instant::now() >= self.deadline { Err(super::LogqlError::TimedOut) } else { Ok(()) }
    }
}
