//! A file that is read, or was: how far, and by what it is known again.

use std::{io, path::PathBuf, time::Duration};

use super::{
    content::{Content, Stamp},
    cursor::FileCursor,
    labels::Labels,
    mark::{Mark, TAIL_BYTES},
};

/// Pause before a file is tried again that could not be read; doubled each time, as long as it does not change.
const RETRY_NS: u64 = 2_000_000_000;

/// So many times.
const RETRY_DOUBLED_MAX: u32 = 7;

/// Bytes that are decompressed at once to pass over them.
const SKIPPED_BYTES: usize = 64 << 10;

/// So many zeros are no text in any encoding.
const ZEROS: [u8; 8] = [0; 8];

/// Of a file of zeros so many MiB are looked through at once.
const ZERO_READS_MAX: usize = 64;

/// A file that is known.
pub(super) struct Tracked {
    /// Its number in the journal.
    pub(super) id: u64,
    /// Where it is, or was.
    pub(super) path: PathBuf,
    /// Where it was found first: joined lines go on there in the file after it.
    pub(super) stream: PathBuf,
    pub(super) labels: Labels,
    /// How it stood when it was looked at last.
    pub(super) stamp: Stamp,
    /// Whether its inode is another file's now, or nobody's.
    pub(super) is_lost: bool,
    pub(super) is_gzip: bool,
    pub(super) content: Option<Content>,
    /// Of its first bytes.
    pub(super) beginning: Mark,
    /// Where the next line begins.
    pub(super) offset: u64,
    /// The bytes before that; `None` when only their hash is known.
    pub(super) tail: Option<Vec<u8>>,
    pub(super) tail_mark: Mark,
    pub(super) records: u64,
    /// When it was seen to grow last.
    pub(super) grown_at_ns: u64,
    /// Since when nothing leads to it.
    pub(super) gone_since_ns: Option<u64>,
    /// Whether all that was there when it was looked at last is read, but for a line without an end.
    pub(super) is_read: bool,
    /// Whether what gzip made ends with a line without an end, which is not taken yet: its stamp does not tell.
    pub(super) has_rest: bool,
    /// Whether the offset is in a line of which the rest is passed over.
    pub(super) is_passing: bool,
    /// Lines that wait, as the journal knows.
    pub(super) open: Vec<(u64, u64)>,
    /// Whether the journal does not know yet where it stands.
    pub(super) is_dirty: bool,
    /// Whether the journal was told of it though nothing of it could be taken yet.
    pub(super) is_told_of: bool,
    /// Whether lines of it are read that the journal does not have yet: where it stands is told with those.
    pub(super) has_lines: bool,
    /// It may be the copy of this one, so much of which was compared: not read for now.
    pub(super) copy_of: Option<(u64, u64)>,
    /// Not read before: the last attempt failed.
    pub(super) retry_at_ns: u64,
    /// Attempts that failed since it was read, or has changed.
    pub(super) failures: u32,
    /// Whether the last attempt to open or read it failed.
    pub(super) is_failing: bool,
    /// A pattern, or what became of a file that one led to, leads to it.
    pub(super) is_wanted: bool,
    /// From the offset up to here there are only zeros: space that nobody has written to yet.
    pub(super) zeros_until: u64,
    /// How far it went when it was looked at last, and the bytes before that, as long as nothing is read of it.
    pub(super) unread: Option<(u64, Mark)>,
    /// Whether it has to be found out, by the next look, if it has still what was read of it.
    pub(super) is_doubtful: bool,
    /// The look that it was seen in last.
    pub(super) seen_in: u64,
    /// Whether nothing could be read of it yet.
    is_empty: bool,
}

impl Tracked {
    /// One that nobody knew before.
    pub(super) fn new(id: u64, path: PathBuf, stamp: Stamp, is_gzip: bool, labels: Labels, now_ns: u64) -> Self {
        Self {
            id,
            stream: path.clone(),
            path,
            labels,
            stamp,
            is_lost: false,
            is_gzip,
            content: None,
            beginning: Mark::default(),
            offset: 0,
            tail: Some(Vec::new()),
            tail_mark: Mark::of(b""),
            records: 0,
            grown_at_ns: now_ns,
            gone_since_ns: None,
            is_read: false,
            has_rest: false,
            is_passing: false,
            open: Vec::new(),
            is_dirty: false,
            has_lines: false,
            is_told_of: false,
            copy_of: None,
            retry_at_ns: 0,
            failures: 0,
            is_failing: false,
            is_wanted: true,
            zeros_until: 0,
            unread: None,
            is_doubtful: false,
            seen_in: 0,
            is_empty: true,
        }
    }

