//! An object of the bucket, read in blocks that a cache keeps.

use std::{collections::BTreeSet, io, ops::Range, os::unix::fs::FileExt, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use super::{
    bucket::{Bucket, BucketError},
    cache::{BLOCK_BYTES, BlockKey, Cache},
    kept::Kept,
};
use crate::segment::ReadObject;

/// A read waits for its answer so long: the query behind it has a turn that others want.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// An object, of which nothing is in memory.
#[derive(Debug)]
pub(crate) struct Object {
    key: Arc<str>,
    bytes: u64,
    bucket: Bucket,
    cache: Arc<Cache>,
    kept: Arc<Kept>,
    runtime: Handle,
    /// Blocks that somebody asks the bucket for: whoever wants them, too, waits for that one answer.
    under_way: Mutex<BTreeSet<u64>>,
    answered: Condvar,
}

impl Object {
    /// The one at `key`, which has so many bytes, of which some or all may be here.
    pub(crate) fn new(
        key: String,
        bytes: u64,
        bucket: Bucket,
        (cache, kept): (Arc<Cache>, Arc<Kept>),
        runtime: Handle,
    ) -> Self {
        let (under_way, answered) = Default::default();
        Self { key: key.into(), bytes, bucket, cache, kept, runtime, under_way, answered }
    }

    fn block_key(&self, block: u64) -> BlockKey {
        (self.key.clone(), block)
    }

    fn bytes_of(&self, block: u64) -> Range<u64> {
        block * BLOCK_BYTES..self.bytes.min((block + 1) * BLOCK_BYTES)
    }

    /// Reads what the cache has of the bytes at `start`; the blocks that it has not.
    fn read_cached(&self, start: u64, into: &mut [u8]) -> Vec<u64> {
        let end = start + into.len() as u64;
        let mut missing = Vec::new();
        for block in start / BLOCK_BYTES..=(end - 1) / BLOCK_BYTES {
            let (bytes, part) = (self.bytes_of(block), overlap(&self.bytes_of(block), &(start..end)));
            let place = (part.start - start) as usize..(part.end - start) as usize;
            if !self.cache.read(&self.block_key(block), part.start - bytes.start, &mut into[place]) {
                missing.push(block);
            }
        }
        missing
    }

    /// Waits while somebody else asks for one of these; false when nobody does.
    fn waits_for(&self, blocks: &[u64]) -> bool {
        let mut under_way = self.under_way.lock();
        let is_asked_for = |under_way: &mut BTreeSet<u64>| blocks.iter().any(|block| under_way.contains(block));
        if !is_asked_for(&mut under_way) {
            return false;
        }
        self.answered.wait_while_for(&mut under_way, is_asked_for, ANSWER_MAX);
        true
    }

    /// Takes those of the blocks that nobody asks for yet, and waits for the others.
    fn take_or_wait(&self, blocks: &[u64]) -> Vec<u64> {
        let mut under_way = self.under_way.lock();
        let mine: Vec<u64> = blocks.iter().copied().filter(|block| !under_way.contains(block)).collect();
        if mine.is_empty() {
            let is_asked_for = |under_way: &mut BTreeSet<u64>| blocks.iter().any(|block| under_way.contains(block));
            self.answered.wait_while_for(&mut under_way, is_asked_for, ANSWER_MAX);
        }
        under_way.extend(&mine);
        mine
    }

    /// Reads these blocks from the bucket, unless somebody else does; the calling thread waits. Those that somebody else read are in the
    /// cache, if it has room.
    fn fetch_shared(&self, blocks: &[u64]) -> io::Result<()> {
        let mine = self.take_or_wait(blocks);
        if mine.is_empty() {
            return Ok(());
        }
        let fetched = self.fetch(&mine);
        self.under_way.lock().retain(|block| !mine.contains(block));
        self.answered.notify_all();
        fetched.map(drop)
    }

    /// Reads these blocks from the bucket; the calling thread waits.
    fn fetch(&self, blocks: &[u64]) -> io::Result<Vec<Bytes>> {
        let ranges: Vec<Range<u64>> = blocks.iter().map(|&block| self.bytes_of(block)).collect();
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let (sender, receiver) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            // Nobody may be waiting any more.
            let _ = sender.send(bucket.get_ranges(&key, &ranges).await);
        });
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the archive does not answer");
        let read = receiver.recv_timeout(ANSWER_MAX).map_err(late)?.map_err(|error| match error {
            BucketError::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, error),
            other => io::Error::other(other),
        })?;
        for (&block, bytes) in blocks.iter().zip(&read) {
            self.cache.keep(self.block_key(block), bytes);
        }
        Ok(read)
    }
}

impl ReadObject for Object {
    fn name(&self) -> &str {
        &self.key
    }

    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        let end = start + into.len() as u64;
        if end > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if into.is_empty() {
            return Ok(());
        }
        // A copy that cannot be read any more is as good as none.
        if self.kept.file(&self.key).is_some_and(|file| file.read_exact_at(into, start).is_ok()) {
            return Ok(());
        }
        let mut missing = self.read_cached(start, into);
        if !missing.is_empty() && self.waits_for(&missing) {
            missing = self.read_cached(start, into);
        }
        if missing.is_empty() {
            return Ok(());
        }
        for (&block, fetched) in missing.iter().zip(self.fetch(&missing)?) {
            let bytes = self.bytes_of(block);
            let part = overlap(&bytes, &(start..end));
            let from = (part.start - bytes.start) as usize..(part.end - bytes.start) as usize;
            let place = (part.start - start) as usize..(part.end - start) as usize;
            let found = fetched.get(from).ok_or(io::ErrorKind::UnexpectedEof)?;
            into[place].copy_from_slice(found);
        }
        Ok(())
    }

    fn prefetch(&self, ranges: &[Range<u64>]) {
        if self.kept.file(&self.key).is_some() {
            return;
        }
        let mut blocks: Vec<u64> = ranges
            .iter()
            .filter(|range| range.start < range.end && range.end <= self.bytes)
            .flat_map(|range| range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES)
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks.retain(|&block| !self.cache.has(&self.block_key(block)));
        if blocks.len() > 1 {
            // Whoever reads them then says what is wrong.
            let _ = self.fetch_shared(&blocks);
        }
    }

    fn forget(&self, range: Range<u64>) {
        self.kept.forget(&self.key);
        if range.start < range.end && range.end <= self.bytes {
            for block in range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES {
                self.cache.forget(&self.block_key(block));
            }
        }
    }
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> Range<u64> {
    one.start.max(other.start)..one.end.min(other.end)
}
