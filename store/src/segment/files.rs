//! Every touch of the disk by segments: writing a directory whole, and reading its files.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{SegmentError, manifest::Checked};
use crate::disk::{Disk, DiskFile, DiskWriter};

/// The trace-id index.
pub(super) const INDEX: &str = "traces.idx";
/// The end of an archived segment's Parquet file, which is elsewhere.
pub(super) const FOOTER: &str = "footer";
/// The manifest.
pub(super) const MANIFEST: &str = "manifest.json";

/// Bytes gathered before each write.
const BUFFER_BYTES: usize = 1 << 20;

/// A segment's directory under way: invisible under a temporary name until [`Self::publish`].
#[derive(Debug)]
pub(super) struct NewDirectory {
    disk: Disk,
    parent: PathBuf,
    path: PathBuf,
    name: String,
}

/// A file of a [`NewDirectory`].
pub(super) type NewFile = BufWriter<DiskWriter>;

impl NewDirectory {
    /// Creates it below `parent`, in the place of what an interrupted attempt left there.
    pub(super) fn create(disk: &Disk, parent: &Path, name: &str) -> Result<Self, SegmentError> {
        let path = parent.join(format!("{name}.tmp"));
        let error = |source| SegmentError::io(&path, source);
        match disk.remove_folder(&path) {
            Ok(()) => {}
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(error(source)),
        }
        disk.make_folder(&path).map_err(error)?;
        Ok(Self { disk: disk.clone(), parent: parent.to_owned(), path, name: name.to_owned() })
    }

    /// A new file in it.
    pub(super) fn file(&self, name: &str) -> Result<NewFile, SegmentError> {
        let path = self.path.join(name);
        let file = self.disk.create(&path).map_err(|source| SegmentError::io(&path, source))?;
        Ok(BufWriter::with_capacity(BUFFER_BYTES, DiskWriter::new(file)))
    }

    /// Makes a flushed file's content durable.
    pub(super) fn sync(&self, name: &str) -> Result<(), SegmentError> {
        let path = self.path.join(name);
        let synced = self.disk.open(&path).and_then(|file: DiskFile| file.sync());
        synced.map_err(|source| SegmentError::io(&path, source))
    }

    /// A whole file, durable.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SegmentError> {
        let mut file = self.file(name)?;
        let written = file.write_all(bytes).and_then(|()| file.flush());
        written.map_err(|source| SegmentError::io(&self.path.join(name), source))?;
        self.sync(name)
    }

    /// Opens one of its files for reading.
    pub(super) fn read(&self, name: &str) -> Result<ReadFile, SegmentError> {
        ReadFile::open(&self.path, name)
    }

    /// Gives it its name. A directory of that name left by an interrupted attempt is replaced.
    pub(super) fn publish(self) -> Result<PathBuf, SegmentError> {
        let target = self.parent.join(&self.name);
        let error = |source| SegmentError::io(&target, source);
        self.disk.sync_folder(&self.path).map_err(error)?;
        if target.exists() {
            self.disk.remove_folder(&target).map_err(error)?;
        }
        self.disk.rename(&self.path, &target).map_err(error)?;
        // The parent too: a rename alone may be lost.
        self.disk.sync_folder(&self.parent).map_err(error)?;
        Ok(target)
    }

    /// Removes what was written.
    pub(super) fn discard(self) {
        // What stays behind is removed by the next attempt, or as an unregistered directory at start-up.
        let _ = self.disk.remove_folder(&self.path);
    }
}

/// A file that is not on the local disk.
pub(crate) trait ReadObject: std::fmt::Debug + Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// Bytes in it.
    fn len(&self) -> u64;

    /// Reads the bytes at `start`. May be called on any thread that may wait. What is not there any more is
    /// [`io::ErrorKind::NotFound`].
    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()>;

    /// These will be asked for: better at once than one after the other.
    fn prefetch(&self, ranges: &[Range<u64>]);

    /// What came of this range is not what it should be: nothing of it is kept.
    fn forget(&self, range: Range<u64>);
}

/// A file of a segment, open for reading.
#[derive(Debug)]
pub(super) struct ReadFile {
    path: PathBuf,
    file: FileOrObject,
    /// Whether bytes of what is elsewhere could not be had.
    is_away: AtomicBool,
}

#[derive(Debug)]
enum FileOrObject {
    File(File),
    Object(Arc<dyn ReadObject>),
}

