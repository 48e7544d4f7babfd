//! What a query may still take.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Options, QueryError};

/// Says when a query has to end before its time.
pub(crate) trait Stop: Sync {
    /// Why, when it has to.
    fn reason(&self) -> Option<QueryError>;
}

/// Nothing ends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unstopped;

impl Stop for Unstopped {
    fn reason(&self) -> Option<QueryError> {
        None
    }
}

/// Counts what a query takes. Several threads share it.
pub(crate) struct Budget<'a> {
    samples: AtomicU64,
    samples_max: u64,
    read: AtomicU64,
    looked_at: AtomicU64,
    bytes: AtomicU64,
    bytes_max: u64,
    stop: &'a dyn Stop,
}

impl<'a> Budget<'a> {
    pub(super) fn new(options: &Options, stop: &'a dyn Stop) -> Self {
        Self {
            samples: AtomicU64::new(0),
            samples_max: options.samples_max,
            read: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_max: options.bytes_max,
            stop,
        }
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Relaxed)
    }

    /// Samples that were read from the source, each once for a selector.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Samples that were looked at, each as often as a step wanted it.
    pub(super) fn looked_at(&self) -> u64 {
        self.looked_at.load(Relaxed)
    }

    /// A series' samples were read, and looked at so often.
    pub(super) fn note_read(&self, read: u64, looked_at: u64) {
        self.read.fetch_add(read, Relaxed);
        self.looked_at.fetch_add(looked_at, Relaxed);
    }

    /// Whether to go on.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        self.stop.reason().map_or(Ok(()), Err)
    }

    /// Selectors gave so many samples more.
    pub(super) fn take_samples(&self, count: u64) -> Result<(), QueryError> {
        let total = self.samples.fetch_add(count, Relaxed) + count;
        if total > self.samples_max { Err(QueryError::TooManySamples) } else { Ok(()) }
    }

    /// So many bytes more are held.
    pub(super) fn hold(&self, bytes: u64) -> Result<(), QueryError> {
        let total = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        if total > self.bytes_max { Err(QueryError::TooMuchMemory(self.bytes_max)) } else { Ok(()) }
    }

    /// So many bytes are held no longer.
    pub(super) fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}
