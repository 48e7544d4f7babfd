//! Sealed files that will be written again. Their blocks and pages are there already: a group that overwrites them leaves the file
//! system nothing to allocate and a sync no metadata to write. What lies in them never passes for the new file's records, as
//! checksums cover a file's number.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::file::JournalFile;

/// Behind the name that a file had.
pub(super) const SPARE_SUFFIX: &str = ".spare";

/// How many files are kept.
#[derive(Debug, Clone, Copy)]
pub struct SpareLimits {
    /// At most so many.
    pub files_max: usize,
    /// And no more than were begun within this time: an idle journal keeps none.
    pub window: Duration,
}

/// Files that wait for it, oldest first.
#[derive(Debug)]
pub(super) struct Spares {
    limits: SpareLimits,
    files: VecDeque<Spare>,
    /// When the newest files were begun.
    begun: VecDeque<Instant>,
}

/// Its name is durable, or was never made so: either way recovery removes it.
#[derive(Debug)]
struct Spare {
    path: PathBuf,
    /// Readers of its former life are among those who hold it.
    former: Arc<JournalFile>,
}

impl Spares {
    /// None yet.
    pub(super) fn new(limits: SpareLimits) -> Self {
        Self { limits, files: VecDeque::new(), begun: VecDeque::new() }
    }

    /// A file is begun.
    pub(super) fn count_begun(&mut self, now: Instant) {
        self.begun.push_back(now);
        if self.begun.len() > self.limits.files_max {
            self.begun.pop_front();
        }
    }

    /// How many may be added.
    pub(super) fn room(&self, now: Instant) -> usize {
        self.wanted(now).saturating_sub(self.files.len())
    }

    /// The name of one too many, or of any.
    pub(super) fn take_surplus(&mut self, now: Instant, is_any_too_many: bool) -> Option<PathBuf> {
        let is_surplus = is_any_too_many || self.files.len() > self.wanted(now);
        if is_surplus { self.files.pop_front().map(|spare| spare.path) } else { None }
    }

    fn wanted(&self, now: Instant) -> usize {
        let is_recent = |begun: &&Instant| now.saturating_duration_since(**begun) <= self.limits.window;
        self.begun.iter().rev().take_while(is_recent).count()
    }

    /// The name that a file is to wait under.
    pub(super) fn path_of(file: &JournalFile) -> PathBuf {
        let mut name = file.path().as_os_str().to_owned();
        name.push(SPARE_SUFFIX);
        name.into()
    }

    /// Adds a file that has been renamed to [`Self::path_of`] it.
    pub(super) fn add(&mut self, former: Arc<JournalFile>) {
        self.files.push_back(Spare { path: Self::path_of(&former), former });
    }

    /// The name of the oldest file that nobody reads any more.
    pub(super) fn take(&mut self) -> Option<PathBuf> {
        let index = self.files.iter_mut().position(|spare| Arc::get_mut(&mut spare.former).is_some())?;
        self.files.remove(index).map(|spare| spare.path)
    }
}

/// Whether a file in the journal's folder is one of them.
pub(super) fn is_spare(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == &SPARE_SUFFIX[1..])
}
