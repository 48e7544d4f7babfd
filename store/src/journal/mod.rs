//! The journal: the durable, ordered record of what arrived. An append returns once its frame is fsynced.
//!
//! The way in is `queue`, `committer`, `writer`; the way out is `reader`; `recovery` is what happens after a stop of any
//! kind, with `mark` to help. docs/formats.md has the bytes.

mod checksummed;
mod committer;
mod cursors;
mod cursors_file;
mod file;
mod found;
mod frame;
mod group;
mod mark;
mod metrics;
mod newer;
mod queue;
mod reader;
mod record;
mod recovery;
mod spares;
mod survey;
mod tallies;
mod varint;
mod writer;

use std::{
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{oneshot, watch};
use weir_proto::time::Clock;

pub use checksummed::Checksummed;
pub use cursors::SourceCursors;
pub(crate) use cursors_file::{read_cursors, write_cursors};
pub use file::JournalFile;
pub use frame::FrameHeader;
pub(crate) use newer::{Newer, find_newer};
pub use reader::{Damage, Frames, StoredFrame};
pub use recovery::{Missing, Recovered};
pub use spares::SpareLimits;
pub(crate) use survey::Survey;
pub use tallies::{Count, Tallies};
pub(crate) use varint::{Fields, put_varint};

use crate::{disk::Disk, offset::Offset};
use committer::Committer;
use queue::{Queue, QueueLimits, Waiting};
use spares::Spares;
use writer::Layout;

/// Largest file and frame that positions of 32 bits leave room for.
const BYTES_MAX: u64 = 1 << 30;

/// Where and how a journal is kept.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Its folder; made when it is not there.
    pub folder: PathBuf,
    /// A file is closed at this size (at most 1 GiB).
    pub file_bytes_max: u64,
    /// A file with frames in it is closed at this age.
    pub file_age_max: Duration,
    /// When nothing came for this long, a group header is written alone, so that the last group is vouched for.
    pub mark_delay: Duration,
    /// Longest wait for a group to fill.
    pub commit_delay_max: Duration,
    /// A group is committed at this size.
    pub commit_bytes_max: u64,
    /// Bytes waiting and being committed; more are refused.
    pub queue_bytes_max: u64,
    /// Largest payload with its header (at most 1 GiB).
    pub frame_bytes_max: u64,
    /// How many files that are sealed are kept to be written again.
    pub spares: SpareLimits,
    /// The lowest file number not sealed yet, as the catalog knows it; 1 at the beginning. Lower files are removed.
    pub first_number: u32,
    /// Items accepted and rejected before that file, as the catalog knows it.
    pub opening: Tallies,
    /// A random number for a journal that does not have one yet: with it nobody can make a payload look like records.
    pub salt: u64,
    /// Its thread's name.
    pub thread_name: &'static str,
    /// Whether its commits are shown by the `weir_journal_…` metrics.
    pub is_measured: bool,
    /// So much of a file is allocated in advance.
    pub allocate_bytes_max: u64,
    /// For frames that need more than themselves: recovery copies those beyond the durable mark to a new file.
    pub completing: Option<Completing>,
}

impl JournalOptions {
    /// What a new file takes at once.
    fn allocate_bytes(&self) -> u64 {
        self.file_bytes_max.min(self.allocate_bytes_max).min(BYTES_MAX)
    }

    /// The defaults, for a new journal in `folder`.
    pub fn new(folder: impl Into<PathBuf>, salt: u64) -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            folder: folder.into(),
            file_bytes_max: 64 * MIB,
            file_age_max: Duration::from_secs(10),
            mark_delay: Duration::from_millis(80),
            commit_delay_max: Duration::from_millis(5),
            commit_bytes_max: MIB,
            queue_bytes_max: 128 * MIB,
            frame_bytes_max: 64 * MIB,
            spares: SpareLimits { files_max: 32, window: Duration::from_secs(10) },
            first_number: 1,
            opening: Tallies::default(),
            salt,
            thread_name: "weir-journal",
            is_measured: true,
            allocate_bytes_max: 256 * MIB,
            completing: None,
        }
    }
}

/// What is appended. The attachment is handed to the publisher, not stored.
#[derive(Debug)]
pub struct Entry<A> {
    /// The frame's header.
    pub header: FrameHeader,
    /// Its payload.
    pub payload: Checksummed,
    /// For the publisher.
    pub attachment: A,
}

/// Completes payloads when it is known which file they go to: what they refer to and the file has not had goes before them.
pub(crate) trait Prefaces<A>: Send + 'static {
    /// A group is about to be written to a file. Whether the one before was is told by its frames being published, or not.
    fn begin(&mut self, file: u32);

    /// Completes one of its entries. Those before it in the group are complete, and nobody sees them yet.
    fn complete<'e>(&mut self, entry: &mut Entry<A>, before: impl Iterator<Item = &'e Entry<A>> + Clone)
    where
        A: 'e;
}

/// Payloads that stand alone.
impl<A> Prefaces<A> for () {
    fn begin(&mut self, _: u32) {}

