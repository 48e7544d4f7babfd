//! A file's content, read from any byte on: as it is, or out of gzip.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use flate2::read::MultiGzDecoder;

/// What gzip's files begin with (RFC 1952).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// What tells files from each other, and whether one has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) bytes: u64,
    pub(super) modified_ns: u64,
    /// Names that it has.
    pub(super) links: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_ns: (metadata.mtime().max(0) as u64) * 1_000_000_000 + metadata.mtime_nsec() as u64,
            links: metadata.nlink(),
        }
    }
}

/// An open file.
pub(super) struct Content {
    file: File,
    gzip: Option<Unpacking>,
    is_gzip: bool,
}

/// A decoder, and how far it has come.
struct Unpacking {
    decoder: MultiGzDecoder<At>,
    at: u64,
}

/// A file read from its beginning, whatever others read of it.
struct At {
    file: File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Content {
    /// Opens a file, if it is one: `None` for folders, pipes and the like, which are never waited for.
    pub(super) fn open(path: &Path) -> io::Result<Option<(Self, Stamp)>> {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let is_gzip = begins_as_gzip(&file)?;
        Ok(Some((Self { file, gzip: None, is_gzip }, Stamp::of(&metadata))))
    }

    /// The same, looked at anew: what makes it may be there only now.
    pub(super) fn again(self) -> io::Result<(Self, Stamp)> {
        let Self { file, .. } = self;
        let is_gzip = begins_as_gzip(&file)?;
        let stamp = Stamp::of(&file.metadata()?);
        Ok((Self { file, gzip: None, is_gzip }, stamp))
    }

    /// Whether gzip made it.
    pub(super) fn is_gzip(&self) -> bool {
        self.is_gzip
    }

    /// How it stands now.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        self.file.metadata().map(|metadata| Stamp::of(&metadata))
    }

    /// Fills as much of `buffer` as there is from byte `at` of the content on.
    pub(super) fn read(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let part = &mut buffer[filled..];
            let read = if self.is_gzip {
                self.unpack(at + filled as u64, part)
            } else {
                self.file.read_at(part, at + filled as u64)
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What could be read is read; the rest tells again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn unpack(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.gzip.as_ref().is_none_or(|unpacking| unpacking.at > at) {
            let file = self.file.try_clone()?;
            self.gzip = Some(Unpacking { decoder: MultiGzDecoder::new(At { file, at: 0 }), at: 0 });
        }
        let Some(unpacking) = &mut self.gzip else { return Ok(0) };
        let read = unpacking.read_from(at, buffer);
        match read {
            // Cut off, or still being written: begun with anew when there is more.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.gzip = None;
                Ok(0)
            }
            Err(error) => {
                self.gzip = None;
                Err(error)
            }
            read => read,
        }
    }
}

fn begins_as_gzip(file: &File) -> io::Result<bool> {
    let mut magic = [0; GZIP_MAGIC.len()];
    Ok(file.read_at(&mut magic, 0)? == magic.len() && magic == GZIP_MAGIC)
}

impl Unpacking {
    fn read_from(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut passed_over = [0; 16 << 10];
        while self.at < at {
            let most = (at - self.at).min(passed_over.len() as u64) as usize;
            let read = self.decoder.read(&mut passed_over[..most])?;
            if read == 0 {
                return Ok(0);
            }
            self.at += read as u64;
        }
        let read = self.decoder.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
