//! Reads for one client: first what was there, then what arrives, each line once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;
use weir_store::LineFeed;

use super::{GAPS, asked::Asked, message::Written};
use crate::{
    http::{loki, view::View},
    lines::LineTail,
    logql::{
        LogqlError,
        engine::{Direction, Entry, Following, LogQuery, Progress, entries},
    },
};

/// Lines are gathered for so long: a message for each of them would be dear.
const GATHERED_FOR: Duration = Duration::from_millis(20);

/// What lines may take that wait for those that come late; more than these do not wait.
const HELD_BYTES_MAX: u64 = 16 << 20;

/// What a message tells.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// Whether lines before them were missed.
    pub(super) has_gap: bool,
}

/// Whoever reads for a client.
pub(super) struct Follower {
    pub(super) asked: Asked,
    pub(super) written: Written,
    pub(super) sender: mpsc::Sender<String>,
    pub(super) stop: CancellationToken,
}

impl Follower {
    /// Reads until the client is gone, the process ends, or lines cannot be read.
    pub(super) fn run(self, view: Box<dyn View>, feed: LineFeed, runtime: &Handle) {
        if let Err(error) = self.follow(view, feed, runtime) {
            tracing::debug!(%error, "a client no longer follows lines");
        }
    }

    fn follow(&self, view: Box<dyn View>, feed: LineFeed, runtime: &Handle) -> Result<(), LogqlError> {
        let Asked { call, log, delay, .. } = &self.asked;
        let mut tail = LineTail::new(feed, log, call.logql.discover_log_levels)?;
        let mut following = Following::new(log, call.now_ns)?;
        let past = self.past(view.as_ref())?;
        // What it names could not be deleted for as long as the client stays.
        drop(view);
        if !self.send(Batch { entries: past, has_gap: false }, runtime) {
            return Ok(());
        }
        let mut held = Held::new(*delay);
        loop {
            let mut found = Vec::new();
            let taken = tail.take(&mut |record| {
                found.extend(following.entry(record));
                Ok(())
            })?;
            held.push(found, Instant::now());
            let batch = Batch { entries: held.due(Instant::now()), has_gap: taken.has_gap };
            if taken.has_gap {
                GAPS.inc();
            }
            if !self.send(batch, runtime) {
                return Ok(());
            }
            if !taken.has_more && !self.wait(&mut tail, held.next_due(), runtime) {
                return Ok(());
            }
        }
    }

    /// The newest lines of the past, oldest first.
    fn past(&self, view: &dyn View) -> Result<Vec<Entry>, LogqlError> {
        let Asked { call, log, limit, start_ns, .. } = &self.asked;
        if *limit == 0 {
            return Ok(Vec::new());
        }
        // What has arrived is of the past, whatever its time.
        let query = LogQuery {
            log,
            start_ns: *start_ns,
            end_ns: i64::MAX as u64,
            direction: Direction::Backward,
            limit: *limit,
        };
        let found = entries(&query, view.log_lines(call).as_ref(), &loki::limits(call), &Progress::default())?;
        Ok(found.entries.into_iter().rev().collect())
    }

    /// Hands a message on, as soon as there is room; false when nobody wants it any more.
    fn send(&self, batch: Batch, runtime: &Handle) -> bool {
        if batch.entries.is_empty() && !batch.has_gap {
            return !self.sender.is_closed();
        }
        let text = (self.written)(batch, self.asked.call.categorizes_labels);
        runtime.block_on(async {
            tokio::select! {
                sent = self.sender.send(text) => sent.is_ok(),
                () = self.stop.cancelled() => false,
            }
        })
    }

    /// Waits until lines arrived and were gathered, or held ones are due.
    fn wait(&self, tail: &mut LineTail, due: Option<Instant>, runtime: &Handle) -> bool {
        runtime.block_on(async {
            let is_due = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                is_rung = tail.rung() => if !is_rung { return false },
                () = is_due => return true,
                () = self.sender.closed() => return false,
                () = self.stop.cancelled() => return false,
            }
            tokio::select! {
                () = tokio::time::sleep(GATHERED_FOR) => true,
                () = self.sender.closed() => false,
                () = self.stop.cancelled() => false,
            }
        })
    }
}

/// Lines that wait for those that come late.
struct Held {
    delay: Duration,
    batches: VecDeque<(Instant, Vec<Entry>)>,
    bytes: u64,
}

impl Held {
    fn new(delay: Duration) -> Self {
        Self { delay, batches: VecDeque::new(), bytes: 0 }
    }

    fn push(&mut self, entries: Vec<Entry>, now: Instant) {
        if !entries.is_empty() {
            self.bytes += bytes_of(&entries);
            self.batches.push_back((now + self.delay, entries));
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.batches.front().map(|(due, _)| *due)
    }

    /// Lines that have waited long enough, by their time where they waited: those of the same time as they arrived.
    fn due(&mut self, now: Instant) -> Vec<Entry> {
        let mut entries = Vec::new();
        while self.bytes > HELD_BYTES_MAX || self.next_due().is_some_and(|due| due <= now) {
            let Some((_, batch)) = self.batches.pop_front() else { break };
            self.bytes -= bytes_of(&batch);
            entries.extend(batch);
        }
        if !self.delay.is_zero() && !entries.is_empty() {
            // Of those that still wait, what is older goes with them.
            let newest_ns = entries.iter().map(|entry| entry.time_ns).max().unwrap_or(0);
            for (_, batch) in &mut self.batches {
                let (early, late): (Vec<_>, _) =
                    std::mem::take(batch).into_iter().partition(|entry| entry.time_ns < newest_ns);
                *batch = late;
                self.bytes -= bytes_of(&early);
                entries.extend(early);
            }
            self.batches.retain(|(_, batch)| !batch.is_empty());
            entries.sort_by_key(|entry| entry.time_ns);
        }
        entries
    }
}

fn bytes_of(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::memory_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::labels::StreamLabels;

    fn entry(time_ns: u64) -> Entry {
        let (metadata, parsed) = (Vec::new(), Vec::new());
        Entry { time_ns, text: String::new(), stream: StreamLabels::new(Vec::new()), metadata, parsed }
    }

    fn times(entries: Vec<Entry>) -> Vec<u64> {
        entries.iter().map(|entry| entry.time_ns).collect()
    }

    #[test]
    fn lines_wait_for_those_that_come_late() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut held = Held::new(Duration::from_secs(2));
        held.push(vec![entry(10), entry(30)], begin);
        assert_eq!(times(held.due(after(1))), Vec::<u64>::new());
        held.push(vec![entry(20), entry(40)], after(1));
        assert_eq!(times(held.due(after(2))), [10, 20, 30]);
        assert_eq!(held.next_due(), Some(after(3)));
        assert_eq!(times(held.due(after(3))), [40]);
        assert_eq!((held.bytes, held.next_due()), (0, None));
        let mut at_once = Held::new(Duration::ZERO);
        at_once.push(vec![entry(2), entry(1)], begin);
        assert_eq!(times(at_once.due(begin)), [2, 1], "as they arrived");
    }
}
