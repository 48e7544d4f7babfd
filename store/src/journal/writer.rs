//! Writes groups of frames to the open journal file: headers from a reused buffer, payloads from where they are.

use std::{
    io::{self, IoSlice},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;

use super::{
    file::{self, HEADER_BYTES, JournalFile},
    frame::FrameHeader,
    group::{Counted, GroupHeader, Link},
    record::{self, Kind, Site},
    tallies::Tallies,
};
use crate::disk::{Disk, DiskFile};

/// The file that groups go to.
#[derive(Debug)]
pub(super) struct OpenFile {
    disk_file: DiskFile,
    pub(super) journal_file: Arc<JournalFile>,
    /// The end of the file before.
    pub(super) link: Link,
    created_at_ns: u64,
    /// The end of the last whole group; the next one begins here.
    position: u32,
    /// Groups tried so far, failed ones included.
    group: u32,
    /// Whether group headers may say only what changed.
    is_wide: bool,
    /// Bytes of the newest header that said everything, and of those after it.
    whole_bytes: usize,
    changes_bytes: usize,
    /// When the first frame was written.
    pub(super) first_frame_at: Option<Instant>,
}

/// What a new file is made with.
#[derive(Debug, Clone)]
pub(super) struct NewFile {
    pub(super) number: u32,
    /// Its name for good.
    pub(super) path: PathBuf,
    pub(super) salt: u64,
    pub(super) link: Link,
    pub(super) opening: Tallies,
    pub(super) created_at_ns: u64,
}

/// One frame of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writable<'a> {
    pub(super) header: &'a FrameHeader,
    pub(super) payload: &'a Bytes,
    /// CRC32C of the payload alone.
    pub(super) payload_crc: u32,
}

/// Where a frame of the group lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct FramePlace {
    pub(super) position: u32,
    pub(super) payload_position: u32,
}

/// Buffers that one group after the other is laid out in.
#[derive(Debug, Default)]
pub(super) struct Layout {
    headers: Vec<u8>,
    /// Each payload's header (with the padding before it) in `headers`; last, the padding at the end.
    pieces: Vec<Range<usize>>,
    /// Of the group's own header.
    header_bytes: usize,
    /// Of the frames of the group written last.
    pub(super) places: Vec<FramePlace>,
}

impl OpenFile {
    /// Creates a preallocated file, under `path` for now. Its name is not durable yet, and it holds nothing.
    pub(super) fn create(disk: &Disk, path: &Path, new: NewFile, allocate_bytes: u64) -> io::Result<Self> {
        Self::prepare(disk, disk.create(path)?, new, allocate_bytes)
    }

    /// The same with the blocks of a file that is not needed any more.
    pub(super) fn reuse(disk: &Disk, spare: &Path, new: NewFile, allocate_bytes: u64) -> io::Result<Self> {
        disk.rename(spare, &new.path)?;
        Self::prepare(disk, disk.open(&new.path)?, new, allocate_bytes)
    }

    fn prepare(disk: &Disk, disk_file: DiskFile, new: NewFile, allocate_bytes: u64) -> io::Result<Self> {
        match disk_file.allocate(allocate_bytes).and_then(|()| disk_file.reader()) {
            Ok(reader) => {
                let is_wide = new.opening.is_wide();
                let journal_file =
                    JournalFile::new(new.number, new.salt, new.path, reader, new.opening, 0).linked(new.link);
                Ok(Self {
                    disk_file,
                    journal_file: Arc::new(journal_file),
                    link: new.link,
                    created_at_ns: new.created_at_ns,
                    position: 0,
                    group: 0,
                    is_wide,
                    whole_bytes: 0,
                    changes_bytes: 0,
                    first_frame_at: None,
                })
            }
            Err(error) => {
                // Best effort: recovery removes a file without records too.
                let _ = disk.unlink(disk_file.path());
                Err(error)
            }
        }
    }

    /// Whether its headers would name every tenant although there have come to be many: then another file is better.
    pub(super) fn is_too_narrow(&self, tallies: &Tallies) -> bool {
        !self.is_wide && tallies.is_very_wide()
    }

    /// The end of the last durable group.
    pub(super) fn end(&self) -> Link {
        Link { file: self.journal_file.number(), end: self.position }
    }

