//! The one thread that writes a journal: group commit, durable mark, rolling.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use weir_proto::time::Clock;

use super::{
    Committed, JournalAppendError, Prefaces, Shared, file,
    frame::FrameHeader,
    group::{Counted, Link},
    mark::MarkFile,
    metrics,
    queue::{Waiting, Work},
    tallies::Tallies,
    writer::{GroupError, Layout, NewFile, OpenFile, Writable},
};
use crate::{
    disk::{self, Disk},
    offset::Offset,
};

/// Pause before the committer tries again by itself what failed for lack of space.
const REFUSED_DELAY: Duration = Duration::from_secs(1);

/// A group is at most so large, or one entry: a file of it alone fits what sealing takes in. Small in tests, so that they meet it.
pub(super) const GROUP_BYTES_MAX: u64 = if cfg!(test) { 16 << 10 } else { 256 << 20 };

/// Where the journal's files go on.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) folder: PathBuf,
    pub(super) salt: u64,
    /// The file that is written; none before the first append.
    pub(super) current: Option<OpenFile>,
    /// The end of the last file that counts, when there is no current one.
    pub(super) last: Link,
    pub(super) next_number: u32,
    /// Everything accepted so far.
    pub(super) tallies: Tallies,
    /// Of those the ones that the newest group changed.
    pub(super) changed: Tallies,
    pub(super) mark: MarkFile,
}

impl Position {
    /// Counts a frame of the group just written.
    fn count(&mut self, frame: &FrameHeader) {
        self.tallies.add_frame(frame);
        *self.changed.entry(&frame.tenant) = self.tallies.get(&frame.tenant);
    }
}

pub(super) struct Committer<A, P, F> {
    pub(super) shared: Arc<Shared<A>>,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) file_bytes_max: u64,
    pub(super) allocate_bytes: u64,
    pub(super) file_age_max: Duration,
    pub(super) mark_delay: Duration,
    pub(super) publish: P,
    pub(super) prefaces: F,
    pub(super) is_measured: bool,
    pub(super) position: Position,
    /// The file before the current one, until the current one's first group says where it ends.
    pub(super) closing: Option<OpenFile>,
    /// When the last group was written that no group header vouches for.
    pub(super) unmarked_since: Option<Instant>,
    /// Not before this: something failed for lack of space.
    pub(super) retry_at: Option<Instant>,
    pub(super) layout: Layout,
}

impl<A, P: FnMut(Vec<Committed<A>>), F: Prefaces<A>> Committer<A, P, F> {
    /// Commits until it is told to stop or the disk fails.
    pub(super) fn run(mut self) {
        let mut work = Work { group: Vec::new(), rolls: Vec::new(), last: false };
        let mut outcome = Ok(());
        while outcome.is_ok() && !work.last {
            self.shared.queue.next(self.deadline(), &mut work);
            outcome = self.perform(&mut work);
        }
        if let Err(error) = outcome {
            self.shared.fail(error.to_string());
        }
        self.shared.queue.close();
    }

    fn perform(&mut self, work: &mut Work<A>) -> Result<(), GroupError> {
        while !work.group.is_empty() {
            // A file must not outgrow what sealing can take in, however much came at once.
            let fitting = fitting(&work.group);
            let rest = (fitting < work.group.len()).then(|| work.group.split_off(fitting));
            self.commit(&mut work.group)?;
            work.group.extend(rest.into_iter().flatten());
        }
        if !work.rolls.is_empty() {
            self.roll()?;
            for done in work.rolls.drain(..) {
                let _ = done.send(());
            }
        }
        if work.last {
            return self.finish();
        }
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.retry_at = None;
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.roll()?;
        }
        if self.mark_deadline().is_some_and(|at| at <= now) {
            self.mark_idle()?;
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let wanted = [self.mark_deadline(), self.age_deadline()].into_iter().flatten().min()?;
        Some(self.retry_at.map_or(wanted, |retry_at| wanted.max(retry_at)))
    }

    fn mark_deadline(&self) -> Option<Instant> {
        self.unmarked_since.map(|since| since + self.mark_delay)
    }

    fn age_deadline(&self) -> Option<Instant> {
        let first_frame_at = self.position.current.as_ref()?.first_frame_at?;
        Some(first_frame_at + self.file_age_max)
    }

