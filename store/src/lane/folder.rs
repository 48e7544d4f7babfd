//! The data folder: its lock, its format version, its sub-folders.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    path::Path,
};

use weir_proto::Signal;

use super::{
    errors::OpenError,
    shared::{journal_path, segments_path},
};
use crate::disk::{Disk, is_refusal};

/// Version of everything in the folder. Raised when an older Weir could not read it.
const FORMAT: u32 = 1;

/// Holds the folder for this process; another one is refused until this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Creates the folder if need be, takes its lock, checks its format.
pub(crate) fn open(path: &Path, disk: &Disk) -> Result<FolderLock, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let of_signal = |signal| [journal_path(path, signal), segments_path(path, signal)];
    let folders = [Signal::Metrics, Signal::Logs, Signal::Traces].map(of_signal).concat();
    for folder in std::iter::once(path.to_owned()).chain(folders).chain([path.join("quarantine")]) {
        disk.make_folders(&folder).map_err(io(&folder))?;
    }
    let lock = lock(path)?;
    let format_path = path.join("FORMAT");
    match std::fs::read_to_string(&format_path) {
        Ok(text) => {
            let found = text.trim().parse().map_err(|_| OpenError::Io {
                path: format_path,
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, "not a version number"),
            })?;
            if found > FORMAT {
                return Err(OpenError::TooNew { path: path.to_owned(), found, supported: FORMAT });
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_format(path, disk).map_err(io(&format_path))?;
        }
        Err(error) => return Err(io(&format_path)(error)),
    }
    Ok(lock)
}

fn write_format(path: &Path, disk: &Disk) -> std::io::Result<()> {
    // Under another name until it is whole: a stop in between must not leave a folder that never opens again.
    let unfinished = path.join("FORMAT.tmp");
    if unfinished.exists() {
        disk.unlink(&unfinished)?;
    }
    let file = disk.create(&unfinished)?;
    file.write_at(format!("{FORMAT}\n").as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&unfinished, &path.join("FORMAT"))?;
    disk.sync_folder(path)
}

fn lock(path: &Path) -> Result<FolderLock, OpenError> {
    let lock_path = path.join("LOCK");
    let io = |source| OpenError::Io { path: lock_path.clone(), source };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).map_err(io)?;
    if let Err(error) = file.try_lock() {
        return Err(match error {
            std::fs::TryLockError::WouldBlock => {
                let mut pid = String::new();
                drop(file.read_to_string(&mut pid));
                OpenError::InUse { path: path.to_owned(), pid: pid.trim().to_owned() }
            }
            std::fs::TryLockError::Error(source) => io(source),
        });
    }
    // Only a hint for whoever is refused: need not be durable, and a full disk is no reason not to start.
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = written
        && !is_refusal(&error)
    {
        return Err(io(error));
    }
    Ok(FolderLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = open(folder.path(), &Disk::system()).expect("free");
        let refused = open(folder.path(), &Disk::system()).expect_err("held");
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        open(folder.path(), &Disk::system()).expect("free again");
    }

    #[test]
    fn a_start_interrupted_at_any_sync_is_no_obstacle() {
        use crate::disk::recorder::{Recorder, Unsynced};
        let folder = tempfile::tempdir().expect("temporary folder");
        let recorder = Recorder::new(folder.path()).expect("recorder");
        drop(open(&folder.path().join("data"), &Disk::recording(recorder.clone())).expect("new"));
        for moment in 0..=recorder.moment() {
            for rule in [Unsynced::Kept, Unsynced::Lost] {
                let after = tempfile::tempdir().expect("temporary folder");
                recorder.materialise(moment, rule, after.path()).expect("materialised");
                open(&after.path().join("data"), &Disk::system()).expect("opens");
            }
        }
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        drop(open(folder.path(), &Disk::system()).expect("new"));
        std::fs::write(folder.path().join("FORMAT"), "2\n").expect("written");
        let refused = open(folder.path(), &Disk::system()).expect_err("too new");
        assert!(matches!(refused, OpenError::TooNew { found: 2, .. }), "{refused}");
    }
}
