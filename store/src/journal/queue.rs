//! Entries waiting for their group commit: bounded, handed to the committer in groups.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::{Entry, JournalAppendError, writer::Writable};

/// What an entry costs beside its bytes: its place in the queue, its oneshot.
const ENTRY_OVERHEAD_BYTES: u64 = 256;

/// So many times as long as others an entry waits that nobody waits for.
const PATIENCE: u32 = 4;

/// When the committer is behind, it takes so many full groups at once.
const FULL_GROUPS_MAX: u64 = 8;

/// An entry and whom to tell about it.
#[derive(Debug)]
pub(super) struct Waiting<A> {
    pub(super) entry: Entry<A>,
    pub(super) ack: oneshot::Sender<Result<(), JournalAppendError>>,
    /// What it counts against the queue's bound.
    pub(super) bytes: u64,
    arrived: Instant,
    /// Nobody waits for its ack: it may wait longer for others to share its sync.
    is_patient: bool,
}

impl<A> Waiting<A> {
    pub(super) fn new(entry: Entry<A>, ack: oneshot::Sender<Result<(), JournalAppendError>>, arrived: Instant) -> Self {
        let bytes = entry_bytes(&entry);
        Self { entry, ack, bytes, arrived, is_patient: false }
    }

    /// The same, with time.
    pub(super) fn patient(self, is_patient: bool) -> Self {
        Self { is_patient, ..self }
    }

    pub(super) fn writable(&self) -> Writable<'_> {
        let Entry { header, payload, .. } = &self.entry;
        Writable { header, payload, payload_crc: payload.crc }
    }
}

/// What an entry counts against the queue's bound.
pub(super) fn entry_bytes<A>(entry: &Entry<A>) -> u64 {
    let header = &entry.header;
    let rejected_bytes = std::mem::size_of_val(&header.rejected[..]);
    (entry.payload.len() + header.cursor.len() + rejected_bytes) as u64 + ENTRY_OVERHEAD_BYTES
}

/// The queue's bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    pub(super) queue_bytes_max: u64,
    pub(super) commit_bytes_max: u64,
    pub(super) commit_delay_max: Duration,
}

impl QueueLimits {
    /// When an entry has waited long enough.
    fn due<A>(&self, waiting: &Waiting<A>, company: Company) -> Instant {
        let times = match waiting.is_patient {
            true => PATIENCE,
            false => u32::from(company.is_expected()),
        };
        waiting.arrived + self.commit_delay_max * times
    }
}

/// So many entries in turn that waited and stayed alone: the next do not wait.
const LONELY_MAX: u8 = 4;

/// After so many groups that did not wait it is tried again whether waiting brings company.
const AT_ONCE_MAX: u8 = 32;

/// Whether waiting for others is worth it, by what came of it. A sender that waits for each answer before it sends the next request would
/// wait for nobody each time.
#[derive(Debug, Clone, Copy, Default)]
struct Company {
    lonely: u8,
    at_once: u8,
}

impl Company {
    fn is_expected(self) -> bool {
        self.lonely < LONELY_MAX
    }

    /// A group has so many entries that somebody waits for.
    fn note(&mut self, entries: usize) {
        match entries {
            0 => {}
            1 if self.is_expected() => self.lonely += 1,
            1 => {
                self.at_once += 1;
                if self.at_once >= AT_ONCE_MAX {
                    *self = Self { lonely: LONELY_MAX - 1, at_once: 0 };
                }
            }
            _ => *self = Self::default(),
        }
    }
}

/// Shared by all appenders and the committer.
#[derive(Debug)]
pub(super) struct Queue<A> {
    limits: QueueLimits,
    state: Mutex<State<A>>,
    /// The committer waits here.
    news: Condvar,
}

#[derive(Debug)]
struct State<A> {
    waiting: VecDeque<Waiting<A>>,
    waiting_bytes: u64,
    /// When the first of what waits has waited long enough.
    due: Option<Instant>,
    company: Company,
    committing_bytes: u64,
    rolls: Vec<oneshot::Sender<()>>,
    stopping: bool,
    /// The committer is gone.
    closed: bool,
}

/// What the committer does next.
#[derive(Debug, Default)]
pub(super) struct Work<A> {
    /// To commit; may be empty.
    pub(super) group: Vec<Waiting<A>>,
    /// To be told once the file is rolled, after the group.
    pub(super) rolls: Vec<oneshot::Sender<()>>,
    /// Nothing will come after this.
    pub(super) last: bool,
}