    /// Makes a group durable, publishes it, acknowledges it; or refuses it when there is no space.
    fn commit(&mut self, group: &mut Vec<Waiting<A>>) -> Result<(), GroupError> {
        let started = Instant::now();
        match self.write(group) {
            Ok(()) => {}
            Err(GroupError::Write(error)) if disk::is_refusal(&error) => {
                tracing::warn!(%error, "the journal has no space");
                self.refuse(group, JournalAppendError::DiskFull);
                return Ok(());
            }
            Err(GroupError::TooLarge) => {
                self.refuse(group, JournalAppendError::TooLarge);
                return Ok(());
            }
            Err(error) => {
                self.refuse(group, JournalAppendError::Stopped);
                return Err(error);
            }
        }
        let current = self.position.current.as_ref().expect("a group was just written to it");
        let file = current.journal_file.clone();
        let mut payload_bytes = 0;
        // A group may be a part of what was taken from the queue.
        let queue_bytes = group.iter().map(|waiting| waiting.bytes).sum();
        let mut acks = Vec::with_capacity(group.len());
        let mut committed = Vec::with_capacity(group.len());
        self.position.changed.clear();
        for (waiting, place) in group.drain(..).zip(&self.layout.places) {
            self.position.count(&waiting.entry.header);
            payload_bytes += waiting.entry.payload.len() as u64;
            acks.push(waiting.ack);
            committed.push(Committed {
                offset: Offset::new(file.number(), place.position),
                file: file.clone(),
                payload_position: place.payload_position,
                entry: waiting.entry,
            });
        }
        self.show_durable();
        self.unmarked_since = Some(Instant::now());
        if self.is_measured {
            metrics::BYTES.inc_by(payload_bytes);
            metrics::FRAMES.inc_by(acks.len() as u64);
            metrics::COMMIT_SECONDS.observe(started.elapsed().as_secs_f64());
        }
        (self.publish)(committed);
        // Before the acks: whoever is told that it is done finds room for the next.
        self.shared.queue.committed(queue_bytes);
        for ack in acks {
            // Whoever asked may have gone: the entry is journalled all the same.
            let _ = ack.send(Ok(()));
        }
        Ok(())
    }

    fn write(&mut self, group: &mut [Waiting<A>]) -> Result<(), GroupError> {
        self.prepare_file(OpenFile::group_bytes_max(group.iter().map(Waiting::writable)))?;
        let current = self.position.current.as_mut().expect("prepared above");
        self.prefaces.begin(current.journal_file.number());
        for index in 0..group.len() {
            let (before, rest) = group.split_at_mut(index);
            self.prefaces.complete(&mut rest[0].entry, before.iter().map(|waiting| &waiting.entry));
        }
        let frames = group.iter().map(Waiting::writable);
        let counted = Counted { all: &self.position.tallies, changed: &self.position.changed };
        current.write_group(counted, frames, &mut self.layout)
    }

    /// Sees to it that the current file has room for `bytes`, or is new.
    fn prepare_file(&mut self, bytes: u64) -> Result<(), GroupError> {
        let Some(current) = &self.position.current else {
            return self.next_file();
        };
        let has_room = u64::from(current.end().end) + bytes <= self.file_bytes_max;
        let is_too_narrow = current.is_too_narrow(&self.position.tallies);
        if current.first_frame_at.is_none() || (has_room && !is_too_narrow) {
            return Ok(());
        }
        match self.next_file() {
            // One that names every tenant each time is better than none.
            Err(GroupError::Write(error)) if has_room && disk::is_refusal(&error) => Ok(()),
            next => next,
        }
    }

