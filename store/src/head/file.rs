//! The head's rows of one journal file, whatever the signal: frames, the chains of rows of a trace, tallies.
//!
//! [`Rows`] says what differs: what is kept of a frame's items, and what of the file beside them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    ops::Deref,
    sync::Arc,
};

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};
use weir_proto::{Signal, TenantId, TraceId};

use super::payload::Payload;
use crate::{
    journal::{FrameHeader, JournalFile, SourceCursors, Tallies},
    ledger::Tally,
    offset::Offset,
    reject::{RejectReason, Rejection},
};

/// No earlier row of the trace in this file.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// What the head keeps of a frame's accepted items.
pub(crate) trait Rows: Debug + Send + Sync + Sized + 'static {
    /// Whose rows they are.
    const SIGNAL: Signal;
    /// What admission, or replay, makes of a payload.
    type Batch: Debug + Send + 'static;
    /// What a file keeps beside its frames, changed under its lock as frames come in.
    type Index: Debug + Default + Send;
    /// What a file keeps that is read without that lock.
    type Unlocked: Debug + Default + Send + Sync;

    /// Takes a frame's batch in.
    fn take_in(
        batch: Self::Batch,
        header: &FrameHeader,
        kept: (&mut Self::Index, &Self::Unlocked),
        place: RowsPlace<'_>,
    ) -> Self;

    /// How many.
    fn len(&self) -> usize;

    /// The trace of a row, if it has one, and the row of the same trace before it in the file, or [`NO_ROW`].
    fn in_trace(&self, row: usize) -> (Option<TraceId>, u32);

    /// How many were kept as they came.
    fn kept_at_once(&self) -> u64;

    /// Memory of the names that the frame had first.
    fn names_bytes(&self) -> u64 {
        0
    }
}

/// Where a frame's rows come to lie.
pub(crate) struct RowsPlace<'a> {
    /// The frame's.
    pub(crate) offset: Offset,
    /// The file's number of the first.
    pub(crate) first_row: u32,
    /// To link them to earlier rows of their traces.
    pub(crate) chains: Chains<'a>,
}

/// The rows of one journal file.
#[derive(Debug)]
pub(crate) struct HeadFile<R: Rows> {
    number: u32,
    journal: Arc<JournalFile>,
    frames: boxcar::Vec<HeadFrame<R>>,
    keys: TraceKeys,
    index: Mutex<FileIndex<R>>,
    pub(super) unlocked: R::Unlocked,
}

/// One frame's accepted items: its rows, and where they came from.
#[derive(Debug)]
pub(crate) struct HeadFrame<R> {
    pub(crate) offset: Offset,
    pub(crate) tenant: TenantId,
    pub(crate) received_at_ns: u64,
    /// The file's number of its first row.
    pub(crate) first_row: u32,
    pub(crate) payload: Payload,
    /// Items that head sampling dropped before they got here.
    head_dropped: u32,
    /// Accepted items that a damaged payload could not give.
    damaged: u64,
    /// Items that are not among the rows, by reason.
    rejected: Box<[(RejectReason, u64)]>,
    rows: R,
}

impl<R> Deref for HeadFrame<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.rows
    }
}

/// What the committer updates as frames come in.
#[derive(Debug)]
pub(super) struct FileIndex<R: Rows> {
    last_row: LastRows,
    pub(super) rows: u32,
    tallies: BTreeMap<TenantId, Tally>,
    /// Where sources stand behind its frames.
    cursors: SourceCursors,
    pub(super) of_signal: R::Index,
}

/// Trace (and tenant) to the last of its rows. Traces whose hashes collide share a chain; readers compare ids.
type LastRows = HashMap<u64, u32, BuildHasherDefault<IdentityHasher>>;

/// Hashes of traces, other ones in every process: senders choose the ids.
#[derive(Debug, Default)]
struct TraceKeys(RandomState);

impl TraceKeys {
    /// What a tenant's traces are told from other tenants' by.
    fn salt(&self, tenant: &TenantId) -> u64 {
        self.0.hash_one(tenant.as_str())
    }

    #[inline]
    fn of(&self, salt: u64, id: TraceId) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(id.0));
        hasher.finish() ^ salt
    }
}

/// The chains of a file's rows, for one tenant.
pub(crate) struct Chains<'a> {
    last_row: &'a mut LastRows,
    keys: &'a TraceKeys,
    salt: u64,
}