impl<A> Queue<A> {
    pub(super) fn new(limits: QueueLimits) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            due: None,
            company: Company::default(),
            committing_bytes: 0,
            rolls: Vec::new(),
            stopping: false,
            closed: false,
        };
        Self { limits, state: Mutex::new(state), news: Condvar::new() }
    }

    pub(super) fn push(&self, waiting: Waiting<A>) -> Result<(), JournalAppendError> {
        let mut state = self.lock();
        if state.stopping || state.closed {
            return Err(JournalAppendError::Stopped);
        }
        let held = state.waiting_bytes + state.committing_bytes;
        // One entry larger than the whole queue still passes when it is alone.
        if held > 0 && held + waiting.bytes > self.limits.queue_bytes_max {
            return Err(JournalAppendError::QueueFull);
        }
        let before = state.waiting_bytes;
        state.waiting_bytes += waiting.bytes;
        let full = before < self.limits.commit_bytes_max && state.waiting_bytes >= self.limits.commit_bytes_max;
        let due = self.limits.due(&waiting, state.company);
        let is_next = state.due.is_none_or(|known| due < known);
        if is_next {
            state.due = Some(due);
        }
        state.waiting.push_back(waiting);
        drop(state);
        // Else the committer has nothing to do but to wait.
        if is_next || full {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Asks for a roll; the sender is dropped when the committer is gone.
    pub(super) fn request_roll(&self, done: oneshot::Sender<()>) {
        let mut state = self.lock();
        if !state.closed {
            state.rolls.push(done);
            self.news.notify_one();
        }
    }

    /// Refuses new entries; the committer finishes what waits.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.news.notify_one();
    }

    /// The committer ends: everything that waits is refused.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.rolls.clear();
        let refused = std::mem::take(&mut state.waiting);
        (state.waiting_bytes, state.due) = (0, None);
        drop(state);
        for waiting in refused {
            let _ = waiting.ack.send(Err(JournalAppendError::Stopped));
        }
    }

    /// So many bytes of the entries handed out last are done with.
    pub(super) fn committed(&self, bytes: u64) {
        let mut state = self.lock();
        state.committing_bytes = state.committing_bytes.saturating_sub(bytes);
    }

    /// Waits for a group to be full or old enough, for a request, or until `deadline`; fills `work`.
    pub(super) fn next(&self, deadline: Option<Instant>, work: &mut Work<A>) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let pressing = state.stopping
                || !state.rolls.is_empty()
                || state.waiting_bytes >= self.limits.commit_bytes_max
                || deadline.is_some_and(|deadline| deadline <= now);
            let due = state.due;
            if pressing || due.is_some_and(|due| due <= now) {
                break;
            }
            match [due, deadline].into_iter().flatten().min() {
                Some(until) => drop(self.news.wait_until(&mut state, until)),
                None => self.news.wait(&mut state),
            }
        }
        let mut bytes = 0;
        // What came during the last sync goes into the next one, rather than into several.
        while bytes < self.limits.commit_bytes_max.saturating_mul(FULL_GROUPS_MAX) {
            let Some(waiting) = state.waiting.pop_front() else { break };
            bytes += waiting.bytes;
            work.group.push(waiting);
        }
        state.waiting_bytes -= bytes;
        state.company.note(work.group.iter().filter(|waiting| !waiting.is_patient).count());
        let company = state.company;
        state.due = state.waiting.iter().map(|waiting| self.limits.due(waiting, company)).min();
        state.committing_bytes = bytes;
        work.rolls.append(&mut state.rolls);
        work.last = state.stopping && state.waiting.is_empty();
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_alone_waits_no_more_for_a_while() {
        let mut company = Company::default();
        let mut waited = Vec::new();
        for entries in [1, 1, 1, 1, 0, 1, 1, 2, 1] {
            company.note(entries);
            waited.push(company.is_expected());
        }
        assert_eq!(waited, [true, true, true, false, false, false, false, true, true]);
        let waits = (0..100).filter(|_| {
            company.note(1);
            company.is_expected()
        });
        assert_eq!(waits.count(), 2 + 2, "the rest of the first four, and a try after each 32");
    }
}
