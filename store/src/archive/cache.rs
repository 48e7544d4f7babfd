//! What was read from the bucket, in blocks on local disk, within a budget: those that nobody has asked for longest go first.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge, register_int_counter, register_int_gauge};

use crate::disk::Disk;

/// Bytes of a block. Few in tests, so that reads meet their edges.
pub(crate) const BLOCK_BYTES: u64 = if cfg!(test) { 1 << 12 } else { 256 << 10 };

static CACHE_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_archive_cache_bytes", "Bytes of the archive that are cached on local disk.")
        .expect("registered once")
});
static CACHE_HITS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_archive_cache_hits_total", "Blocks of the archive that the cache had.")
        .expect("registered once")
});
static CACHE_MISSES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_archive_cache_misses_total", "Blocks of the archive that the bucket was asked for.")
        .expect("registered once")
});

/// A block of an object.
pub(crate) type BlockKey = (Arc<str>, u64);

/// The cache. What it holds needs no sync: after a start it is empty.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    disk: Disk,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blocks: HashMap<BlockKey, Block>,
    /// By when they were used last.
    order: BTreeMap<u64, BlockKey>,
    bytes: u64,
    uses: u64,
    files: u64,
}

#[derive(Debug)]
struct Block {
    /// Open: a block that is thrown out meanwhile can still be read.
    file: Arc<File>,
    number: u64,
    bytes: u64,
    used: u64,
}

impl Cache {
    /// An empty one in `folder`, in which there is nothing else.
    pub(crate) fn create(folder: &Path, bytes_max: u64, disk: Disk) -> io::Result<Self> {
        match disk.remove_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        disk.make_folders(folder)?;
        Ok(Self { folder: folder.to_owned(), bytes_max, disk, state: Mutex::default() })
    }

    /// Reads from a block; false when it is not there.
    pub(crate) fn read(&self, key: &BlockKey, at: u64, into: &mut [u8]) -> bool {
        let file = {
            let mut state = self.state.lock();
            state.touch(key)
        };
        // A file that cannot be read any more is as good as none.
        let is_there = file.is_some_and(|file| file.read_exact_at(into, at).is_ok());
        (if is_there { &CACHE_HITS } else { &CACHE_MISSES }).inc();
        is_there
    }

    /// Whether a block is there.
    pub(crate) fn has(&self, key: &BlockKey) -> bool {
        self.state.lock().blocks.contains_key(key)
    }

    /// Keeps a block, if there is room on the disk. Whoever has it does not need it from here.
    pub(crate) fn keep(&self, key: BlockKey, bytes: &[u8]) {
        if bytes.len() as u64 > self.bytes_max || self.has(&key) {
            return;
        }
        let number = {
            let mut state = self.state.lock();
            state.files += 1;
            state.files
        };
        let path = self.path(number);
        let written = self.disk.create(&path).and_then(|file| file.write_at(bytes, 0).and_then(|()| file.reader()));
        let file = match written {
            Ok(file) => Arc::new(file),
            Err(error) => {
                tracing::debug!(%error, "the archive's cache cannot keep a block");
                let _ = self.disk.unlink(&path);
                return;
            }
        };
        let mut state = self.state.lock();
        state.uses += 1;
        let used = state.uses;
        let block = Block { file, number, bytes: bytes.len() as u64, used };
        state.bytes += block.bytes;
        state.order.insert(used, key.clone());
        let mut gone: Vec<u64> =
            state.blocks.insert(key, block).into_iter().map(|twice| state.let_go(&twice)).collect();
        while state.bytes > self.bytes_max {
            let Some((_, oldest)) = state.order.pop_first() else { break };
            if let Some(block) = state.blocks.remove(&oldest) {
                gone.push(state.let_go(&block));
            }
        }
        CACHE_BYTES.set(state.bytes as i64);
        drop(state);
        for number in gone {
            let _ = self.disk.unlink(&self.path(number));
        }
    }

    /// A block is not what it should be.
    pub(crate) fn forget(&self, key: &BlockKey) {
        let number = {
            let mut state = self.state.lock();
            let Some(block) = state.blocks.remove(key) else { return };
            let number = state.let_go(&block);
            CACHE_BYTES.set(state.bytes as i64);
            number
        };
        let _ = self.disk.unlink(&self.path(number));
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }
}

impl State {
    fn touch(&mut self, key: &BlockKey) -> Option<Arc<File>> {
        self.uses += 1;
        let block = self.blocks.get_mut(key)?;
        self.order.remove(&block.used);
        block.used = self.uses;
        self.order.insert(self.uses, key.clone());
        Some(block.file.clone())
    }

    fn let_go(&mut self, block: &Block) -> u64 {
        self.bytes -= block.bytes;
        self.order.remove(&block.used);
        block.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::create(&folder.path().join("cache"), 30, Disk::default()).expect("made");
        let key = |n| (Arc::from("object"), n);
        let has = |n| cache.has(&key(n));
        for n in 0..3 {
            cache.keep(key(n), &[n as u8; 10]);
        }
        let mut read = [0; 2];
        assert!(cache.read(&key(0), 3, &mut read));
        assert_eq!(read, [0, 0]);
        cache.keep(key(3), &[3; 10]);
        assert_eq!([has(0), has(1), has(2), has(3)], [true, false, true, true]);
        assert!(!cache.read(&key(1), 0, &mut read));
        cache.keep(key(4), &[4; 31]);
        assert!(!has(4));
        let files = || std::fs::read_dir(folder.path().join("cache")).expect("there").count();
        assert_eq!(files(), 3);
        cache.forget(&key(2));
        cache.forget(&key(2));
        assert_eq!((has(2), has(3), files()), (false, true, 2));
        let again = Cache::create(&folder.path().join("cache"), 30, Disk::default()).expect("made");
        assert!(!again.has(&key(0)));
    }
    #[test]
    fn a_full_disk_keeps_nothing_and_breaks_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::default();
        let cache = Cache::create(&folder.path().join("cache"), 1000, disk.clone()).expect("made");
        let key = |n| (Arc::from("object"), n);
        disk.faults().set_space_bytes(15);
        cache.keep(key(0), &[1; 10]);
        cache.keep(key(1), &[2; 10]);
        let mut read = [0; 10];
        assert!(cache.read(&key(0), 0, &mut read) && read == [1; 10]);
        assert!(!cache.has(&key(1)) && !cache.read(&key(1), 0, &mut read));
        let files = std::fs::read_dir(folder.path().join("cache")).expect("there").count();
        assert_eq!(files, 1, "nothing is left of what did not fit");
        disk.faults().set_space_bytes(u64::MAX);
        cache.keep(key(1), &[2; 10]);
        assert!(cache.has(&key(1)));
    }
}
