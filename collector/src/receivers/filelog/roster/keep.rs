//! Which files have something to read, which are kept open, and which are forgotten.

use std::time::Duration;

use super::Roster;
use crate::receivers::filelog::tracked::Tracked;

/// How long a file that is gone, and read, is known: what comes of it may come later.
const GONE_KEPT_NS: u64 = 25 * 3_600_000_000_000;

impl Roster {
    /// The files that have something to read, oldest first.
    pub(in crate::receivers::filelog) fn turns(&mut self, now_ns: u64, period: Duration) -> Vec<u64> {
        let mut turns: Vec<&mut Tracked> =
            self.files.values_mut().filter(|file| file.has_turn(now_ns, period)).collect();
        // Of those written at the same time the one that was known first.
        turns.sort_by_key(|file| (file.stamp.modified_ns, file.id));
        turns.iter_mut().for_each(|file| file.is_failing = false);
        turns.into_iter().map(|file| file.id).collect()
    }

    /// Closes files beyond those that may be open, those first that did not grow for longest.
    pub(in crate::receivers::filelog) fn close_surplus(&mut self) {
        let open = self.open_files();
        if open <= self.config.max_concurrent_files {
            return;
        }
        let mut idle: Vec<(u64, u64)> = self
            .files
            .values()
            .filter(|file| file.content.is_some() && file.gone_since_ns.is_none() && file.copy_of.is_none())
            .map(|file| (file.grown_at_ns, file.id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(open - self.config.max_concurrent_files) {
            if let Some(file) = self.files.get_mut(&id) {
                file.content = None;
            }
        }
    }

    /// The journal must know at once.
    pub(in crate::receivers::filelog) fn tell_soon(&mut self) {
        self.is_urgent = true;
    }

    /// Whether the journal must know at once where files stand.
    pub(in crate::receivers::filelog) fn is_urgent(&self) -> bool {
        self.is_urgent || !self.forgotten.is_empty()
    }

    /// Files that are not known any more. The journal is told of them and of all others now: nothing is urgent after it.
    pub(in crate::receivers::filelog) fn take_urgent(&mut self) -> Vec<u64> {
        self.is_urgent = false;
        std::mem::take(&mut self.forgotten)
    }

    /// Forgets files that are gone for long.
    pub(in crate::receivers::filelog) fn forget(&mut self, now_ns: u64) {
        let is_over = |file: &Tracked| {
            file.content.is_none()
                && file.seen_in != self.looks
                && file.open.is_empty()
                && file.gone_since_ns.is_some_and(|since| now_ns.saturating_sub(since) > GONE_KEPT_NS)
        };
        let over: Vec<u64> = self.files.values().filter(|file| is_over(file)).map(|file| file.id).collect();
        for id in over {
            if let Some(file) = self.files.remove(&id) {
                self.by_inode.remove(&(file.stamp.device, file.stamp.inode));
            }
            self.forgotten.push(id);
        }
    }

    /// Files that are open.
    pub(in crate::receivers::filelog) fn open_files(&self) -> usize {
        self.files.values().filter(|file| file.content.is_some()).count()
    }

    /// Bytes that are not read yet; of compressed files nobody knows.
    pub(in crate::receivers::filelog) fn lag_bytes(&self) -> u64 {
        let of_file = |file: &Tracked| match file.is_lost || file.is_gzip || file.copy_of.is_some() {
            true => 0,
            false => file.stamp.bytes.saturating_sub(file.offset),
        };
        self.files.values().map(of_file).sum()
    }
}
