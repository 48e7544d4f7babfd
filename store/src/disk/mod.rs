//! The one door through which every change to the disk goes: create, write, allocate, sync, rename, unlink.
//!
//! In builds with debug assertions a [`Disk`] can leave out or fail its nth sync ([`faults`]), run out of space, and
//! write down every operation so that a test can build the state that a power cut would leave ([`recorder`]).

mod faults;
#[cfg(any(test, debug_assertions))]
pub mod recorder;

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use faults::{Faults, SyncVerdict};
use rustix::fs::{CWD, RenameFlags};

/// Slices one gathering write may have (Linux: UIO_MAXIOV).
const SLICES_MAX: usize = 1024;

/// A handle on the disk; clones share counters, faults and recording.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<State>);

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    sync_failed: AtomicBool,
    #[cfg(any(test, debug_assertions))]
    recorder: Option<recorder::Recorder>,
}

impl Disk {
    /// The real disk. Debug builds take their faults from the environment (see [`Faults::from_env`]).
    pub fn system() -> Self {
        Self(Arc::new(State { faults: Faults::from_env(), ..State::default() }))
    }

    /// The real disk, every operation below the recorder's root written down.
    #[cfg(any(test, debug_assertions))]
    pub fn recording(recorder: recorder::Recorder) -> Self {
        Self(Arc::new(State { recorder: Some(recorder), ..State::default() }))
    }

    /// Counters, and the faults of a test.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Creates a file that must not exist yet. Its folder must be synced before the file may be relied on.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.0.faults.before_growth()?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        self.record(|recorder| recorder.create(path));
        Ok(DiskFile { disk: self.clone(), file, path: path.to_owned(), node: self.node(path) })
    }

    /// Opens an existing file for overwriting.
    pub fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(DiskFile { disk: self.clone(), file, path: path.to_owned(), node: self.node(path) })
    }

    /// Renames a file or folder, replacing a file of that name. Both folders must be synced for it to last.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        self.record(|recorder| recorder.rename(from, to));
        Ok(())
    }

    /// Renames a file to a name that nothing has, in one step; `AlreadyExists` when something has it. Both folders must be
    /// synced for it to last.
    pub fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        use rustix::io::Errno;
        let renamed = rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
        match renamed {
            // File systems that do not know it (NFS) know a second name.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                std::fs::hard_link(from, to)?;
                std::fs::remove_file(from)?;
            }
            renamed => renamed?,
        }
        self.record(|recorder| recorder.rename(from, to));
        Ok(())
    }

    /// Removes a file's name.
    pub fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)?;
        self.record(|recorder| recorder.unlink(path));
        Ok(())
    }

    /// Removes a folder and all in it. Not atomic: a crash may leave a part of it.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)?;
        self.record(|recorder| recorder.unlink(path));
        Ok(())
    }

    /// Makes a folder in an existing one.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)?;
        self.record(|recorder| recorder.make_folder(path));
        Ok(())
    }

    /// Makes a folder and those above it where missing, and syncs the folder above each new one.
    pub fn make_folders(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.make_folders(parent)?;
        match self.make_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            result => result?,
        }
        self.sync_folder(parent)
    }

    /// Makes the names in a folder durable.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.sync(path, || File::open(path)?.sync_all(), || self.record(|recorder| recorder.sync_folder(path)))
    }

    /// Whether a sync failed for another reason than want of space. What it should have made durable may be gone although the
    /// next sync says yes: the process must end, and recovery find out.
    pub fn has_failed_sync(&self) -> bool {
        self.0.sync_failed.load(Ordering::Acquire)
    }

    fn sync(&self, path: &Path, sync: impl FnOnce() -> io::Result<()>, record: impl FnOnce()) -> io::Result<()> {
        let synced = self.0.faults.before_sync(path).and_then(|verdict| match verdict {
            SyncVerdict::Skip => Ok(()),
            SyncVerdict::Sync => sync().map(|()| record()),
        });
        if synced.as_ref().is_err_and(|error| !is_refusal(error)) {
            self.0.sync_failed.store(true, Ordering::Release);
        }
        synced
    }

    /// Bytes that an unprivileged process may still allocate on the file system of `path`.
    pub fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(self.0.faults.free_bytes(stat.f_bavail * stat.f_frsize))
    }

    /// Free bytes and bytes in all on the file system of `path`.
    pub fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::statvfs(path)?;
        Ok((self.0.faults.free_bytes(stat.f_bavail * stat.f_frsize), stat.f_blocks * stat.f_frsize))
    }

    #[cfg(any(test, debug_assertions))]
    fn record(&self, write_down: impl FnOnce(&recorder::Recorder)) {
        if let Some(recorder) = &self.0.recorder {
            write_down(recorder);
        }
    }

    #[cfg(any(test, debug_assertions))]
    fn node(&self, path: &Path) -> usize {
        self.0.recorder.as_ref().map_or(0, |recorder| recorder.node(path))
    }

    #[cfg(not(any(test, debug_assertions)))]
    fn record(&self, _write_down: impl FnOnce(&Unrecorded)) {}

    #[cfg(not(any(test, debug_assertions)))]
    fn node(&self, _path: &Path) -> usize {
        0
    }
}

