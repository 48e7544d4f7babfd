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

/// Bytes out of gzip that are kept at least: the rest of a line is asked for again.
const KEPT_BYTES: usize = 256 << 10;

/// A decoder, how far it has come, and what it gave last.
struct Unpacking {
    decoder: MultiGzDecoder<At>,
    at: u64,
    kept: Vec<u8>,
    /// Whether there was nothing more.
    is_ended: bool,
    /// Bytes and time of the file when it was begun with.
    of: (u64, u64),
}

/// A file read from its beginning, whatever others read of it.
struct At {
    file: File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file, buffer, self.at)?;
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
        let (filled, rest) = self.read_some(at, buffer);
        rest.map(|()| filled)
    }

    /// The same, as far as it can be read, and what is wrong behind that: a part of a disk may be damaged, or of what gzip made.
    pub(super) fn read_some(&mut self, at: u64, buffer: &mut [u8]) -> (usize, io::Result<()>) {
        let mut filled = 0;
        while filled < buffer.len() {
            let part = &mut buffer[filled..];
            let read = if self.is_gzip {
                self.unpack(at + filled as u64, part)
            } else {
                read_at(&self.file, part, at + filled as u64)
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (filled, Err(error)),
            }
        }
        (filled, Ok(()))
    }

    /// Where something was written at or behind byte `at`: what is before it is a hole. Of what gzip made nobody knows.
    pub(super) fn written_from(&self, at: u64) -> u64 {
        if self.is_gzip {
            return at;
        }
        match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => data.max(at),
            Err(rustix::io::Errno::NXIO) => self.stamp().map_or(at, |stamp| stamp.bytes.max(at)),
            Err(_) => at,
        }
    }

    /// Only what is from byte `at` on will be asked for next, before what follows it.
    pub(super) fn keep_from(&mut self, at: u64) {
        let Some(unpacking) = &mut self.gzip else { return };
        let surplus = at.saturating_sub(unpacking.kept_from()).min(unpacking.kept.len() as u64);
        unpacking.kept = unpacking.kept.split_off(surplus as usize);
    }

    fn unpack(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let stamp = self.stamp()?;
        let of = (stamp.bytes, stamp.modified_ns);
        // What is kept, and that there is no more, is so as long as nobody writes to it.
        let is_void = |unpacking: &Unpacking| {
            unpacking.kept_from() > at || (unpacking.at > at || unpacking.is_ended) && unpacking.of != of
        };
        if self.gzip.as_ref().is_none_or(is_void) {
            let decoder = MultiGzDecoder::new(At { file: self.file.try_clone()?, at: 0 });
            self.gzip = Some(Unpacking { decoder, at: 0, kept: Vec::new(), is_ended: false, of });
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
    Ok(read_at(file, &mut magic, 0)? == magic.len() && magic == GZIP_MAGIC)
}

/// Reads from byte `at` of a file on. In tests one of the next reads may fail.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(test)]
    let buffer = {
        let readable = faults::next(at, buffer.len())?;
        &mut buffer[..readable]
    };
    file.read_at(buffer, at)
}

/// Reads that fail.
#[cfg(test)]
pub(super) mod faults {
    use std::{cell::Cell, io, ops::Range};

    thread_local! {
        /// This thread's read after so many.
        static READS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
        /// All of this thread's reads of these bytes.
        static BYTES: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    /// The read after so many fails.
    pub(in crate::receivers::filelog) fn fail_after(reads: u32) {
        READS_LEFT.set(Some(reads));
    }

    /// Reads of these bytes of any file fail, until they are others.
    pub(in crate::receivers::filelog) fn fail_at(bytes: Range<u64>) {
        BYTES.set((bytes.start, bytes.end));
    }

    /// All reads succeed.
    pub(in crate::receivers::filelog) fn none() {
        READS_LEFT.set(None);
        BYTES.set((0, 0));
    }

    /// How much of what is wanted can be read.
    pub(super) fn next(at: u64, len: usize) -> io::Result<usize> {
        let left = READS_LEFT.take();
        READS_LEFT.set(left.and_then(|left| left.checked_sub(1)));
        let (start, end) = BYTES.get();
        if left == Some(0) || (start..end).contains(&at) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        Ok(if at < start { len.min((start - at) as usize) } else { len })
    }
}

impl Unpacking {
    fn kept_from(&self) -> u64 {
        self.at - self.kept.len() as u64
    }

    fn read_from(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if at < self.at {
            let kept = &self.kept[(at - self.kept_from()) as usize..];
            let read = kept.len().min(buffer.len());
            buffer[..read].copy_from_slice(&kept[..read]);
            return Ok(read);
        }
        let mut passed_over = [0; 16 << 10];
        while self.at < at {
            let most = (at - self.at).min(passed_over.len() as u64) as usize;
            let read = self.decoder.read(&mut passed_over[..most])?;
            if read == 0 {
                self.is_ended = true;
                return Ok(0);
            }
            self.kept.clear();
            self.at += read as u64;
        }
        let read = self.decoder.read(buffer)?;
        self.at += read as u64;
        self.is_ended = read == 0;
        self.kept.extend_from_slice(&buffer[..read]);
        if self.kept.len() > 2 * KEPT_BYTES {
            self.kept.drain(..self.kept.len() - KEPT_BYTES);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_unpacked_last_is_asked_for_again() {
        let whole: Vec<u8> = (0..3 * KEPT_BYTES as u32 / 2).flat_map(u32::to_le_bytes).collect();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
        encoder.write_all(&whole).and_then(|()| encoder.finish().map(drop)).expect("written");
        let (mut content, _) = Content::open(file.path()).expect("opened").expect("a file");
        let mut buffer = vec![0; KEPT_BYTES];
        let mut at = 0;
        while at < whole.len() {
            let read = content.read(at as u64, &mut buffer).expect("read");
            assert!(buffer[..read] == whole[at..at + read]);
            // Some of it again, from what is kept, or from the beginning on.
            let unpacked = content.gzip.as_ref().expect("unpacking").at;
            at += (read - read / 3).max(1);
            let part = content.read(at as u64, &mut buffer[..7]).expect("read");
            assert!(buffer[..part] == whole[at.min(whole.len())..at + part]);
            assert_eq!(content.gzip.as_ref().expect("unpacking").at, unpacked, "nothing is unpacked twice");
            content.keep_from(at as u64);
            assert!(content.gzip.as_ref().is_none_or(|unpacking| unpacking.kept_from() == at as u64));
        }
        assert_eq!(content.read(3, &mut buffer[..5]).expect("read"), 5);
        assert_eq!(buffer[..5], whole[3..8]);
    }
}
