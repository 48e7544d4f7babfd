//! A frame's payload: the newest ones in memory within a budget, all of them in the journal.

use std::{collections::VecDeque, sync::Arc};

use arc_swap::ArcSwapOption;
use bytes::Bytes;

use weir_proto::Signal;

use super::file::{HeadFile, Rows};
use crate::{ask::error::ReadError, journal::JournalFile};

/// Where a payload is.
#[derive(Debug)]
pub(crate) struct Payload {
    position: u32,
    len: u32,
    cached: Arc<ArcSwapOption<Bytes>>,
}

impl Payload {
    /// A payload at `position` of its journal file, in memory for now.
    pub(crate) fn cached(position: u32, bytes: Bytes) -> Self {
        let len = bytes.len() as u32;
        let cached = ArcSwapOption::from((!bytes.is_empty()).then(|| Arc::new(bytes)));
        Self { position, len, cached: Arc::new(cached) }
    }

    /// A payload that is only in the journal.
    pub(crate) fn in_journal(position: u32, len: u32) -> Self {
        Self { position, len, cached: Arc::default() }
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.len)
    }

    /// The bytes, from memory or from the journal.
    pub(crate) fn read(&self, journal: &JournalFile) -> Result<Bytes, ReadError> {
        if let Some(bytes) = self.cached.load_full() {
            return Ok(Bytes::clone(&bytes));
        }
        journal
            .read_payload(self.position, self.len)
            .map_err(|source| ReadError::Io { what: format!("journal file {}", journal.number()), source })
    }
}

/// Lets the oldest cached payloads, of whatever signal, go once there are more bytes than the budget.
#[derive(Debug)]
pub(crate) struct PayloadBudget {
    bytes_max: u64,
    bytes: u64,
    oldest_first: VecDeque<CachedPayload>,
    /// Of operations, which stay until their file is sealed: by file.
    names_bytes: VecDeque<(Signal, u32, u64)>,
}

#[derive(Debug)]
struct CachedPayload {
    signal: Signal,
    /// The number of its journal file.
    file: u32,
    len: u32,
    cached: Arc<ArcSwapOption<Bytes>>,
}

impl PayloadBudget {
    /// An empty one.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0, oldest_first: VecDeque::new(), names_bytes: VecDeque::new() }
    }

    /// Counts the payload of frame `frame` of `file`, and the names that it brought.
    pub(crate) fn add<R: Rows>(&mut self, file: &HeadFile<R>, frame: usize) {
        let Some(frame) = file.frame(frame) else { return };
        let Payload { len, cached, .. } = &frame.payload;
        self.bytes += u64::from(*len);
        self.add_names(R::SIGNAL, file.number(), frame.names_bytes());
        let (file, len, cached) = (file.number(), *len, cached.clone());
        self.oldest_first.push_back(CachedPayload { signal: R::SIGNAL, file, len, cached });
        while self.bytes > self.bytes_max
            && let Some(CachedPayload { len, cached, .. }) = self.oldest_first.pop_front()
        {
            self.bytes -= u64::from(len);
            cached.store(None);
        }
    }

    /// Counts the names of files that were read again, oldest first; none of their payloads is in memory.
    pub(crate) fn add_all_replayed<R: Rows>(&mut self, files: &[Arc<HeadFile<R>>]) {
        for file in files {
            let names_bytes = file.frames(file.end()).map(|frame| frame.names_bytes()).sum();
            self.add_names(R::SIGNAL, file.number(), names_bytes);
        }
    }

    fn add_names(&mut self, signal: Signal, file: u32, names_bytes: u64) {
        self.bytes += names_bytes;
        match self.names_bytes.back_mut() {
            Some((last_signal, last, bytes)) if (*last_signal, *last) == (signal, file) => *bytes += names_bytes,
            _ if names_bytes == 0 => {}
            _ => self.names_bytes.push_back((signal, file, names_bytes)),
        }
    }

    /// Forgets a signal's files numbered below `first_kept`, which were sealed.
    pub(crate) fn forget_before(&mut self, signal: Signal, first_kept: u32) {
        let bytes = &mut self.bytes;
        self.oldest_first.retain(|payload| {
            let is_kept = payload.signal != signal || payload.file >= first_kept;
            *bytes -= if is_kept { 0 } else { u64::from(payload.len) };
            is_kept
        });
        self.names_bytes.retain(|&(of, file, names_bytes)| {
            let is_kept = of != signal || file >= first_kept;
            *bytes -= if is_kept { 0 } else { names_bytes };
            is_kept
        });
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
