//! `traces.idx`: finds the rows of a trace with one small read.
//!
//! Entries lie in buckets by the top bits of [`TraceId::hash64`]; a bucket is a few hundred bytes under a checksum of its own.
//! The directory of bucket lengths is small and stays in memory.

use std::ops::Range;

use weir_proto::TraceId;

use super::SegmentError;

const MAGIC: [u8; 8] = *b"WEIRTIX1";
const HEADER_BYTES: usize = 32;
/// Entries that a bucket is sized for.
const BUCKET_ENTRIES: u64 = 96;
const BUCKET_BITS_MAX: u32 = 24;
/// A stretch is at most so long: its rows' trace ids are all looked at, eight pages of codes. Short in tests of development
/// builds, so that they meet the edges.
const STRETCH_ROWS_MAX: u32 = if cfg!(all(test, debug_assertions)) { 1500 } else { 1 << 16 };
/// Two bytes of hash, two of extent; the first row's bytes come in between.
const ENTRY_FIXED_BYTES: usize = 4;
const CRC_BYTES: usize = 4;

/// Rows among which a trace's rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// First row of the segment.
    pub(super) first: u64,
    /// Rows from the first to the last, both included.
    pub(super) rows: u32,
}

/// Rows between two stretches that are read as well as not: about a page, which is decoded whole.
const GAP_ROWS_MAX: u64 = 8192;

/// Stretches (ascending) as ranges of rows without overlap. Neighbours become one: so what is read is at most every row once, also
/// when somebody made thousands of ids with the same hash.
pub(super) fn joined(extents: &[Extent]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for extent in extents {
        let end = extent.first + u64::from(extent.rows);
        match ranges.last_mut() {
            Some(last) if extent.first <= last.end + GAP_ROWS_MAX => last.end = last.end.max(end),
            _ => ranges.push(extent.first..end),
        }
    }
    ranges
}

/// One stretch of a trace, under its full hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u64,
    first: u32,
    last: u32,
}

/// Collects stretches while rows are added in order.
#[derive(Debug, Default)]
pub(super) struct TraceIndexBuilder {
    entries: Vec<Entry>,
}

impl TraceIndexBuilder {
    /// A trace's row begins a new stretch; returns its number, for [`Self::extend`].
    #[inline]
    pub(super) fn begin(&mut self, hash: u64, row: u32) -> u32 {
        self.entries.push(Entry { hash, first: row, last: row });
        self.entries.len() as u32 - 1
    }

    /// A further row of the trace whose latest stretch has this number; returns the number of the stretch it went to.
    #[inline]
    pub(super) fn extend(&mut self, stretch: u32, row: u32) -> u32 {
        let entry = &mut self.entries[stretch as usize];
        if row - entry.first < STRETCH_ROWS_MAX {
            entry.last = row;
            return stretch;
        }
        let hash = entry.hash;
        self.begin(hash, row)
    }

    /// Forgets them; memory stays.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.entries.capacity() as u64 * 16
    }

    /// The file's bytes, and how many of them are header and directory.
    pub(super) fn finish(&self, rows: u64) -> (Vec<u8>, u32) {
        let mut entries = self.entries.clone();
        entries.sort_unstable();
        let buckets_wanted = (entries.len() as u64).div_ceil(BUCKET_ENTRIES).max(1);
        let bits = (64 - (buckets_wanted - 1).leading_zeros()).min(BUCKET_BITS_MAX);
        let buckets = 1usize << bits;
        let row_bytes = (64 - rows.max(1).leading_zeros()).div_ceil(8) as usize;
        let mut bodies = Vec::with_capacity(entries.len() * (ENTRY_FIXED_BYTES + row_bytes) + buckets * CRC_BYTES);
        let mut counts = Vec::with_capacity(buckets);
        let mut from = 0;
        for bucket in 0..buckets {
            let end = from + entries[from..].partition_point(|entry| bucket_of(entry.hash, bits) <= bucket as u64);
            let start = bodies.len();
            for entry in &entries[from..end] {
                bodies.extend_from_slice(&remainder_of(entry.hash, bits).to_le_bytes());
                bodies.extend_from_slice(&entry.first.to_le_bytes()[..row_bytes]);
                bodies.extend_from_slice(&((entry.last - entry.first) as u16).to_le_bytes());
            }
            let crc = bucket_crc(bucket, &bodies[start..]);
            bodies.extend_from_slice(&crc.to_le_bytes());
            counts.push((end - from) as u32);
            from = end;
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + buckets * 4 + CRC_BYTES + bodies.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&bits.to_le_bytes());
        bytes.extend_from_slice(&(row_bytes as u32).to_le_bytes());
        bytes.extend_from_slice(&rows.to_le_bytes());
        bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
        for count in &counts {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let header_bytes = bytes.len() as u32;
        bytes.extend_from_slice(&bodies);
        (bytes, header_bytes)
    }
}

