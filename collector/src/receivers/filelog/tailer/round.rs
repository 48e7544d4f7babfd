//! Whose turn it is: rounds through the files that have something to read, which stop where the journal takes nothing for now.

use std::collections::VecDeque;

use super::{Deliver, Stopped, Tailer, Tracked};

/// Files beyond those that may be open are closed after so many turns.
const CLOSED_EVERY: usize = 64;

/// What the reader does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::receivers::filelog) enum Next {
    /// Everything is read.
    Pause,
    /// There is more.
    GoOn,
    /// The journal has to take what was read last.
    Wait,
}

/// One round through the files that have something to read.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Whose turn it is, and who follows.
    pub(super) files: VecDeque<u64>,
    /// What the first of them has had of its turn.
    pub(super) bytes: u64,
    /// Turns that were taken.
    turns: usize,
    /// Whether something is left for another round.
    pub(super) is_more_left: bool,
}

/// Why reading a file stopped, when not for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// The batch is full, and the one before is not durable yet.
    Full,
    Stopped,
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl<D: Deliver> Tailer<D> {
    /// Reads on, without another look.
    pub(in crate::receivers::filelog) fn go_on(&mut self) -> Result<Next, Stopped> {
        let now_ns = self.steady.at(self.clock.now_ns());
        while self.outlet.batch.is_full() {
            if !self.submit(None)? {
                return Ok(Next::Wait);
            }
        }
        if self.round.files.is_empty() {
            self.round = self.next_round(now_ns);
        }
        match self.turns(now_ns) {
            Ok(()) => {}
            Err(Halt::Full) => return Ok(Next::Wait),
            Err(Halt::Stopped) => return Err(Stopped),
        }
        self.roster.close_surplus();
        let outlet = &mut self.outlet;
        self.pipeline.overdue(self.clock.now_ns(), &mut |entry| outlet.push(entry));
        let mut is_taken = true;
        while is_taken && (self.outlet.batch.lines() > 0 || self.roster.is_urgent()) {
            is_taken = self.submit(None)?;
        }
        Ok(match (is_taken, self.round.is_more_left) {
            (true, true) => Next::GoOn,
            (true, false) => Next::Pause,
            (false, _) => Next::Wait,
        })
    }

    fn next_round(&mut self, now_ns: u64) -> Round {
        let mut files = self.roster.turns(now_ns, self.config.force_flush_period);
        let rounds = if self.config.max_batches == 0 { usize::MAX } else { self.config.max_batches };
        let most = rounds.saturating_mul(self.config.max_concurrent_files);
        let is_more_left = files.len() > most;
        files.truncate(most);
        Round { files: files.into(), is_more_left, ..Round::default() }
    }

    /// Gives each file of the round its turn.
    fn turns(&mut self, now_ns: u64) -> Result<(), Halt> {
        while let Some(id) = self.round.files.front().copied() {
            // Looks may have come between: it may be gone, or be known for a copy.
            let has_turn = |file: &Tracked| file.has_turn(now_ns, self.config.force_flush_period);
            if let Some(mut file) =
                self.roster.files.get(&id).is_some_and(has_turn).then(|| self.roster.files.remove(&id)).flatten()
            {
                let read = self.read(&mut file, now_ns);
                self.round.is_more_left |= read.is_ok() && file.has_more() && !file.is_read && !file.is_failing;
                self.roster.files.insert(id, file);
                read?;
            }
            self.round.files.pop_front();
            self.round.bytes = 0;
            self.round.turns += 1;
            if self.round.turns.is_multiple_of(CLOSED_EVERY) {
                self.roster.close_surplus();
            }
        }
        Ok(())
    }
}
