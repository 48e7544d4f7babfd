//! Every touch of the disk by segments: writing a directory whole, and reading its files.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::SegmentError;

/// The rows.
pub(super) const SPANS: &str = "spans.parquet";
/// The trace-id index.
pub(super) const INDEX: &str = "traces.idx";
/// The manifest.
pub(super) const MANIFEST: &str = "manifest.json";

/// A segment's directory under way: invisible under a temporary name until [`Self::publish`].
#[derive(Debug)]
pub(super) struct NewDirectory {
    parent: PathBuf,
    path: PathBuf,
    name: String,
}

/// A file of a [`NewDirectory`].
pub(super) type NewFile = BufWriter<File>;

impl NewDirectory {
    /// Creates it below `parent`, in the place of what an interrupted attempt left there.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Self, SegmentError> {
        let path = parent.join(format!("{name}.tmp"));
        match fs::remove_dir_all(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SegmentError::io(&path, source)),
        }
        fs::create_dir(&path).map_err(|source| SegmentError::io(&path, source))?;
        Ok(Self { parent: parent.to_owned(), path, name: name.to_owned() })
    }

    /// A new file in it.
    pub(super) fn file(&self, name: &str) -> Result<NewFile, SegmentError> {
        let path = self.path.join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        Ok(BufWriter::with_capacity(1 << 20, file.map_err(|source| SegmentError::io(&path, source))?))
    }

    /// Makes a flushed file's content durable.
    pub(super) fn sync(&self, name: &str) -> Result<(), SegmentError> {
        let path = self.path.join(name);
        File::open(&path).and_then(|file| file.sync_all()).map_err(|source| SegmentError::io(&path, source))
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
        sync_directory(&self.path)?;
        if target.exists() {
            fs::remove_dir_all(&target).map_err(error)?;
        }
        fs::rename(&self.path, &target).map_err(error)?;
        // The parent too: a rename alone may be lost.
        sync_directory(&self.parent)?;
        Ok(target)
    }

    /// Removes what was written.
    pub(super) fn discard(self) {
        // What stays behind is removed by the next attempt, or as an unregistered directory at start-up.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn sync_directory(path: &Path) -> Result<(), SegmentError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|source| SegmentError::io(path, source))
}

/// A file of a segment, open for reading.
#[derive(Debug)]
pub(super) struct ReadFile {
    path: PathBuf,
    file: File,
}

impl ReadFile {
    /// Opens it.
    pub(super) fn open(directory: &Path, name: &str) -> Result<Self, SegmentError> {
        let path = directory.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(SegmentError::damaged(format!("{} is missing", path.display())))
            }
            Err(source) => Err(SegmentError::io(&path, source)),
        }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> Result<u64, SegmentError> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|source| SegmentError::io(&self.path, source))
    }

    /// Reads `len` bytes at `start`.
    pub(super) fn read(&self, start: u64, len: usize) -> Result<Vec<u8>, SegmentError> {
        let mut bytes = vec![0; len];
        match self.file.read_exact_at(&mut bytes, start) {
            Ok(()) => Ok(bytes),
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Err(SegmentError::damaged(format!("{} ends early", self.path.display())))
            }
            Err(source) => Err(SegmentError::io(&self.path, source)),
        }
    }
}
