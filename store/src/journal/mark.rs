//! The MARK file: how far the journal is durable and what it had accepted there, overwritten after each group commit.
//!
//! It is never synced, so after a power cut it may be old, but it is never ahead. After `kill -9` it is exact, even when
//! the newest journal file is gone.

use std::{
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{group::Link, tallies::Tallies, varint::Fields};
use crate::disk::{Disk, DiskFile};

/// The file's name in the journal's folder.
pub(super) const NAME: &str = "MARK";
/// Two slots, written in turn: a torn write leaves the other. Room for the tallies of some 10,000 tenants; with more than
/// fit, the mark stays where it was.
const SLOT_BYTES: usize = 256 << 10;
const MAGIC: &[u8; 8] = b"WEIRMARK";
pub(super) const VERSION: u32 = 1;
/// Magic, version, length.
const START_BYTES: usize = 16;

/// What the file says (docs/formats.md, Journal, MARK).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    pub(super) salt: u64,
    /// The file with the newest group, and the end of that group.
    pub(super) newest: Link,
    /// The end of the file before that one.
    pub(super) before: Link,
    /// Items up to the newest group's end, since the journal began.
    pub(super) tallies: Tallies,
}

/// The file, open for overwriting.
#[derive(Debug)]
pub(super) struct MarkFile {
    disk: Disk,
    path: PathBuf,
    file: Option<DiskFile>,
    sequence: u64,
    buffer: Vec<u8>,
}

impl MarkFile {
    /// Reads the newer valid slot. The file is created by the first write.
    pub(super) fn open(disk: &Disk, folder: &Path) -> (Self, Option<Mark>) {
        let path = folder.join(NAME);
        let file = disk.open(&path).ok();
        let mark = std::fs::File::open(&path).ok().and_then(|file| {
            let slots = [read_slot(&file, 0), read_slot(&file, SLOT_BYTES as u64)];
            slots.into_iter().flatten().max_by_key(|mark| mark.sequence)
        });
        let sequence = mark.as_ref().map_or(0, |mark| mark.sequence);
        (Self { disk: disk.clone(), path, file, sequence, buffer: Vec::new() }, mark)
    }

    /// Overwrites the older slot; no sync.
    pub(super) fn write(&mut self, salt: u64, newest: Link, before: Link, tallies: &Tallies) -> io::Result<()> {
        self.sequence += 1;
        let buffer = &mut self.buffer;
        buffer.clear();
        buffer.extend_from_slice(MAGIC);
        buffer.extend_from_slice(&VERSION.to_le_bytes());
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&self.sequence.to_le_bytes());
        buffer.extend_from_slice(&salt.to_le_bytes());
        for link in [newest, before] {
            buffer.extend_from_slice(&link.file.to_le_bytes());
            buffer.extend_from_slice(&link.end.to_le_bytes());
        }
        tallies.encode(buffer);
        let bytes = buffer.len() + 4;
        if bytes > SLOT_BYTES {
            return Err(io::Error::other("more tenants than a mark has room for"));
        }
        buffer[12..START_BYTES].copy_from_slice(&(bytes as u32).to_le_bytes());
        let crc = crc32c::crc32c(buffer);
        buffer.extend_from_slice(&crc.to_le_bytes());
        if self.file.is_none() {
            self.file = Some(self.disk.create(&self.path)?);
        }
        let file = self.file.as_ref().expect("created above when it was missing");
        file.write_at(&self.buffer, (self.sequence % 2) * SLOT_BYTES as u64)
    }
}

/// The version of a sound slot, when that is newer than this program. Magic, version, length and checksum stand where they do in
/// every version.
pub(super) fn newer_version(folder: &Path) -> Option<u32> {
    let bytes = std::fs::read(folder.join(NAME)).ok()?;
    let slots = [bytes.get(..), bytes.get(SLOT_BYTES..)].into_iter().flatten();
    let versions = slots.filter_map(|slot| {
        let mut fields = Fields(slot);
        let is_mark = fields.bytes(8)? == MAGIC;
        let version = fields.u32()?;
        let body = slot.get(..(fields.u32()? as usize).checked_sub(4)?)?;
        let crc = slot.get(body.len()..body.len() + 4)?;
        (is_mark && version > VERSION && crc32c::crc32c(body).to_le_bytes() == crc).then_some(version)
    });
    versions.max()
}

fn read_slot(file: &std::fs::File, position: u64) -> Option<Mark> {
    let mut start = [0; START_BYTES];
    file.read_exact_at(&mut start, position).ok()?;
    let mut fields = Fields(&start);
    if fields.bytes(8)? != MAGIC || fields.u32()? != VERSION {
        return None;
    }
    let bytes = fields.u32()? as usize;
    if !(START_BYTES + 4..=SLOT_BYTES).contains(&bytes) {
        return None;
    }
    let mut slot = vec![0; bytes];
    file.read_exact_at(&mut slot, position).ok()?;
    let (body, crc) = slot.split_at(bytes - 4);
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return None;
    }
    let mut fields = Fields(&body[START_BYTES..]);
    Some(Mark {
        sequence: fields.u64()?,
        salt: fields.u64()?,
        newest: Link { file: fields.u32()?, end: fields.u32()? },
        before: Link { file: fields.u32()?, end: fields.u32()? },
        tallies: Tallies::decode(&mut fields)?,
    })
}
