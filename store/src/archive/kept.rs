//! Whole copies of objects on local disk: the rows of segments that somebody wants here, and that had left it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use weir_proto::Signal;

use super::{ArchiveError, archive::Archive, bucket::Bucket, layout::Keys};
use crate::{catalog::ArchivedSegment, disk::Disk};

/// Bytes that are asked for at a time.
const PART_BYTES: u64 = 4 << 20;

/// How a copy is called that is not whole yet.
const UNFINISHED: &str = "part";

/// The copies that are whole.
#[derive(Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
    disk: Disk,
    files: RwLock<BTreeMap<String, Arc<File>>>,
    /// Objects whose copy was damaged, since somebody asked.
    damaged: Mutex<BTreeSet<String>>,
}

impl Kept {
    /// Those that an earlier life left in `folder`.
    pub(crate) fn open(folder: PathBuf, disk: Disk) -> Self {
        let kept = Self { folder, disk, files: RwLock::default(), damaged: Mutex::default() };
        let mut folders = vec![kept.folder.clone()];
        while let Some(folder) = folders.pop() {
            // None was ever made, or it cannot be read: what is wanted is fetched again.
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let key = path.strip_prefix(&kept.folder).ok().and_then(Path::to_str).map(str::to_owned);
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == UNFINISHED) {
                    let _ = kept.disk.unlink(&path);
                } else if let (Some(key), Ok(file)) = (key, File::open(&path)) {
                    kept.files.write().insert(key, Arc::new(file));
                }
            }
        }
        kept
    }

    /// The copy of an object.
    pub(crate) fn file(&self, key: &str) -> Option<Arc<File>> {
        self.files.read().get(key).cloned()
    }

    /// Where the copy of an object is.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        self.file(key).map(|_| self.folder.join(key))
    }

    /// The objects of which there is a copy.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.files.read().keys().cloned().collect()
    }

    /// Nobody wants this one here any more. Whoever reads it reads on.
    pub(crate) fn remove(&self, key: &str) {
        let _ = self.removed(key);
    }

    /// What was read of this one was damaged, whether it was so already when it came or became so here.
    pub(crate) fn forget(&self, key: &str) {
        if self.removed(key) {
            self.damaged.lock().insert(key.to_owned());
        }
    }

    /// The objects whose copy was damaged since this was asked last.
    pub(crate) fn take_damaged(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.damaged.lock())
    }

    fn removed(&self, key: &str) -> bool {
        let was_there = self.files.write().remove(key).is_some();
        if was_there {
            let _ = self.disk.unlink(&self.folder.join(key));
        }
        was_there
    }

    /// Reads all of an object into a copy, which counts once every byte is what it should be.
    async fn fetch(&self, bucket: &Bucket, wanted: &WholeObject) -> Result<(), ArchiveError> {
        let path = self.folder.join(&wanted.key);
        let part_path = path.with_extension(UNFINISHED);
        let io = |source| ArchiveError::Io { path: path.clone(), source };
        let parent = path.parent().expect("below the folder").to_owned();
        self.disk.make_folders(&parent).map_err(io)?;
        match self.disk.unlink(&part_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let fetched = self.fetch_into(bucket, wanted, &part_path).await;
        if fetched.is_err() {
            let _ = self.disk.unlink(&part_path);
        }
        fetched?;
        self.disk.rename(&part_path, &path).and_then(|()| self.disk.sync_folder(&parent)).map_err(io)?;
        let file = File::open(&path).map_err(io)?;
        self.files.write().insert(wanted.key.clone(), Arc::new(file));
        Ok(())
    }

    async fn fetch_into(&self, bucket: &Bucket, wanted: &WholeObject, path: &Path) -> Result<(), ArchiveError> {
        let io = |source| ArchiveError::Io { path: path.to_owned(), source };
        let file = self.disk.create(path).map_err(io)?;
        let (mut crc, mut at) = (0, 0);
        while at < wanted.bytes {
            let end = wanted.bytes.min(at + PART_BYTES);
            for part in bucket.get_ranges(&wanted.key, std::slice::from_ref(&(at..end))).await? {
                file.write_at(&part, at).map_err(io)?;
                crc = crc32c::crc32c_append(crc, &part);
            }
            at = end;
        }
        if crc != wanted.crc32c {
            let what = format!("{}: its bytes have the CRC32C {crc:08x}, not {:08x}", wanted.key, wanted.crc32c);
            return Err(io(io::Error::other(what)));
        }
        file.sync().map_err(io)
    }
}

/// An object of which there should be a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WholeObject {
    /// Its key.
    pub(crate) key: String,
    /// Its length.
    pub(crate) bytes: u64,
    crc32c: u32,
}

impl WholeObject {
    /// Of all of it.
    pub(super) fn crc32c(&self) -> u32 {
        self.crc32c
    }
}

impl Archive {
    /// The key of the object that queries read of a segment.
    pub(crate) fn read_key(archived: &ArchivedSegment) -> String {
        let keys = Keys::of(&archived.id, &archived.name);
        if archived.id.signal == Signal::Metrics { keys.chunks } else { keys.rows }
    }

    /// The object that queries read of a segment.
    pub(crate) fn wanted(&self, archived: &ArchivedSegment) -> Result<WholeObject, ArchiveError> {
        let manifest = self.mended(archived, || self.manifest_of(archived))?;
        let of_name = archived.name.rsplit_once('-').and_then(|(_, crc32c)| u32::from_str_radix(crc32c, 16).ok());
        let key = Self::read_key(archived);
        let place = match (manifest.chunks_bytes(), manifest.chunks_crc32c()) {
            (Some(bytes), Some(crc32c)) => Some((bytes, crc32c)),
            _ => of_name.map(|crc32c| (manifest.bytes().0, crc32c)),
        };
        let (bytes, crc32c) = place.ok_or_else(|| ArchiveError::Foreign(key.clone()))?;
        Ok(WholeObject { key, bytes, crc32c })
    }

    /// Brings a copy of it here.
    pub(crate) fn keep_whole(&self, wanted: WholeObject) -> Result<(), ArchiveError> {
        let (kept, bucket) = (self.kept.clone(), self.reading());
        self.wait_or_stop(async move { kept.fetch(&bucket, &wanted).await })?
    }
}