    fn complete<'e>(&mut self, _: &mut Entry<A>, _: impl Iterator<Item = &'e Entry<A>> + Clone)
    where
        A: 'e,
    {
    }
}

/// Makes frames stand alone that are copied out of a file.
pub type Completing = fn(&Arc<JournalFile>, &mut [StoredFrame]);

/// An entry that is durable.
#[derive(Debug)]
pub struct Committed<A> {
    /// Its identity.
    pub offset: Offset,
    /// The file it lies in.
    pub file: Arc<JournalFile>,
    /// Where in the file its payload begins.
    pub payload_position: u32,
    /// What was appended.
    pub entry: Entry<A>,
}

/// Why nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalAppendError {
    /// There is no space; it is tried again with the next append.
    #[error("the journal's disk is full")]
    DiskFull,
    /// Too much is waiting.
    #[error("the journal's queue is full")]
    QueueFull,
    /// Larger than a frame may be.
    #[error("larger than a journal frame may be")]
    TooLarge,
    /// Shut down, or a sync failed: nobody knows whether the entry will be there after a restart.
    #[error("the journal has stopped")]
    Stopped,
}

/// Why a journal does not open. Damaged data is no reason.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be used.
    #[error("cannot use the journal's folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Frames beyond the durable mark cannot be copied.
    #[error("cannot copy recovered frames to {path}: {source}")]
    Copy {
        /// The new file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no thread for the committer.
    #[error("cannot start the journal's thread: {0}")]
    Thread(std::io::Error),
}

/// A journal, open for appending. Dropping it shuts it down.
#[derive(Debug)]
pub struct Journal<A> {
    shared: Arc<Shared<A>>,
    frame_bytes_max: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What appenders, readers and the committer share.
#[derive(Debug)]
struct Shared<A> {
    queue: Queue<A>,
    disk: Disk,
    folder: PathBuf,
    files: Mutex<Vec<Arc<JournalFile>>>,
    spares: Mutex<Spares>,
    failure: watch::Sender<Option<String>>,
    newest_closed: watch::Sender<u32>,
}

impl<A: Send + 'static> Journal<A> {
    /// Recovers what is in the folder and starts to commit. `publish` runs on the committer's thread, after the sync and
    /// before the acks.
    pub fn open(
        options: JournalOptions,
        disk: Disk,
        clock: Clock,
        publish: impl FnMut(Vec<Committed<A>>) + Send + 'static,
    ) -> Result<(Self, Recovered), JournalError> {
        Self::open_with(options, disk, clock, (), publish)
    }

    /// The same for payloads that `prefaces` completes.
    pub(crate) fn open_with(
        options: JournalOptions,
        disk: Disk,
        clock: Clock,
        prefaces: impl Prefaces<A>,
        publish: impl FnMut(Vec<Committed<A>>) + Send + 'static,
    ) -> Result<(Self, Recovered), JournalError> {
        let (recovered, position) = recovery::recover(&options, &disk, clock.now_ns())?;
        let limits = QueueLimits {
            queue_bytes_max: options.queue_bytes_max,
            commit_bytes_max: options.commit_bytes_max.clamp(1, BYTES_MAX),
            commit_delay_max: options.commit_delay_max,
        };
        let newest_closed = recovered.files.iter().rev().find(|file| file.is_closed()).map_or(0, |file| file.number());
        let shared = Arc::new(Shared {
            queue: Queue::new(limits),
            disk: disk.clone(),
            folder: options.folder.clone(),
            files: Mutex::new(recovered.files.clone()),
            spares: Mutex::new(Spares::new(options.spares)),
            failure: watch::Sender::new(None),
            newest_closed: watch::Sender::new(newest_closed),
        });
        let committer = Committer {
            shared: shared.clone(),
            disk,
            clock,
            file_bytes_max: options.file_bytes_max.min(BYTES_MAX),
            allocate_bytes: options.allocate_bytes(),
            file_age_max: options.file_age_max,
            mark_delay: options.mark_delay,
            publish,
            prefaces,
            is_measured: options.is_measured,
            unmarked_since: position.current.as_ref().map(|_| Instant::now()),
            position,
            closing: None,
            retry_at: None,
            layout: Layout::default(),
        };
        let thread = std::thread::Builder::new()
            .name(options.thread_name.to_owned())
            .spawn(move || run_or_fail(committer))
            .map_err(JournalError::Thread)?;
        let frame_bytes_max = options.frame_bytes_max.min(BYTES_MAX);
        Ok((Self { shared, frame_bytes_max, thread: Mutex::new(Some(thread)) }, recovered))
    }

    /// Returns once the entry is fsynced and published. When the caller gives up earlier, the entry is journalled all the same.
    pub async fn append(&self, entry: Entry<A>) -> Result<(), JournalAppendError> {
        self.submit(entry)?.await.unwrap_or(Err(JournalAppendError::Stopped))
    }

