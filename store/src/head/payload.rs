//! A frame's payload: the newest ones in memory within a budget, all of them in the journal.

use std::{collections::VecDeque, sync::Arc};

use arc_swap::ArcSwapOption;
use bytes::Bytes;

use super::file::HeadFile;
use crate::{ReadError, journal::JournalFile};

/// Where a payload is.
#[derive(Debug)]
pub(crate) struct Payload {
    position: u32,
    len: u32,
    cached: ArcSwapOption<Bytes>,
}

impl Payload {
    /// A payload at `position` of its journal file, in memory for now.
    pub(crate) fn cached(position: u32, bytes: Bytes) -> Self {
        let len = bytes.len() as u32;
        let cached = ArcSwapOption::from((!bytes.is_empty()).then(|| Arc::new(bytes)));
        Self { position, len, cached }
    }

    /// A payload that is only in the journal.
    pub(crate) fn in_journal(position: u32, len: u32) -> Self {
        Self { position, len, cached: ArcSwapOption::empty() }
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

/// Lets the oldest cached payloads go once there are more bytes than the budget.
#[derive(Debug)]
pub(crate) struct PayloadBudget {
    bytes_max: u64,
    bytes: u64,
    oldest_first: VecDeque<(Arc<HeadFile>, usize, u32)>,
    /// Of operations, which stay until their file is sealed: by file.
    names_bytes: VecDeque<(u32, u64)>,
}

impl PayloadBudget {
    /// An empty one.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0, oldest_first: VecDeque::new(), names_bytes: VecDeque::new() }
    }

    /// Counts the payload of frame `frame` of `file`, and the names that it brought.
    pub(crate) fn add(&mut self, file: &Arc<HeadFile>, frame: usize) {
        let Some((len, names_bytes)) = file.frame(frame).map(|frame| (frame.payload.len, frame.names_bytes)) else {
            return;
        };
        self.bytes += u64::from(len);
        self.add_names(file.number(), names_bytes);
        self.oldest_first.push_back((file.clone(), frame, len));
        while self.bytes > self.bytes_max
            && let Some((file, frame, len)) = self.oldest_first.pop_front()
        {
            self.bytes -= u64::from(len);
            if let Some(frame) = file.frame(frame) {
                frame.payload.cached.store(None);
            }
        }
    }

    /// Counts the names of files that were read again, oldest first; none of their payloads is in memory.
    pub(crate) fn add_all_replayed(&mut self, files: &[Arc<HeadFile>]) {
        for file in files {
            self.add_names(file.number(), file.frames(file.end()).map(|frame| frame.names_bytes).sum());
        }
    }

    fn add_names(&mut self, file: u32, names_bytes: u64) {
        self.bytes += names_bytes;
        match self.names_bytes.back_mut() {
            Some((last, bytes)) if *last == file => *bytes += names_bytes,
            _ => self.names_bytes.push_back((file, names_bytes)),
        }
    }

    /// Forgets the files numbered below `first_kept`, which were sealed.
    pub(crate) fn forget_before(&mut self, first_kept: u32) {
        while let Some((file, _, len)) = self.oldest_first.front()
            && file.number() < first_kept
        {
            self.bytes -= u64::from(*len);
            self.oldest_first.pop_front();
        }
        while let Some(&(file, bytes)) = self.names_bytes.front()
            && file < first_kept
        {
            self.bytes -= bytes;
            self.names_bytes.pop_front();
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
