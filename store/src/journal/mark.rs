//! The MARK file: how far the journal is durable and what it had accepted there, overwritten after each group commit.
//!
//! It is never synced, so after a power cut it may be old, but it is never ahead. After `kill -9` it is exact, even when
//! the newest journal file is gone.

use std::{
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    group::{Counted, Link},
    tallies::Tallies,
    varint::Fields,
};
use crate::disk::{Disk, DiskFile};

/// The file's name in the journal's folder.
pub(super) const NAME: &str = "MARK";
/// Two slots, written in turn: a torn write leaves the other. Room for the tallies of some 10,000 tenants; with more than
/// fit, the mark stays where it was.
const SLOT_BYTES: usize = 256 << 10;
/// Two slots behind them, also written in turn, of which each says what changed since the newer of the first two.
const CHANGES_BYTES: usize = 16 << 10;
const MAGIC: &[u8; 8] = b"WEIRMARK";
/// Of a slot that names every tenant.
const WHOLE: u32 = 1;
/// Of one with what changed.
pub(super) const VERSION: u32 = 2;
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
    /// The slots that the next whole mark goes to, and the next with what changed.
    next_whole: usize,
    next_changes: usize,
    /// What changed since the newest whole mark; `None` before this process has written one.
    since: Option<Since>,
    buffer: Vec<u8>,
}

/// What was written since the newest mark that names every tenant.
#[derive(Debug)]
struct Since {
    /// That mark's sequence, its bytes, and the file that it was in.
    sequence: u64,
    bytes: usize,
    file: u32,
    /// The tenants that changed, as they are now.
    changed: Tallies,
    /// Bytes of the marks that said so.
    written: usize,
}

impl MarkFile {
    /// Reads the newest valid slot. The file is created by the first write.
    pub(super) fn open(disk: &Disk, folder: &Path) -> (Self, Option<Mark>) {
        let path = folder.join(NAME);
        let file = disk.open(&path).ok();
        let read = std::fs::File::open(&path).ok();
        let wholes = [0, 1].map(|slot| read_whole(read.as_ref()?, slot));
        let next_whole = usize::from(sequence_of(&wholes[0]) >= sequence_of(&wholes[1]) && wholes[0].is_some());
        let changes = [0, 1].map(|slot| read_changes(read.as_ref()?, slot));
        // Also of one that does not count any more: nothing newer may have its number.
        let numbers = wholes.iter().flatten().chain(changes.iter().flatten().map(|(_, mark)| mark));
        let sequence = numbers.map(|mark| mark.sequence).max().unwrap_or(0);
        let changes = changes.map(|changes| {
            let (base, mut mark) = changes?;
            let base = wholes.iter().flatten().find(|whole| whole.sequence == base)?;
            let changed = std::mem::replace(&mut mark.tallies, base.tallies.clone());
            mark.tallies.replace(&changed);
            Some(mark)
        });
        let mark = wholes.into_iter().chain(changes).flatten().max_by_key(|mark| mark.sequence);
        let buffer = Vec::new();
        (Self { disk: disk.clone(), path, file, sequence, next_whole, next_changes: 0, since: None, buffer }, mark)
    }

    /// Overwrites an older slot; no sync. `counted.changed` is what changed since the mark before.
    pub(super) fn write(&mut self, salt: u64, newest: Link, before: Link, counted: Counted<'_>) -> io::Result<()> {
        self.sequence += 1;
        if let Some(since) = &mut self.since {
            since.changed.replace(counted.changed);
            // All of it again whenever the changes have cost as much, and once in each file.
            if counted.all.is_wide() && since.file == newest.file && since.written < since.bytes {
                begin(&mut self.buffer, VERSION, self.sequence, salt, [newest, before]);
                self.buffer.extend_from_slice(&since.sequence.to_le_bytes());
                since.changed.encode(&mut self.buffer);
                if finish(&mut self.buffer) <= CHANGES_BYTES {
                    since.written += self.buffer.len();
                    self.next_changes = 1 - self.next_changes;
                    return self.put(2 * SLOT_BYTES + self.next_changes * CHANGES_BYTES);
                }
            }
        }
        begin(&mut self.buffer, WHOLE, self.sequence, salt, [newest, before]);
        counted.all.encode(&mut self.buffer);
        let bytes = finish(&mut self.buffer);
        if bytes > SLOT_BYTES {
            return Err(io::Error::other("more tenants than a mark has room for"));
        }
        self.put(self.next_whole * SLOT_BYTES)?;
        self.next_whole = 1 - self.next_whole;
        let sequence = self.sequence;
        self.since = Some(Since { sequence, bytes, file: newest.file, changed: Tallies::default(), written: 0 });
        Ok(())
    }