    /// One that the journal knows.
    pub(super) fn of_cursor(id: u64, cursor: FileCursor, now_ns: u64) -> Self {
        let FileCursor { device, inode, is_lost, is_gzip, is_passing, beginning, offset, tail, .. } = cursor;
        let FileCursor { modified_ns, records, path, stream, open, .. } = cursor;
        let stamp = Stamp { device, inode, bytes: offset, modified_ns, links: 1 };
        Self {
            is_empty: offset == 0 && beginning.bytes == 0,
            is_lost,
            stream,
            beginning,
            offset,
            tail: None,
            tail_mark: tail,
            records,
            is_passing,
            open,
            gone_since_ns: Some(now_ns),
            is_read: true,
            is_wanted: false,
            ..Self::new(id, path, stamp, is_gzip, Labels::default(), now_ns)
        }
    }

    /// As the journal is told.
    pub(super) fn cursor(&self) -> FileCursor {
        FileCursor {
            device: self.stamp.device,
            inode: self.stamp.inode,
            is_lost: self.is_lost,
            is_gzip: self.is_gzip,
            is_passing: self.is_passing,
            beginning: self.beginning,
            offset: self.offset,
            tail: self.tail_mark(),
            modified_ns: self.stamp.modified_ns,
            records: self.records,
            path: self.path.clone(),
            stream: self.stream.clone(),
            open: self.open.clone(),
        }
    }

    /// So many bytes at most, but for long lists of what is open.
    pub(super) fn cursor_bytes_max(&self) -> usize {
        200 + self.path.as_os_str().len() + self.stream.as_os_str().len() + 20 * self.open.len()
    }

    /// Of the bytes before the next line.
    pub(super) fn tail_mark(&self) -> Mark {
        self.tail.as_deref().map_or(self.tail_mark, Mark::of)
    }

    /// Takes note of bytes that were read up to the next line.
    pub(super) fn advance(&mut self, read: &[u8], next_offset: u64) {
        self.offset = next_offset;
        let most = TAIL_BYTES as usize;
        match &mut self.tail {
            Some(tail) if read.len() < most => {
                tail.extend_from_slice(read);
                let surplus = tail.len().saturating_sub(most);
                tail.drain(..surplus);
            }
            tail => {
                // What is known of the bytes before by their hash alone is known no more: these are enough, or all.
                *tail = Some(read[read.len().saturating_sub(most)..].to_vec());
            }
        }
        self.is_dirty = true;
        self.has_lines = true;
    }

    /// Whether a content is what was read, as far as that went: on disk now, or in what was made of it.
    pub(super) fn is_unchanged(&self, content: &mut Content, stamp: &Stamp) -> io::Result<bool> {
        if !content.is_gzip() && stamp.bytes < self.offset {
            return Ok(false);
        }
        if !self.beginning.is_at(content, 0)? {
            return Ok(false);
        }
        if self.offset == 0
            && let Some((end, mark)) = self.unread
            && !mark.is_at(content, end.saturating_sub(u64::from(mark.bytes)))?
        {
            return Ok(false);
        }
        let tail = self.tail_mark();
        tail.is_at(content, self.offset.saturating_sub(u64::from(tail.bytes)))
    }

    /// Whether it has no longer what was read of it.
    pub(super) fn is_cut(&self, content: &mut Content) -> io::Result<bool> {
        let stamp = content.stamp()?;
        Ok(!self.is_unchanged(content, &stamp)?)
    }

    /// Extends what is known of its beginning.
    pub(super) fn learn_beginning(&mut self, content: &mut Content, bytes_max: u64) -> io::Result<()> {
        if u64::from(self.beginning.bytes) < bytes_max {
            let mut first = vec![0; bytes_max as usize];
            let read = content.read(0, &mut first)?;
            self.is_empty &= read == 0;
            // Space that is not written to yet is no beginning.
            let written = first[..read].windows(ZEROS.len()).position(|some| some == ZEROS).unwrap_or(read);
            let beginning = Mark::of(&first[..written]);
            if beginning.bytes > self.beginning.bytes {
                self.beginning = beginning;
                self.is_dirty |= self.offset > 0;
            }
        }
        Ok(())
    }

