//! The judge's learned state on disk: the file JUDGE beside the verdict journal, replaced as a whole (docs/formats.md, JUDGE).

use std::{io, path::Path};

use super::verdicts::VerdictBatch;
use crate::{
    disk::Disk,
    journal::{Fields, Newer, find_newer},
    offset::Offset,
};

const NAME: &str = "JUDGE";
const UNFINISHED: &str = "JUDGE.tmp";
const MAGIC: &[u8; 8] = b"WEIRJUDG";
const VERSION: u32 = 1;

/// Largest state that is read back.
const STATE_BYTES_MAX: u64 = 256 << 20;

/// A judge's state, and how far it had come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The last frame that it had observed.
    pub(super) taken_in: Offset,
    /// The verdict that it would decide next.
    pub(super) sequence: u64,
    /// When.
    pub(super) journal_time_ns: u64,
    /// What the judge gave.
    pub(super) state: Vec<u8>,
}

impl Checkpoint {
    /// What was written last; `None` when there is nothing, or nothing sound: then the judge learns anew.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(NAME);
        let bytes = std::fs::metadata(&path).ok()?.len();
        let content = if bytes > STATE_BYTES_MAX { None } else { std::fs::read(&path).ok() };
        let checkpoint = content.and_then(|content| Self::decode(&content));
        if checkpoint.is_none() {
            tracing::error!(path = %path.display(), "cannot be read: sampling policies learn anew");
        }
        checkpoint
    }

    /// The version of a sound one that a newer Weir wrote, and the highest that is known. Magic, version and checksum stand where they
    /// do in every version.
    fn newer(bytes: &[u8]) -> Option<(u32, u32)> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let mut fields = Fields(body);
        let is_ours = fields.bytes(8)? == MAGIC;
        let version = fields.u32()?;
        let is_sound = is_ours && crc32c::crc32c(body).to_le_bytes() == crc;
        (is_sound && version > VERSION).then_some((version, VERSION))
    }

    /// Makes it durable.
    pub(crate) fn write(&self, disk: &Disk, folder: &Path) -> io::Result<()> {
        let unfinished = folder.join(UNFINISHED);
        if unfinished.exists() {
            disk.unlink(&unfinished)?;
        }
        let file = disk.create(&unfinished)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        disk.rename(&unfinished, &folder.join(NAME))?;
        disk.sync_folder(folder)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.state.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.state.len() as u32).to_le_bytes());
        for number in [self.taken_in.0, self.sequence, self.journal_time_ns] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.state);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return None;
        }
        let mut fields = Fields(body);
        if fields.bytes(8)? != MAGIC || fields.u32()? != VERSION {
            return None;
        }
        let len = fields.u32()? as usize;
        let (taken_in, sequence, journal_time_ns) = (Offset(fields.u64()?), fields.u64()?, fields.u64()?);
        let state = fields.bytes(len)?.to_vec();
        fields.0.is_empty().then_some(Self { taken_in, sequence, journal_time_ns, state })
    }
}

/// What a newer Weir wrote to the verdict journal or its JUDGE; both must be read whole, or the next decisions differ.
pub(crate) fn find_newer_verdicts(folder: &Path) -> io::Result<Option<Newer>> {
    let path = folder.join(NAME);
    let judge = std::fs::read(&path).ok().and_then(|bytes| Checkpoint::newer(&bytes));
    match judge {
        Some((found, supported)) => Ok(Some(Newer { path, found, supported })),
        None => find_newer(folder, Some(VerdictBatch::newer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_state_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Checkpoint::read(folder.path()), None);
        for n in [1u8, 2] {
            let checkpoint = Checkpoint {
                taken_in: Offset::new(3, u32::from(n)),
                sequence: 7,
                journal_time_ns: 1_760_000_000_000_000_000,
                state: vec![n; 1000 * usize::from(n)],
            };
            std::fs::write(folder.path().join(UNFINISHED), "left over").expect("written");
            checkpoint.write(&Disk::system(), folder.path()).expect("written");
            assert_eq!(Checkpoint::read(folder.path()), Some(checkpoint));
        }
    }

    #[test]
    fn a_damaged_state_is_no_state() {
        let bytes = Checkpoint { state: vec![5; 40], ..Checkpoint::default() }.encode();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Checkpoint::decode(&damaged), None);
            assert_eq!(Checkpoint::decode(&bytes[..at]), None);
        }
    }
}