/// The header and directory of an index file.
#[derive(Debug)]
pub(super) struct TraceIndex {
    bits: u32,
    row_bytes: usize,
    rows: u64,
    /// Where each bucket starts in the file; one more entry for the end.
    starts: Vec<u64>,
}

impl TraceIndex {
    /// Reads header and directory; `file_bytes` is the length of the whole file.
    pub(super) fn read(header: &[u8], file_bytes: u64) -> Result<Self, SegmentError> {
        let damaged = |what: &str| SegmentError::damaged(format!("traces.idx: {what}"));
        let (body, crc) = header.split_last_chunk::<CRC_BYTES>().ok_or_else(|| damaged("short header"))?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(damaged("header checksum"));
        }
        if body.len() < HEADER_BYTES || body[..8] != MAGIC {
            return Err(damaged("header"));
        }
        let word = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four bytes"));
        let (bits, row_bytes) = (word(8), word(12) as usize);
        let rows = u64::from_le_bytes(body[16..24].try_into().expect("eight bytes"));
        if bits > BUCKET_BITS_MAX || row_bytes > 4 || body.len() != HEADER_BYTES + (4 << bits) {
            return Err(damaged("header"));
        }
        let mut start = header.len() as u64;
        let mut starts = vec![start];
        for count in body[HEADER_BYTES..].chunks_exact(4) {
            let count = u32::from_le_bytes(count.try_into().expect("four bytes"));
            start += u64::from(count) * (ENTRY_FIXED_BYTES + row_bytes) as u64 + CRC_BYTES as u64;
            starts.push(start);
        }
        if start != file_bytes {
            return Err(damaged("length"));
        }
        Ok(Self { bits, row_bytes, rows, starts })
    }

    /// Where in the file a trace's bucket lies: start and length.
    pub(super) fn bucket(&self, trace: TraceId) -> (u64, usize) {
        let bucket = bucket_of(trace.hash64(), self.bits) as usize;
        (self.starts[bucket], (self.starts[bucket + 1] - self.starts[bucket]) as usize)
    }

    /// The stretches that may hold rows of the trace, in row order, from its bucket's bytes.
    pub(super) fn find(&self, trace: TraceId, bucket_bytes: &[u8]) -> Result<Vec<Extent>, SegmentError> {
        let hash = trace.hash64();
        let bucket = bucket_of(hash, self.bits) as usize;
        let damaged = || SegmentError::damaged(format!("traces.idx: bucket {bucket}"));
        let (body, crc) = bucket_bytes.split_last_chunk::<CRC_BYTES>().ok_or_else(damaged)?;
        if bucket_crc(bucket, body) != u32::from_le_bytes(*crc) {
            return Err(damaged());
        }
        let wanted = remainder_of(hash, self.bits).to_le_bytes();
        let mut extents = Vec::new();
        for entry in body.chunks_exact(ENTRY_FIXED_BYTES + self.row_bytes) {
            if entry[..2] != wanted {
                continue;
            }
            let mut first = [0; 8];
            first[..self.row_bytes].copy_from_slice(&entry[2..2 + self.row_bytes]);
            let first = u64::from_le_bytes(first);
            let beyond = u16::from_le_bytes(entry[2 + self.row_bytes..].try_into().expect("two bytes"));
            let rows = u32::from(beyond) + 1;
            if first + u64::from(rows) > self.rows {
                return Err(damaged());
            }
            extents.push(Extent { first, rows });
        }
        extents.sort_unstable_by_key(|extent| extent.first);
        Ok(extents)
    }

    /// Looks at every bucket of the whole file.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), SegmentError> {
        for (bucket, range) in self.starts.windows(2).enumerate() {
            let body =
                bytes.get(range[0] as usize..range[1] as usize).and_then(|bytes| bytes.split_last_chunk::<CRC_BYTES>());
            if body.is_none_or(|(body, crc)| bucket_crc(bucket, body) != u32::from_le_bytes(*crc)) {
                return Err(SegmentError::damaged(format!("traces.idx: bucket {bucket}")));
            }
        }
        Ok(())
    }

    /// Bytes held in memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.starts.len() as u64 * 8
    }
}

