//! Reads a journal file from front to back: by pread, past damage, each checksum looked at once.

use std::{fs::File, ops::Range, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;

use super::{
    checksummed::checksum,
    file::JournalFile,
    frame::FrameHeader,
    group::GroupHeader,
    record::{self, ALIGN_BYTES, FIXED_BYTES, Fixed, Kind, Site},
    tallies::Tallies,
};
use crate::offset::Offset;

/// Bytes of one pread at least: many small frames, or the header of a large one, whose payload is then read by itself. So one
/// frame's memory is held at a time, not megabytes of neighbours.
const CHUNK_BYTES: usize = if cfg!(test) { 4 << 10 } else { 32 << 10 };
/// What a bad sector takes with it.
const PAGE_BYTES: usize = 4096;

/// A frame as it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// Its identity.
    pub offset: Offset,
    /// Its header.
    pub header: FrameHeader,
    /// Its payload, checked. It shares a chunk of memory with its neighbours: copy what is kept for long.
    pub payload: Bytes,
    /// Where the payload begins in the file.
    pub payload_position: u32,
    /// The group commit that it belongs to, within its file.
    pub group: u32,
}

/// A stretch of a file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal file {file}: bytes {} to {} are damaged: {what}", range.start, range.end)]
pub struct Damage {
    /// The file's number.
    pub file: u32,
    /// The bytes.
    pub range: Range<u32>,
    /// What was wrong first.
    pub what: &'static str,
    /// The frame's header, when only the payload is bad.
    pub header: Option<FrameHeader>,
    /// The version, when nothing is wrong but that a newer Weir wrote it.
    pub newer: Option<u8>,
}

/// The durable frames of a file, in order. Counts what it has seen, so that at the end the rest of what the file should
/// hold is known to be damaged.
#[derive(Debug)]
pub struct Frames {
    file: Arc<JournalFile>,
    cursor: Cursor,
    intact: Tallies,
}

impl Frames {
    pub(super) fn new(file: Arc<JournalFile>, start: u32, end: u32) -> Self {
        Self { cursor: Cursor::new(start, u64::from(end)), file, intact: Tallies::default() }
    }

    /// The items of the frames returned so far.
    pub fn intact(&self) -> &Tallies {
        &self.intact
    }

    /// Goes on at a byte position further on at which a frame begins, and returns it.
    pub(crate) fn at(&mut self, position: u32) -> Option<Result<StoredFrame, Damage>> {
        self.cursor.position = u64::from(position).max(self.cursor.position);
        self.next()
    }

    /// After the last frame of a closed file: acknowledged items that were not found.
    pub fn damaged(&self) -> Tallies {
        self.file.expected().map_or_else(Tallies::default, |expected| expected.since(&self.intact))
    }
}

impl Iterator for Frames {
    type Item = Result<StoredFrame, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = SaltedFile { file: self.file.file(), salt: self.file.salt(), number: self.file.number() };
        loop {
            match self.cursor.next(place)? {
                Record::Group { .. } => {}
                Record::Frame { frame, .. } => {
                    self.intact.add_frame(&frame.header);
                    return Some(Ok(frame));
                }
                Record::Damaged(damage) => return Some(Err(damage)),
            }
        }
    }
}

/// What lies in a file.
#[derive(Debug)]
pub(super) enum Record {
    Group { position: u32, end: u32, header: GroupHeader },
    Frame { frame: StoredFrame, end: u32 },
    Damaged(Damage),
}

/// All records of a file, for recovery: group headers too.
pub(super) struct Records<'a> {
    place: SaltedFile<'a>,
    cursor: Cursor,
}

impl<'a> Records<'a> {
    pub(super) fn new(file: &'a File, salt: u64, number: u32, start: u32, limit: u64) -> Self {
        Self { place: SaltedFile { file, salt, number }, cursor: Cursor::new(start, limit) }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.cursor.next(self.place)
    }
}