impl Chains<'_> {
    /// Rows of a trace have been added, the last of them this one: answers the last before, or [`NO_ROW`].
    #[inline]
    pub(crate) fn link(&mut self, trace: TraceId, last: u32) -> u32 {
        self.last_row.insert(self.keys.of(self.salt, trace), last).unwrap_or(NO_ROW)
    }
}

/// Keys are mixed already.
#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl<R: Rows> HeadFile<R> {
    /// A file without rows yet.
    pub(crate) fn new(journal: Arc<JournalFile>) -> Self {
        let index = FileIndex {
            last_row: LastRows::default(),
            rows: 0,
            tallies: BTreeMap::new(),
            cursors: SourceCursors::default(),
            of_signal: R::Index::default(),
        };
        Self {
            number: journal.number(),
            journal,
            frames: boxcar::Vec::new(),
            keys: TraceKeys::default(),
            index: Mutex::new(index),
            unlocked: R::Unlocked::default(),
        }
    }

    /// The journal file's number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The journal file behind the rows.
    pub(crate) fn journal(&self) -> &Arc<JournalFile> {
        &self.journal
    }

    /// Rows published so far.
    pub(crate) fn rows(&self) -> u64 {
        u64::from(self.lock().rows)
    }

    /// When the oldest frame arrived, Unix ns; 0 without frames.
    pub(crate) fn oldest_received_at_ns(&self) -> u64 {
        self.frames.get(0).map_or(0, |frame| frame.received_at_ns)
    }

    /// Adds a committed frame and answers its index. Only one thread does this at a time.
    pub(crate) fn publish(&self, offset: Offset, header: &FrameHeader, payload: Payload, batch: R::Batch) -> usize {
        let mut guard = self.lock();
        let index = &mut *guard;
        let first_row = index.rows;
        let chains = Chains { last_row: &mut index.last_row, keys: &self.keys, salt: self.keys.salt(&header.tenant) };
        let place = RowsPlace { offset, first_row, chains };
        let rows = R::take_in(batch, header, (&mut index.of_signal, &self.unlocked), place);
        index.rows += rows.len() as u32;
        let frame = HeadFrame {
            offset,
            tenant: header.tenant.clone(),
            received_at_ns: header.received_at_ns,
            head_dropped: header.head_dropped,
            first_row,
            // What is missing is accounted for, not forgotten.
            damaged: header.accepted().saturating_sub(rows.len() as u64),
            rejected: count_reasons(&header.rejected),
            rows,
            payload,
        };
        index.tallies.entry(header.tenant.clone()).or_default().add(&frame.tally());
        if !index.cursors.add_encoded(&header.cursor) {
            tracing::error!(%offset, "a frame's source cursor cannot be read: its source may be read again");
        }
        self.frames.push(frame)
    }

    /// Counts items that were acknowledged, or rejected, and that recovery could not find.
    pub(crate) fn add_damaged(&self, lost: &Tallies) {
        let mut index = self.lock();
        for (tenant, count) in lost.iter() {
            index.tallies.entry(tenant.clone()).or_default().add(&Tally::lost(count));
        }
    }

    /// Where sources stand behind the file's frames: those that it tells of.
    pub(crate) fn cursors(&self) -> SourceCursors {
        self.lock().cursors.clone()
    }

    /// The last frame's offset.
    pub(crate) fn end(&self) -> Offset {
        self.frames.get(self.frames.count().wrapping_sub(1)).map_or(Offset::default(), |frame| frame.offset)
    }

    /// What the file's frames at or before `visible` add up to. Of sampled items only that they were accepted: what became of
    /// them is `View::sampled`.
    pub(crate) fn tallies(&self, visible: Offset) -> BTreeMap<TenantId, Tally> {
        // Frames are added under the lock: those that are not visible are the last ones.
        let index = self.lock();
        let mut tallies = index.tallies.clone();
        for at in (0..self.frames.count()).rev() {
            let Some(frame) = self.frames.get(at).filter(|frame| frame.offset > visible) else { break };
            if let Some(tally) = tallies.get_mut(&frame.tenant) {
                tally.subtract(&frame.tally());
            }
        }
        tallies.retain(|_, tally| *tally != Tally::default());
        tallies
    }

    /// The frames at or before `visible`, oldest first.
    pub(crate) fn frames(&self, visible: Offset) -> impl Iterator<Item = &HeadFrame<R>> {
        self.frames.iter().map(|(_, frame)| frame).take_while(move |frame| frame.offset <= visible)
    }

    /// The frame at an index that [`Self::publish`] returned.
    pub(crate) fn frame(&self, index: usize) -> Option<&HeadFrame<R>> {
        self.frames.get(index)
    }

    /// How many frames there are.
    pub(super) fn frame_count(&self) -> usize {
        self.frames.count()
    }

    /// The rows of a trace, and perhaps of others whose hash is the same, newest first: their frames, and their places in them.
    pub(super) fn chain(&self, tenant: &TenantId, id: TraceId) -> impl Iterator<Item = (&HeadFrame<R>, usize)> {
        let newest = self.newest_row(tenant, id);
        let mut row = newest.unwrap_or(NO_ROW);
        std::iter::from_fn(move || {
            let found = (row != NO_ROW).then(|| self.row(row)).flatten()?;
            row = found.0.in_trace(found.1).1;
            Some(found)
        })
    }

    /// The indexes of the frames with rows of a trace, and perhaps of others whose hash is the same.
    pub(crate) fn frames_of_trace(&self, tenant: &TenantId, id: TraceId) -> Vec<u32> {
        let newest = self.newest_row(tenant, id);
        let mut frames: Vec<u32> = Vec::new();
        let mut row = newest.unwrap_or(NO_ROW);
        while row != NO_ROW
            && let Some((in_frame, index)) = self.row(row)
        {
            let frame = self.frame_of_row(row) as u32;
            if frames.last() != Some(&frame) {
                frames.push(frame);
            }
            row = in_frame.in_trace(index).1;
        }
        frames
    }

    /// The last row of a trace, or of one whose hash is the same.
    fn newest_row(&self, tenant: &TenantId, id: TraceId) -> Option<u32> {
        let key = self.keys.of(self.keys.salt(tenant), id);
        self.lock().last_row.get(&key).copied()
    }

    /// The frame of a row, and the row's place in it.
    fn row(&self, row: u32) -> Option<(&HeadFrame<R>, usize)> {
        let frame = self.frames.get(self.frame_of_row(row))?;
        let index = row.checked_sub(frame.first_row)? as usize;
        (index < frame.len()).then_some((frame, index))
    }

    /// The index of the frame that a row is in, when it is in one.
    fn frame_of_row(&self, row: u32) -> usize {
        let (mut low, mut high) = (0, self.frames.count());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.frames.get(middle) {
                Some(frame) if frame.first_row + (frame.len() as u32) <= row => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// A panic while the lock was held leaves counts, not memory, in doubt: go on.
    pub(super) fn lock(&self) -> MutexGuard<'_, FileIndex<R>> {
        self.index.lock()
    }
}