    /// Bytes that a group of these frames takes at most.
    pub(super) fn group_bytes_max<'a>(frames: impl Iterator<Item = Writable<'a>>) -> u64 {
        let frame_bytes = |frame: Writable<'_>| {
            (record::FIXED_BYTES + frame.header.encoded_bytes_max() + frame.payload.len()) as u64
                + u64::from(record::ALIGN_BYTES)
        };
        frames.map(frame_bytes).sum()
    }

    /// Writes a group and makes it durable. `counted` is what was before the group. On an error nothing has happened: the next
    /// group goes to the same place under a higher number, so that what is left of this one is recognised as stale.
    pub(super) fn write_group<'a>(
        &mut self,
        counted: Counted<'_>,
        frames: impl Iterator<Item = Writable<'a>> + Clone,
        layout: &mut Layout,
    ) -> Result<(), GroupError> {
        self.group += 1;
        // All of it again whenever the changes have cost as much: the headers of a group take twice what changed at most.
        let is_whole = !self.is_wide || self.position == 0 || self.changes_bytes >= self.whole_bytes;
        let end = self.lay_out(counted, is_whole, frames.clone(), layout).ok_or(GroupError::TooLarge)?;
        let mut slices = Vec::with_capacity(layout.pieces.len() * 2);
        let mut payloads = frames.map(|frame| &frame.payload[..]);
        for piece in &layout.pieces {
            slices.push(IoSlice::new(&layout.headers[piece.clone()]));
            slices.extend(payloads.next().map(IoSlice::new));
        }
        self.disk_file.write_gathered_at(&mut slices, u64::from(self.position)).map_err(GroupError::Write)?;
        self.disk_file.sync().map_err(GroupError::Sync)?;
        self.position = end;
        if is_whole {
            (self.whole_bytes, self.changes_bytes) = (layout.header_bytes, 0);
        } else {
            self.changes_bytes += layout.header_bytes;
        }
        if self.first_frame_at.is_none() && !layout.places.is_empty() {
            self.first_frame_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Shows readers what is durable.
    pub(super) fn publish_end(&self) {
        self.journal_file.set_end(self.position);
    }

    /// Gives back what was preallocated and not used.
    pub(super) fn trim(&self) -> io::Result<()> {
        self.disk_file.set_length(u64::from(self.position))
    }

    /// Fills the layout; returns the group's end, `None` past the largest position.
    fn lay_out<'a>(
        &self,
        counted: Counted<'_>,
        is_whole: bool,
        frames: impl Iterator<Item = Writable<'a>>,
        layout: &mut Layout,
    ) -> Option<u32> {
        let Layout { headers, pieces, header_bytes, places } = layout;
        headers.clear();
        pieces.clear();
        places.clear();
        let (number, salt) = (self.journal_file.number(), self.journal_file.salt());
        let mut position = self.position;
        if position == 0 {
            let version = if self.is_wide { file::VERSION } else { file::VERSION_OF_FEW };
            file::encode_header(version, number, salt, self.created_at_ns, headers);
            position = HEADER_BYTES as u32;
        }
        let start = record::begin(headers);
        let (kind, tallies) = if is_whole { (Kind::Group, counted.all) } else { (Kind::Changes, counted.changed) };
        GroupHeader::encode(self.link, tallies, headers);
        let site = Site { salt, file: number, position };
        *header_bytes = record::finish(headers, start, kind, site, self.group, 0, 0);
        position = pad(headers, position.checked_add((*header_bytes).try_into().ok()?)?);
        let mut piece_start = 0;
        for frame in frames {
            let start = record::begin(headers);
            frame.header.encode(headers);
            let site = Site { salt, file: number, position };
            let payload_bytes = frame.payload.len().try_into().ok()?;
            let header_bytes =
                record::finish(headers, start, Kind::Frame, site, self.group, payload_bytes, frame.payload_crc);
            let payload_position = position.checked_add(header_bytes.try_into().ok()?)?;
            places.push(FramePlace { position, payload_position });
            pieces.push(piece_start..headers.len());
            piece_start = headers.len();
            let end = payload_position.checked_add(payload_bytes)?;
            end.checked_add(record::ALIGN_BYTES)?;
            position = pad(headers, end);
        }
        pieces.push(piece_start..headers.len());
        Some(position)
    }
}

/// Why a group is not durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum GroupError {
    /// It does not fit into a file.
    #[error("a group is larger than a journal file can be")]
    TooLarge,
    /// It was not, or only partly, written.
    #[error("cannot write to the journal: {0}")]
    Write(io::Error),
    /// Nobody knows what is on the disk now.
    #[error("cannot sync the journal: {0}")]
    Sync(io::Error),
}

fn pad(headers: &mut Vec<u8>, position: u32) -> u32 {
    let padding = record::padding_bytes(position);
    headers.resize(headers.len() + padding as usize, 0);
    position + padding
}