#[derive(Clone, Copy)]
struct SaltedFile<'a> {
    file: &'a File,
    salt: u64,
    number: u32,
}

/// Where the reading stands.
#[derive(Debug)]
struct Cursor {
    position: u64,
    limit: u64,
    /// The highest group so far: lower ones are left over from a failed attempt.
    group: u32,
    chunk: Bytes,
    chunk_at: u64,
}

impl Cursor {
    fn new(start: u32, limit: u64) -> Self {
        let limit = limit.min(u64::from(u32::MAX));
        Self { position: u64::from(start), limit, group: 0, chunk: Bytes::new(), chunk_at: 0 }
    }

    fn next(&mut self, place: SaltedFile<'_>) -> Option<Record> {
        if self.position >= self.limit {
            return None;
        }
        let what = match self.record_at(place, self.position) {
            Ok((record, end)) => {
                self.position = end;
                return Some(record);
            }
            Err(what) => what,
        };
        let start = self.position;
        self.position = self.next_record(place, start);
        let range = start as u32..self.position as u32;
        Some(Record::Damaged(Damage { file: place.number, range, what, header: None, newer: None }))
    }

    /// The record at a position and where the next begins, or what is wrong with it.
    fn record_at(&mut self, place: SaltedFile<'_>, position: u64) -> Result<(Record, u64), &'static str> {
        let left = self.limit - position;
        if left < FIXED_BYTES as u64 {
            return Err("too short for a record");
        }
        let start = self.fetch(place.file, position, FIXED_BYTES);
        let (fixed, crc) = Fixed::decode(&start, place.salt).ok_or("no record begins here")?;
        if fixed.header_bytes() + u64::from(fixed.payload_bytes) > left {
            return Err("the record reaches past the end");
        }
        let header = self.fetch(place.file, position, fixed.header_bytes() as usize);
        let site = Site { salt: place.salt, file: place.number, position: position as u32 };
        if record::header_crc(&header, site) != crc {
            return Err("the header's checksum is wrong");
        }
        if fixed.group < self.group {
            return Err("left over from a failed write");
        }
        let end = position + fixed.record_bytes();
        if fixed.version > record::VERSION {
            let range = position as u32..end as u32;
            let (what, newer) = ("a newer weir wrote it", Some(fixed.version));
            return Ok((Record::Damaged(Damage { file: place.number, range, what, header: None, newer }), end));
        }
        let record = match fixed.kind {
            Kind::Group => group_record(&header, true, position, end)?,
            Kind::Changes => group_record(&header, false, position, end)?,
            Kind::Frame => self.frame_record(place, position, &fixed, &header, site)?,
        };
        self.group = fixed.group;
        Ok((record, end))
    }

    fn frame_record(
        &mut self,
        place: SaltedFile<'_>,
        position: u64,
        fixed: &Fixed,
        header: &[u8],
        site: Site,
    ) -> Result<Record, &'static str> {
        let header = FrameHeader::decode(&header[FIXED_BYTES..]).ok_or("the frame's header makes no sense")?;
        let payload_position = position + fixed.header_bytes();
        let end = (position + fixed.record_bytes()) as u32;
        let payload = self.fetch(place.file, payload_position, fixed.payload_bytes as usize);
        if site.extend_crc(checksum(&payload)) != fixed.payload_crc {
            let range = position as u32..end;
            let what = "the payload's checksum is wrong";
            return Ok(Record::Damaged(Damage { file: place.number, range, what, header: Some(header), newer: None }));
        }
        let offset = Offset::new(place.number, position as u32);
        let payload_position = payload_position as u32;
        let frame = StoredFrame { offset, header, payload, payload_position, group: fixed.group };
        Ok(Record::Frame { frame, end })
    }