impl ReadFile {
    /// Opens it.
    pub(super) fn open(directory: &Path, name: &str) -> Result<Self, SegmentError> {
        let path = directory.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file: FileOrObject::File(file), is_away: AtomicBool::new(false) }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(SegmentError::damaged(format!("{} is missing", path.display())))
            }
            Err(source) => Err(SegmentError::io(&path, source)),
        }
    }

    /// One that is elsewhere.
    pub(super) fn elsewhere(object: Arc<dyn ReadObject>) -> Self {
        let path = PathBuf::from(object.name());
        Self { path, file: FileOrObject::Object(object), is_away: AtomicBool::new(false) }
    }

    /// These ranges will be read: of what is elsewhere, all come with one request.
    pub(super) fn prefetch(&self, ranges: &[Range<u64>]) {
        if let FileOrObject::Object(object) = &self.file {
            object.prefetch(ranges);
        }
    }

    /// What came of this range is damaged: of what is elsewhere, it is asked for anew by the next read.
    pub(super) fn forget(&self, range: Range<u64>) {
        if let FileOrObject::Object(object) = &self.file {
            object.forget(range);
        }
    }

    /// Whether it is elsewhere, and all that was asked for came: what is damaged of it may have become so on its way.
    pub(super) fn may_come_again(&self) -> bool {
        self.is_elsewhere() && !self.is_away.load(Ordering::Relaxed)
    }

    /// Whether it is elsewhere.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self.file, FileOrObject::Object(_))
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> Result<u64, SegmentError> {
        match &self.file {
            FileOrObject::File(file) => file.metadata().map(|metadata| metadata.len()),
            FileOrObject::Object(object) => Ok(object.len()),
        }
        .map_err(|source| SegmentError::io(&self.path, source))
    }

    fn read_exact_at(&self, into: &mut [u8], start: u64) -> Result<(), SegmentError> {
        let read = match &self.file {
            FileOrObject::File(file) => file.read_exact_at(into, start),
            FileOrObject::Object(object) => object.read_at(start, into),
        };
        read.map_err(|source| match (source.kind(), &self.file) {
            (io::ErrorKind::UnexpectedEof, _) => SegmentError::damaged(format!("{} ends early", self.path.display())),
            // What cannot be reached is missing from the answer like what is damaged, and the answer says so.
            (_, FileOrObject::Object(_)) => {
                self.is_away.store(true, Ordering::Relaxed);
                SegmentError::damaged(format!("{}: {source}", self.path.display()))
            }
            _ => SegmentError::io(&self.path, source),
        })
    }

    /// Reads the bytes at the end that are under a checksum, when the file has the length that it must have.
    pub(super) fn checked_end(&self, name: &str, checked: &Checked) -> Result<Vec<u8>, SegmentError> {
        if self.len()? != checked.bytes {
            return Err(SegmentError::damaged(format!("{name} has {} bytes, not {}", self.len()?, checked.bytes)));
        }
        let bytes = self.read(checked.bytes.saturating_sub(checked.checked_bytes), checked.checked_bytes as usize)?;
        if crc32c::crc32c(&bytes) != checked.crc32c {
            return Err(SegmentError::damaged(format!("{name}: checksum of the last part")));
        }
        Ok(bytes)
    }

    /// Reads `len` bytes at `start`, which somebody knows to be there: one call instead of two.
    pub(super) fn read_there(&self, start: u64, len: usize, into: &mut Vec<u8>) -> Result<(), SegmentError> {
        into.resize(len, 0);
        self.read_exact_at(into, start)
    }

    /// As [`Self::read`], into a buffer, of which the rest stays as it is.
    pub(super) fn read_with<'b>(
        &self,
        start: u64,
        len: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], SegmentError> {
        if buffer.len() < len {
            let there = self.len()?;
            if start.checked_add(len as u64).is_none_or(|end| end > there) {
                return Err(SegmentError::damaged(format!("{} ends early", self.path.display())));
            }
            buffer.resize(len, 0);
        }
        let into = &mut buffer[..len];
        self.read_exact_at(into, start)?;
        Ok(into)
    }

    /// Fills `into` with the bytes at `start`.
    pub(super) fn read_into(&self, start: u64, into: &mut [u8]) -> Result<(), SegmentError> {
        self.read_exact_at(into, start)
    }

    /// Reads `len` bytes at `start`. No memory is taken for more than there is.
    pub(super) fn read(&self, start: u64, len: usize) -> Result<Vec<u8>, SegmentError> {
        let ends_early = || SegmentError::damaged(format!("{} ends early", self.path.display()));
        let there = self.len()?;
        if start.checked_add(len as u64).is_none_or(|end| end > there) {
            return Err(ends_early());
        }
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}