    /// Takes note of what it ends with, if nothing is read of it: it may be cut before anything is, and begin with the same again.
    pub(super) fn learn_unread(&mut self, content: &mut Content, stamp: &Stamp) -> io::Result<()> {
        self.unread = None;
        if self.offset > 0 || content.is_gzip() {
            return Ok(());
        }
        let begin = stamp.bytes.saturating_sub(TAIL_BYTES);
        let mut last = vec![0; (stamp.bytes - begin) as usize];
        let read = content.read(begin, &mut last)?;
        // Space that is not written to yet will be another.
        if read == last.len() && !last.contains(&0) {
            self.unread = Some((stamp.bytes, Mark::of(&last)));
        }
        Ok(())
    }

    /// Whether nothing was there yet that tells what it is: it may become a file of its own, a copy, or a compressed one.
    pub(super) fn is_blank(&self) -> bool {
        self.is_empty && self.offset == 0 && self.copy_of.is_none() && !self.is_lost
    }

    /// It is no longer where it was written. Were the journal to hear of what came there after it and not of this, a start would take this
    /// for older than all that was read.
    pub(super) fn has_left(&mut self) {
        self.is_dirty |= !self.is_blank() && self.copy_of.is_none();
    }

    /// Whether there is more to read.
    pub(super) fn has_more(&self) -> bool {
        if self.is_gzip { !self.is_read || self.has_rest } else { self.stamp.bytes > self.offset }
    }

    /// Whether a turn would find anything in it.
    pub(super) fn has_turn(&self, now_ns: u64, period: Duration) -> bool {
        let is_empty_space = self.zeros_until > 0 && self.zeros_until >= self.stamp.bytes;
        self.is_wanted
            && now_ns >= self.retry_at_ns
            && self.copy_of.is_none()
            && !self.is_lost
            && !self.is_doubtful
            && !(self.is_gzip && self.is_blank())
            && self.has_more()
            && !is_empty_space
            && (!self.is_read || self.is_overdue(now_ns, period))
    }

    /// It could not be opened or read: it is tried again in a while.
    pub(super) fn fail(&mut self, now_ns: u64) {
        // What nothing leads to any more could not be opened again.
        if self.gone_since_ns.is_none() || self.failures == RETRY_DOUBLED_MAX {
            self.content = None;
        }
        self.is_failing = true;
        self.retry_at_ns = now_ns + (RETRY_NS << self.failures);
        self.failures = (self.failures + 1).min(RETRY_DOUBLED_MAX);
    }

    /// Whether a line without an end has waited long enough.
    pub(super) fn is_overdue(&self, now_ns: u64, period: Duration) -> bool {
        !period.is_zero() && now_ns.saturating_sub(self.grown_at_ns) >= period.as_nanos() as u64
    }

    /// Passes over zeros that `bytes`, read from the offset on, begin with, if anything was written behind them; answers whether.
    pub(super) fn past_zeros(&mut self, content: &mut Content, bytes: &[u8]) -> io::Result<bool> {
        let written = |bytes: &[u8]| bytes.iter().position(|byte| *byte != 0);
        if let Some(zeros) = written(bytes) {
            self.advance(&bytes[..zeros], self.offset + zeros as u64);
            return Ok(true);
        }
        let mut at = self.zeros_until.max(self.offset + bytes.len() as u64);
        let mut buffer = vec![0; 1 << 20];
        for _ in 0..ZERO_READS_MAX {
            at = content.written_from(at);
            let read = content.read(at, &mut buffer)?;
            if let Some(zeros) = written(&buffer[..read]) {
                let next = at + zeros as u64;
                let tail = vec![0; TAIL_BYTES.min(next - self.offset) as usize];
                self.advance(&tail, next);
                self.zeros_until = 0;
                return Ok(true);
            }
            at += read as u64;
            if read == 0 {
                self.is_read = true;
                break;
            }
        }
        self.zeros_until = at;
        Ok(false)
    }

    /// Begins behind everything that is there.
    pub(super) fn skip_to_end(&mut self, content: &mut Content) -> io::Result<()> {
        let mut end = self.stamp.bytes;
        if self.is_gzip {
            let mut buffer = vec![0; SKIPPED_BYTES];
            end = 0;
            loop {
                match content.read(end, &mut buffer)? {
                    0 => break,
                    read => end += read as u64,
                }
            }
        }
        let begin = end.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; (end - begin) as usize];
        let read = content.read(begin, &mut tail)?;
        tail.truncate(read);
        self.tail = Some(tail);
        self.offset = begin + read as u64;
        Ok(())
    }
}