    /// Where the first sound record header after `damaged` is; the limit when there is none.
    fn next_record(&mut self, place: SaltedFile<'_>, damaged: u64) -> u64 {
        let align = u64::from(ALIGN_BYTES);
        let salt = place.salt.to_le_bytes();
        let finder = memchr::memmem::Finder::new(&salt);
        let mut position = damaged + align;
        while position < self.limit {
            let window = self.fetch(place.file, position, ALIGN_BYTES as usize);
            // All that the chunk holds from here on.
            let from = (position - self.chunk_at) as usize;
            let chunk = self.chunk.slice(from.min(self.chunk.len())..);
            drop(window);
            let mut searched = 0;
            while let Some(found) = finder.find(&chunk[searched..]) {
                let candidate = position + (searched + found) as u64;
                if candidate.is_multiple_of(align) && candidate < self.limit && self.is_header(place, candidate) {
                    return candidate;
                }
                searched += found + 1;
            }
            // The chunk may end within a salt: what begins in its last bytes is looked at again with the next one.
            let searched_to = (position + chunk.len() as u64).saturating_sub(align - 1) / align * align;
            position = searched_to.max(position + align);
        }
        self.limit
    }

    /// Whether a sound header begins at `position`. A file that is written again is full of those of its former life: most are
    /// told by the bytes in the chunk.
    fn is_header(&self, place: SaltedFile<'_>, position: u64) -> bool {
        let start = self.peek(place.file, position, FIXED_BYTES);
        let Some((fixed, crc)) = Fixed::decode(&start, place.salt) else { return false };
        if fixed.header_bytes() + u64::from(fixed.payload_bytes) > self.limit - position || fixed.group < self.group {
            return false;
        }
        let header = self.peek(place.file, position, fixed.header_bytes() as usize);
        let site = Site { salt: place.salt, file: place.number, position: position as u32 };
        record::header_crc(&header, site) == crc
    }

    /// Like [`Self::fetch`], but leaves the chunk alone.
    fn peek(&self, file: &File, position: u64, len: usize) -> Bytes {
        if position >= self.chunk_at && position + len as u64 <= self.chunk_at + self.chunk.len() as u64 {
            let from = (position - self.chunk_at) as usize;
            return self.chunk.slice(from..from + len);
        }
        read_lossy(file, position, len).into()
    }

    /// `len` bytes from `position`; zeros where the disk has none or cannot read them (no checksum passes on those).
    fn fetch(&mut self, file: &File, position: u64, len: usize) -> Bytes {
        let end = position + len as u64;
        if position < self.chunk_at || end > self.chunk_at + self.chunk.len() as u64 {
            let wanted = (len.max(CHUNK_BYTES) as u64).min(self.limit.saturating_sub(position)).max(len as u64);
            self.chunk_at = position;
            self.chunk = read_lossy(file, position, wanted as usize).into();
        }
        let from = (position - self.chunk_at) as usize;
        self.chunk.slice(from..from + len)
    }
}

fn group_record(header: &[u8], is_whole: bool, position: u64, end: u64) -> Result<Record, &'static str> {
    let header = GroupHeader::decode(&header[FIXED_BYTES..], is_whole).ok_or("the group header makes no sense")?;
    Ok(Record::Group { position: position as u32, end: end as u32, header })
}

fn read_lossy(file: &File, position: u64, len: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(len);
    while buffer.len() < len {
        let at = position + buffer.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut buffer), at) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                read_page(file, at, &mut buffer, len);
            }
        }
    }
    buffer.resize(len, 0);
    buffer
}

/// After an error: up to the end of the page alone, or zeros in its place.
fn read_page(file: &File, at: u64, buffer: &mut Vec<u8>, len: usize) {
    let page_left = PAGE_BYTES - (at % PAGE_BYTES as u64) as usize;
    let wanted = page_left.min(len - buffer.len());
    let start = buffer.len();
    buffer.resize(start + wanted, 0);
    if file.read_exact_at(&mut buffer[start..], at).is_err() {
        buffer[start..].fill(0);
    }
}