    /// The same of an entry that nobody waits for: it waits longer for others to share its sync, unless there are some anyway.
    pub(crate) async fn append_patiently(&self, entry: Entry<A>) -> Result<(), JournalAppendError> {
        self.queued(entry, true)?.await.unwrap_or(Err(JournalAppendError::Stopped))
    }

    /// Takes an entry without waiting; the receiver is told what [`Self::append`] answers.
    pub(crate) fn submit(
        &self,
        entry: Entry<A>,
    ) -> Result<oneshot::Receiver<Result<(), JournalAppendError>>, JournalAppendError> {
        self.queued(entry, false)
    }

    fn queued(
        &self,
        entry: Entry<A>,
        is_patient: bool,
    ) -> Result<oneshot::Receiver<Result<(), JournalAppendError>>, JournalAppendError> {
        if (entry.payload.len() + entry.header.encoded_bytes_max()) as u64 > self.frame_bytes_max {
            return Err(JournalAppendError::TooLarge);
        }
        let (ack, acked) = oneshot::channel();
        self.shared.queue.push(Waiting::new(entry, ack, Instant::now()).patient(is_patient))?;
        Ok(acked)
    }

    /// Closes the current file now, if it holds frames, and returns when that is durable (or the journal has stopped).
    pub async fn roll(&self) {
        let (done, rolled) = oneshot::channel();
        self.shared.queue.request_roll(done);
        let _ = rolled.await;
    }

    /// The files, oldest first; all closed but the last. There is none before the first append.
    pub fn files(&self) -> Vec<Arc<JournalFile>> {
        self.shared.lock_files().clone()
    }

    /// The highest number of a closed file, as it changes.
    pub fn newest_closed(&self) -> watch::Receiver<u32> {
        self.shared.newest_closed.subscribe()
    }

    /// Lets go of the closed files numbered below `first_kept`, oldest first; blocks. Some are kept to be written again, once their
    /// readers have gone; of the others only the name goes, and open readers can go on reading. After an error the rest is
    /// tried again next time.
    pub fn retire(&self, first_kept: u32) -> std::io::Result<()> {
        let is_retired = |file: &&Arc<JournalFile>| file.number() < first_kept && file.is_closed();
        let retired: Vec<_> = self.shared.lock_files().iter().take_while(is_retired).cloned().collect();
        if retired.is_empty() {
            return Ok(());
        }
        let mut room = self.shared.lock_spares().room(Instant::now());
        let mut reusable = Vec::new();
        let mut result = Ok(());
        for file in &retired {
            let is_spare = room > 0;
            let gone = match is_spare {
                true => self.shared.disk.rename(file.path(), &Spares::path_of(file)),
                false => self.shared.disk.unlink(file.path()),
            };
            match gone {
                Ok(()) if is_spare => {
                    room -= 1;
                    reusable.push(file.clone());
                }
                Ok(()) => {}
                // Somebody was faster, by hand.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            self.shared.lock_files().remove(0);
        }
        drop(retired);
        self.shared.disk.sync_folder(&self.shared.folder)?;
        // Not before their former names are gone for good.
        let mut spares = self.shared.lock_spares();
        reusable.into_iter().for_each(|file| spares.add(file));
        result
    }

    /// Completes when the journal had to stop by itself, with the reason: the process must exit.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // The sender lives in `self.shared`.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<A> Journal<A> {
    /// Refuses further appends, commits what waits, writes the mark and ends the thread; blocks.
    pub fn shutdown(&self) {
        self.shared.queue.stop();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.shared.fail("the journal's thread panicked".to_owned());
        }
        self.tidy(true);
    }

    /// Removes spare files that the journal's pace does not call for any more, or all of them where space is short.
    pub(crate) fn tidy(&self, is_space_short: bool) {
        loop {
            let surplus = self.shared.lock_spares().take_surplus(Instant::now(), is_space_short);
            let Some(surplus) = surplus else { return };
            if let Err(error) = self.shared.disk.unlink(&surplus) {
                // The next start tries again.
                tracing::debug!(%error, "cannot remove a spare journal file");
            }
        }
    }
}

impl<A> Drop for Journal<A> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl<A> Shared<A> {
    fn lock_files(&self) -> MutexGuard<'_, Vec<Arc<JournalFile>>> {
        self.files.lock()
    }

    fn lock_spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock()
    }

    fn add_file(&self, file: Arc<JournalFile>) {
        self.lock_files().push(file);
    }

    fn file_closed(&self, number: u32) {
        self.newest_closed.send_replace(number);
    }

    fn fail(&self, reason: String) {
        tracing::error!(reason, "the journal stops");
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(reason);
            }
            first
        });
    }
}

/// A panic must not leave appends that wait for ever.
fn run_or_fail<A, P: FnMut(Vec<Committed<A>>), F: Prefaces<A>>(committer: Committer<A, P, F>) {
    let shared = committer.shared.clone();
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| committer.run())).is_err() {
        shared.fail("the journal's thread panicked".to_owned());
        shared.queue.close();
    }
}

#[cfg(test)]
mod tests;