/// Stands in for the recorder in builds that have none, so that the calls compile to nothing.
#[cfg(not(any(test, debug_assertions)))]
struct Unrecorded;

#[cfg(not(any(test, debug_assertions)))]
#[rustfmt::skip]
impl Unrecorded {
    fn create(&self, _: &Path) {}
    fn rename(&self, _: &Path, _: &Path) {}
    fn unlink(&self, _: &Path) {}
    fn make_folder(&self, _: &Path) {}
    fn sync_folder(&self, _: &Path) {}
    fn write(&self, _: usize, _: u64, _: &[u8]) {}
    fn set_length(&self, _: usize, _: u64) {}
    fn sync_file(&self, _: usize) {}
}

/// Bytes that [`DiskFile::rewrite`] moves at a time.
const REWRITTEN_BYTES: usize = 256 << 10;

/// A file open for writing.
#[derive(Debug)]
pub struct DiskFile {
    disk: Disk,
    file: File,
    path: PathBuf,
    node: usize,
}

impl DiskFile {
    /// The name that it was opened under.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle on the same file, for pread.
    pub fn reader(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Writes all of `bytes` at `position`. On an error any part of them may have been written.
    pub fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.write_gathered_at(&mut [IoSlice::new(bytes)], position)
    }

    /// Writes all slices, one after the other, from `position`. On an error any part may have been written.
    pub fn write_gathered_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        // Skips empty slices in front.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let wanted = slices.len().min(SLICES_MAX);
            let wanted_bytes = slices[..wanted].iter().map(|slice| slice.len()).sum();
            let allowed_bytes = self.disk.0.faults.before_write(wanted_bytes);
            if allowed_bytes < wanted_bytes {
                return self.write_partly(slices, position, allowed_bytes);
            }
            let written = match rustix::io::pwritev(&self.file, &slices[..wanted], position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            self.record_written(slices, position, written);
            position += written as u64;
            IoSlice::advance_slices(&mut slices, written);
        }
        Ok(())
    }

    /// What a file system without space does: some bytes, then ENOSPC.
    fn write_partly(&self, slices: &[IoSlice<'_>], position: u64, bytes: usize) -> io::Result<()> {
        let mut part: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        part.truncate(bytes);
        self.file.write_all_at(&part, position)?;
        self.disk.record(|recorder| recorder.write(self.node, position, &part));
        Err(rustix::io::Errno::NOSPC.into())
    }

    fn record_written(&self, slices: &[IoSlice<'_>], mut position: u64, mut written: usize) {
        self.disk.record(|recorder| {
            for slice in slices {
                let part = &slice[..slice.len().min(written)];
                if part.is_empty() {
                    continue;
                }
                recorder.write(self.node, position, part);
                position += part.len() as u64;
                written -= part.len();
            }
        });
    }

    /// Reserves space for `bytes` from the start, so that later writes neither fail nor change the length. File systems that
    /// cannot do it are let off.
    pub fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.disk.0.faults.before_growth()?;
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
        self.disk.record(|recorder| recorder.set_length(self.node, bytes));
        Ok(())
    }

    /// Writes what lies from `start` to `end` once more where it lies, which takes no space: after a sync that failed, the system may
    /// believe that it is on the disk already.
    pub fn rewrite(&self, start: u64, end: u64) -> io::Result<()> {
        let mut buffer = vec![0; REWRITTEN_BYTES];
        let mut position = start;
        while position < end {
            let part = &mut buffer[..REWRITTEN_BYTES.min((end - position) as usize)];
            self.file.read_exact_at(part, position)?;
            self.file.write_all_at(part, position)?;
            self.disk.record(|recorder| recorder.write(self.node, position, part));
            position += part.len() as u64;
        }
        Ok(())
    }

    /// Cuts or extends (with zeros) the file.
    pub fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.disk.record(|recorder| recorder.set_length(self.node, bytes));
        Ok(())
    }

    /// Makes the content durable (fdatasync: length included, times not).
    pub fn sync(&self) -> io::Result<()> {
        let record = || self.disk.record(|recorder| recorder.sync_file(self.node));
        self.disk.sync(&self.path, || self.file.sync_data(), record)
    }
}

/// Writes a file from front to back, for what wants an [`io::Write`]. It does not buffer.
#[derive(Debug)]
pub struct DiskWriter {
    file: DiskFile,
    position: u64,
}

impl DiskWriter {
    /// Writes from the beginning of `file`.
    pub fn new(file: DiskFile) -> Self {
        Self { file, position: 0 }
    }

    /// The file, to be synced.
    pub fn file(&self) -> &DiskFile {
        &self.file
    }
}

impl io::Write for DiskWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an error says that there is no room (or no permission to use it) now, but may be later: nothing is broken.
pub fn is_refusal(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::FBIG, Errno::MFILE, Errno::NFILE];
    error.raw_os_error().is_some_and(|code| refusals.iter().any(|errno| errno.raw_os_error() == code))
}

#[cfg(test)]
mod tests;