impl<R: Rows> HeadFrame<R> {
    /// What it adds to the ledger, but for what becomes of sampled items.
    fn tally(&self) -> Tally {
        let rejected = self.rejected.iter().map(|&(reason, items)| (reason.name().to_owned(), items)).collect();
        Tally {
            accepted: self.rows.len() as u64 + self.damaged + u64::from(self.head_dropped),
            kept: self.rows.kept_at_once(),
            damaged: self.damaged,
            dropped: Tally::head_dropped(u64::from(self.head_dropped)),
            rejected,
            ..Tally::default()
        }
    }
}

fn count_reasons(rejected: &[Rejection]) -> Box<[(RejectReason, u64)]> {
    let count = |reason| rejected.iter().filter(|rejection| rejection.reason == reason).count() as u64;
    let counts = RejectReason::ALL.into_iter().map(|reason| (reason, count(reason)));
    counts.filter(|&(_, items)| items > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::colliding::{id, is_spread};

    #[test]
    fn ids_that_are_made_to_collide_do_not() {
        let keys = TraceKeys::default();
        let salt = keys.salt(&TenantId::default());
        assert!(is_spread((0..40_960).map(|n| keys.of(salt, id(n)))));
        assert!(is_spread((0..40_960u128).map(|n| keys.of(salt, TraceId(n.to_be_bytes())))), "counted ids");
        let others = TraceKeys::default();
        assert!((0..8).any(|n| keys.of(0, id(n)) != others.of(0, id(n))), "nobody can work it out");
    }
}
