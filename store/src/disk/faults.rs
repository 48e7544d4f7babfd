//! The checked-in switches that leave out or fail the nth sync, take away space, and kill at a step. Release builds ignore them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

/// Leaves out the nth sync (counted from 1) of the process.
const SKIP_SYNC_ENV: &str = "WEIR_FAULT_SKIP_SYNC";
/// Makes the nth sync return EIO.
const FAIL_SYNC_ENV: &str = "WEIR_FAULT_FAIL_SYNC";
/// Kills the process (SIGKILL) when it comes to the step of this name.
const KILL_AT_ENV: &str = "WEIR_FAULT_KILL_AT";

/// Counts syncs, and injects what a test asks for. All counts begin at 1; 0 is never.
#[derive(Debug)]
pub struct Faults {
    syncs: AtomicU64,
    skip_sync: AtomicU64,
    fail_sync: AtomicU64,
    space_bytes: AtomicU64,
    kill_at: Option<String>,
    skipped: Mutex<Option<PathBuf>>,
    /// Of all syncs, in their order.
    #[cfg(test)]
    paths: Mutex<Vec<PathBuf>>,
}

/// What to do about a sync.
#[derive(Debug, PartialEq, Eq)]
pub enum SyncVerdict {
    /// Do it.
    Sync,
    /// Leave it out and say nothing.
    Skip,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            syncs: AtomicU64::new(0),
            skip_sync: AtomicU64::new(0),
            fail_sync: AtomicU64::new(0),
            space_bytes: AtomicU64::new(u64::MAX),
            kill_at: None,
            skipped: Mutex::default(),
            #[cfg(test)]
            paths: Mutex::default(),
        }
    }
}

impl Faults {
    /// The faults that `WEIR_FAULT_SKIP_SYNC=n`, `WEIR_FAULT_FAIL_SYNC=n` and `WEIR_FAULT_KILL_AT=step` ask for.
    pub fn from_env() -> Self {
        let mut faults = Self::default();
        if cfg!(debug_assertions) {
            let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            faults.skip_sync(number(SKIP_SYNC_ENV));
            faults.fail_sync(number(FAIL_SYNC_ENV));
            faults.kill_at = std::env::var(KILL_AT_ENV).ok();
        }
        faults
    }

    /// A step of some work is done; the process dies here when that was asked for, as by `kill -9`.
    pub(crate) fn reached(&self, step: &str) {
        if cfg!(debug_assertions) && self.kill_at.as_deref() == Some(step) {
            eprintln!("weir fault: killed at the step `{step}`");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // Nothing more is done until the signal is there.
            loop {
                std::thread::park();
            }
        }
    }

    /// Syncs asked for so far, left-out ones included.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Relaxed)
    }

    /// Leaves out the nth sync.
    pub fn skip_sync(&self, nth: u64) {
        self.skip_sync.store(nth, Relaxed);
    }

    /// What was not synced because of [`Self::skip_sync`].
    pub fn skipped(&self) -> Option<PathBuf> {
        self.skipped.lock().clone()
    }

    /// What was to be synced so far.
    #[cfg(test)]
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.paths.lock().clone()
    }

    /// Makes the nth sync fail with EIO.
    pub fn fail_sync(&self, nth: u64) {
        self.fail_sync.store(nth, Relaxed);
    }

    /// Space left for further writes and files, in bytes; `u64::MAX` for no limit.
    pub fn set_space_bytes(&self, bytes: u64) {
        self.space_bytes.store(bytes, Relaxed);
    }

    /// Counts a sync and says what becomes of it.
    pub(super) fn before_sync(&self, path: &Path) -> io::Result<SyncVerdict> {
        let nth = self.syncs.fetch_add(1, Relaxed) + 1;
        if !cfg!(any(test, debug_assertions)) {
            return Ok(SyncVerdict::Sync);
        }
        #[cfg(test)]
        self.paths.lock().push(path.to_owned());
        if nth == self.skip_sync.load(Relaxed) {
            eprintln!("weir fault: sync {nth} left out ({})", path.display());
            *self.skipped.lock() = Some(path.to_owned());
            return Ok(SyncVerdict::Skip);
        }
        if nth == self.fail_sync.load(Relaxed) {
            eprintln!("weir fault: sync {nth} failed ({})", path.display());
            return Err(rustix::io::Errno::IO.into());
        }
        Ok(SyncVerdict::Sync)
    }

    /// How many of `bytes` may still be written; takes them from the space left.
    pub(super) fn before_write(&self, bytes: usize) -> usize {
        if !cfg!(any(test, debug_assertions)) {
            return bytes;
        }
        let left = self.space_bytes.load(Relaxed);
        if left == u64::MAX {
            return bytes;
        }
        let allowed = left.min(bytes as u64);
        self.space_bytes.store(left - allowed, Relaxed);
        allowed as usize
    }

    /// What is left of `bytes` free on the disk.
    pub(super) fn free_bytes(&self, bytes: u64) -> u64 {
        match cfg!(any(test, debug_assertions)) {
            true => bytes.min(self.space_bytes.load(Relaxed)),
            false => bytes,
        }
    }

    /// ENOSPC when there is no space for a new file or a reservation.
    pub(super) fn before_growth(&self) -> io::Result<()> {
        if cfg!(any(test, debug_assertions)) && self.space_bytes.load(Relaxed) == 0 {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        Ok(())
    }
}