    /// Makes the next file current. It counts once its first group is durable, which also closes the one before.
    fn next_file(&mut self) -> Result<(), GroupError> {
        let position = &mut self.position;
        let number = position.next_number;
        let path = position.folder.join(file::file_name(number));
        let new = NewFile {
            number,
            path: path.clone(),
            salt: position.salt,
            link: position.current.as_ref().map_or(position.last, OpenFile::end),
            opening: position.tallies.clone(),
            created_at_ns: self.clock.now_ns(),
        };
        let spare = self.shared.lock_spares().take();
        let reused = spare.and_then(|spare| {
            let reused = OpenFile::reuse(&self.disk, &spare, new.clone(), self.allocate_bytes);
            reused.inspect_err(|error| tracing::debug!(%error, "a spare journal file is of no use")).ok()
        });
        let created = reused.map_or_else(|| OpenFile::create(&self.disk, &path, new, self.allocate_bytes), Ok);
        let next = created.map_err(|error| {
            // A name that could not be given back is not used again.
            if path.exists() {
                position.next_number += 1;
            }
            GroupError::Write(error)
        })?;
        position.next_number += 1;
        self.shared.lock_spares().count_begun(Instant::now());
        // The name is synced before anything in it is acknowledged.
        self.disk.sync_folder(&position.folder).map_err(GroupError::Sync)?;
        self.closing = position.current.replace(next);
        Ok(())
    }

    /// Tells readers, the MARK and the list of files about the group just written.
    fn show_durable(&mut self) {
        let position = &mut self.position;
        let Some(current) = &position.current else { return };
        let is_first = current.journal_file.bytes() == 0;
        current.publish_end();
        if is_first {
            self.shared.add_file(current.journal_file.clone());
        }
        let counted = Counted { all: &position.tallies, changed: &position.changed };
        if let Err(error) = position.mark.write(position.salt, current.end(), current.link, counted) {
            tracing::debug!(%error, "the journal's MARK stays behind");
        }
        if let Some(closing) = self.closing.take() {
            close(&closing, current.journal_file.opening().clone());
            self.shared.file_closed(closing.journal_file.number());
        }
    }

    /// Closes the current file, if it holds frames, by making the next one durable.
    fn roll(&mut self) -> Result<(), GroupError> {
        let has_frames = self.position.current.as_ref().is_some_and(|current| current.first_frame_at.is_some());
        if !has_frames {
            return Ok(());
        }
        let result = self.next_file().and_then(|()| self.write_header_alone());
        self.excuse_refusal(result)
    }

    fn mark_idle(&mut self) -> Result<(), GroupError> {
        let result = self.write_header_alone();
        self.excuse_refusal(result)
    }

    fn write_header_alone(&mut self) -> Result<(), GroupError> {
        let Some(current) = &mut self.position.current else { return Ok(()) };
        let counted = Counted { all: &self.position.tallies, changed: &self.position.changed };
        current.write_group(counted, std::iter::empty::<Writable<'_>>(), &mut self.layout)?;
        self.position.changed.clear();
        self.unmarked_since = None;
        self.show_durable();
        Ok(())
    }

    /// Without space for a header, acknowledged frames are as durable as before: try again later.
    fn excuse_refusal(&mut self, result: Result<(), GroupError>) -> Result<(), GroupError> {
        match result {
            Err(GroupError::Write(error)) if disk::is_refusal(&error) => {
                let now = Instant::now();
                self.retry_at = Some(now + REFUSED_DELAY);
                if self.closing.is_some() {
                    // The header still to be written is what closes the file before.
                    self.unmarked_since.get_or_insert(now);
                }
                Ok(())
            }
            other => other,
        }
    }

    fn refuse(&self, group: &mut Vec<Waiting<A>>, error: JournalAppendError) {
        self.shared.queue.committed(group.iter().map(|waiting| waiting.bytes).sum());
        for waiting in group.drain(..) {
            let _ = waiting.ack.send(Err(error));
        }
    }

    fn finish(&mut self) -> Result<(), GroupError> {
        if self.unmarked_since.is_some() {
            self.mark_idle()?;
        }
        if let Some(current) = &self.position.current {
            close(current, self.position.tallies.clone());
        }
        Ok(())
    }
}

fn close(file: &OpenFile, closing: Tallies) {
    file.journal_file.close(closing);
    let trimmed: io::Result<()> = file.trim();
    if let Err(error) = trimmed {
        tracing::debug!(%error, "a closed journal file keeps its preallocated space");
    }
}

/// How many of the entries make a group: one at least.
fn fitting<A>(entries: &[Waiting<A>]) -> usize {
    let mut bytes = 0;
    let fits = |waiting: &&Waiting<A>| {
        bytes += OpenFile::group_bytes_max(std::iter::once(waiting.writable()));
        bytes <= GROUP_BYTES_MAX
    };
    entries.iter().take_while(fits).count().max(1)
}