fn bucket_of(hash: u64, bits: u32) -> u64 {
    if bits == 0 { 0 } else { hash >> (64 - bits) }
}

/// The sixteen bits below those that chose the bucket.
fn remainder_of(hash: u64, bits: u32) -> u16 {
    (hash << bits >> 48) as u16
}

/// The bucket's number is part of the checksum: a misplaced bucket does not pass.
fn bucket_crc(bucket: usize, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&(bucket as u32).to_le_bytes()), body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::colliding;

    fn trace(n: u64) -> TraceId {
        TraceId((u128::from(n) + 1).to_be_bytes())
    }

    fn build() -> (Vec<u8>, u32) {
        let mut builder = TraceIndexBuilder::default();
        let mut stretches = std::collections::HashMap::new();
        for row in 0..200_000u32 {
            let n = u64::from(row % 1000);
            match stretches.get(&n) {
                None => stretches.insert(n, builder.begin(trace(n).hash64(), row)),
                Some(&stretch) => stretches.insert(n, builder.extend(stretch, row)),
            };
        }
        builder.finish(200_000)
    }

    #[test]
    fn finds_every_row_of_a_trace() {
        let (bytes, header) = build();
        let index = TraceIndex::read(&bytes[..header as usize], bytes.len() as u64).expect("own bytes");
        for n in 0..1000 {
            let (start, len) = index.bucket(trace(n));
            assert!(len < 16_384);
            let extents = index.find(trace(n), &bytes[start as usize..start as usize + len]).expect("intact");
            let covers = |row: u64| extents.iter().any(|e| (e.first..e.first + u64::from(e.rows)).contains(&row));
            assert!((0..200).all(|round| covers(round * 1000 + n)), "{n} {extents:?}");
            assert!(extents.iter().all(|extent| extent.rows <= STRETCH_ROWS_MAX));
        }
    }

    #[test]
    fn thousands_of_ids_with_one_hash_are_read_once() {
        let mut builder = TraceIndexBuilder::default();
        let rows = 400_000u64;
        for row in 0..rows {
            builder.begin(colliding::id(row).hash64(), row as u32);
        }
        let (bytes, header) = builder.finish(rows);
        let index = TraceIndex::read(&bytes[..header as usize], bytes.len() as u64).expect("own bytes");
        let (start, len) = index.bucket(colliding::id(77));
        let extents = index.find(colliding::id(77), &bytes[start as usize..][..len]).expect("intact");
        assert_eq!(extents.len() as u64, rows, "the hash tells none of them apart");
        assert_eq!(joined(&extents), std::slice::from_ref(&(0..rows)));
        let apart = [Extent { first: 5, rows: 3 }, Extent { first: 6, rows: 1 }, Extent { first: 100_000, rows: 2 }];
        assert_eq!(joined(&apart), [5..8, 100_000..100_002]);
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let (bytes, header) = build();
        let header = header as usize;
        for at in (0..header).step_by(3) {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(TraceIndex::read(&bad[..header], bad.len() as u64).is_err(), "{at}");
        }
        let index = TraceIndex::read(&bytes[..header], bytes.len() as u64).expect("own bytes");
        let (start, len) = index.bucket(trace(5));
        for at in 0..len {
            let mut bucket = bytes[start as usize..start as usize + len].to_vec();
            bucket[at] ^= 1 << (at % 8);
            assert!(index.find(trace(5), &bucket).is_err(), "{at}");
        }
    }
}