    fn put(&mut self, position: usize) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.disk.create(&self.path)?);
        }
        let file = self.file.as_ref().expect("created above when it was missing");
        file.write_at(&self.buffer, position as u64)
    }
}

/// Lays out what every slot begins with; [`finish`] completes it.
fn begin(buffer: &mut Vec<u8>, version: u32, sequence: u64, salt: u64, links: [Link; 2]) {
    buffer.clear();
    buffer.extend_from_slice(MAGIC);
    buffer.extend_from_slice(&version.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&salt.to_le_bytes());
    for link in links {
        buffer.extend_from_slice(&link.file.to_le_bytes());
        buffer.extend_from_slice(&link.end.to_le_bytes());
    }
}

/// Fills in length and checksum; returns the length.
fn finish(buffer: &mut Vec<u8>) -> usize {
    let bytes = buffer.len() + 4;
    buffer[12..START_BYTES].copy_from_slice(&(bytes as u32).to_le_bytes());
    let crc = crc32c::crc32c(buffer);
    buffer.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn sequence_of(mark: &Option<Mark>) -> u64 {
    mark.as_ref().map_or(0, |mark| mark.sequence)
}

/// The version of a sound slot, when that is newer than this program. Magic, version, length and checksum stand where they do in
/// every version.
pub(super) fn newer_version(folder: &Path) -> Option<u32> {
    let bytes = std::fs::read(folder.join(NAME)).ok()?;
    let slots = [0, SLOT_BYTES, 2 * SLOT_BYTES, 2 * SLOT_BYTES + CHANGES_BYTES];
    let slots = slots.into_iter().filter_map(|position| bytes.get(position..));
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

fn read_whole(file: &std::fs::File, slot: u64) -> Option<Mark> {
    let body = read_slot(file, WHOLE, slot * SLOT_BYTES as u64, SLOT_BYTES)?;
    let mut fields = Fields(&body);
    let mark = read_start(&mut fields)?;
    Some(Mark { tallies: Tallies::decode(&mut fields)?, ..mark })
}

/// The sequence of the whole mark that it goes with, and a mark with what changed since.
fn read_changes(file: &std::fs::File, slot: u64) -> Option<(u64, Mark)> {
    let position = 2 * SLOT_BYTES as u64 + slot * CHANGES_BYTES as u64;
    let body = read_slot(file, VERSION, position, CHANGES_BYTES)?;
    let mut fields = Fields(&body);
    let mark = read_start(&mut fields)?;
    let base = fields.u64()?;
    Some((base, Mark { tallies: Tallies::decode(&mut fields)?, ..mark }))
}

/// A sound slot's content behind its length, without the checksum.
fn read_slot(file: &std::fs::File, version: u32, position: u64, bytes_max: usize) -> Option<Vec<u8>> {
    let mut start = [0; START_BYTES];
    file.read_exact_at(&mut start, position).ok()?;
    let mut fields = Fields(&start);
    if fields.bytes(8)? != MAGIC || fields.u32()? != version {
        return None;
    }
    let bytes = fields.u32()? as usize;
    if !(START_BYTES + 4..=bytes_max).contains(&bytes) {
        return None;
    }
    let mut slot = vec![0; bytes];
    file.read_exact_at(&mut slot, position).ok()?;
    let (body, crc) = slot.split_at(bytes - 4);
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return None;
    }
    Some(body[START_BYTES..].to_vec())
}

/// What every slot begins with; without tallies.
fn read_start(fields: &mut Fields<'_>) -> Option<Mark> {
    Some(Mark {
        sequence: fields.u64()?,
        salt: fields.u64()?,
        newest: Link { file: fields.u32()?, end: fields.u32()? },
        before: Link { file: fields.u32()?, end: fields.u32()? },
        tallies: Tallies::default(),
    })
}
