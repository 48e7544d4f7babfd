//! The head's rows of one journal file: frames of summaries, a trace index, operations and tallies.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasherDefault,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use weir_proto::{TenantId, TraceId};

use super::{
    payload::Payload,
    summary::{BatchSummaries, NO_ROW, SpanSummary},
};
use crate::{
    Offset, Operation, RejectReason, Rejection, Tally,
    journal::{FrameHeader, JournalFile, Tallies},
};

/// The rows of one journal file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    number: u32,
    journal: Arc<JournalFile>,
    frames: boxcar::Vec<HeadFrame>,
    index: Mutex<Index>,
}

/// One frame's accepted spans.
#[derive(Debug)]
pub(crate) struct HeadFrame {
    pub(crate) offset: Offset,
    pub(crate) tenant: TenantId,
    pub(crate) received_at_ns: u64,
    /// The file's row number of `spans[0]`.
    pub(crate) first_row: u32,
    pub(crate) spans: Box<[SpanSummary]>,
    pub(crate) payload: Payload,
    /// Accepted spans that a damaged payload could not give.
    damaged: u64,
    /// Spans that are not in `spans`, by reason.
    rejected: Box<[(RejectReason, u64)]>,
}

/// An operation of one tenant in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HeadOperation {
    pub(crate) tenant: TenantId,
    pub(crate) service: Box<[u8]>,
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: i32,
}

/// What the committer updates as frames come in.
#[derive(Debug, Default)]
struct Index {
    /// Trace (and tenant) to the last of its rows. Traces whose hashes collide share a chain; readers compare ids.
    last_row: HashMap<u64, u32, BuildHasherDefault<IdentityHasher>>,
    operations: Vec<Arc<HeadOperation>>,
    /// For each operation, the frame that had it first.
    operations_from: Vec<Offset>,
    operation_ids: HashMap<Arc<HeadOperation>, u32, foldhash::fast::FixedState>,
    rows: u32,
    tallies: BTreeMap<TenantId, Tally>,
}

/// Keys are mixed already.
#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl std::hash::Hasher for IdentityHasher {
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

impl HeadFile {
    /// A file without rows yet.
    pub(crate) fn new(journal: Arc<JournalFile>) -> Self {
        Self { number: journal.number(), journal, frames: boxcar::Vec::new(), index: Mutex::default() }
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
    pub(crate) fn publish(
        &self,
        offset: Offset,
        header: &FrameHeader,
        payload: Payload,
        batch: BatchSummaries,
    ) -> usize {
        let mut guard = self.lock();
        let index = &mut *guard;
        let ids: Vec<u32> = (batch.operations.iter())
            .map(|operation| {
                let (service, name) = batch.operation_texts(operation);
                index.operation_id(offset, &header.tenant, service, name, operation.kind)
            })
            .collect();
        let first_row = index.rows;
        let salt = tenant_salt(&header.tenant);
        let mut spans = batch.spans.into_boxed_slice();
        for (row, span) in (first_row..).zip(spans.iter_mut()) {
            span.operation = ids[span.operation as usize];
            let previous = index.last_row.insert(span.trace_id.hash64() ^ salt, row);
            span.previous_in_trace = previous.unwrap_or(NO_ROW);
        }
        index.rows += spans.len() as u32;
        let frame = HeadFrame {
            offset,
            tenant: header.tenant.clone(),
            received_at_ns: header.received_at_ns,
            first_row,
            // What is missing is accounted for, not forgotten.
            damaged: header.accepted().saturating_sub(spans.len() as u64),
            rejected: count_reasons(&header.rejected),
            spans,
            payload,
        };
        index.tallies.entry(header.tenant.clone()).or_default().add(&frame.tally());
        self.frames.push(frame)
    }

    /// Counts items that were acknowledged, or rejected, and that recovery could not find.
    pub(crate) fn add_damaged(&self, lost: &Tallies) {
        let mut index = self.lock();
        for (tenant, count) in lost.iter() {
            let tally = index.tallies.entry(tenant.clone()).or_default();
            tally.add(&Tally { damaged: count.accepted, ..Tally::of_count(count) });
        }
    }

    /// The last frame's offset.
    pub(crate) fn end(&self) -> Offset {
        self.frames.get(self.frames.count().wrapping_sub(1)).map_or(Offset::default(), |frame| frame.offset)
    }

    /// What the file's frames at or before `visible` add up to.
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
    pub(crate) fn frames(&self, visible: Offset) -> impl Iterator<Item = &HeadFrame> {
        self.frames.iter().map(|(_, frame)| frame).take_while(move |frame| frame.offset <= visible)
    }

    /// The frame at an index that [`Self::publish`] returned.
    pub(crate) fn frame(&self, index: usize) -> Option<&HeadFrame> {
        self.frames.get(index)
    }

    /// The rows of a trace at or before `visible`, newest first: each with its frame.
    pub(crate) fn trace_rows(
        &self,
        tenant: &TenantId,
        id: TraceId,
        visible: Offset,
    ) -> Vec<(&HeadFrame, &SpanSummary)> {
        let newest = self.lock().last_row.get(&(id.hash64() ^ tenant_salt(tenant))).copied();
        let mut rows = Vec::new();
        let mut row = newest.unwrap_or(NO_ROW);
        while row != NO_ROW {
            let Some((frame, span)) = self.row(row) else { break };
            if frame.offset <= visible && span.trace_id == id && frame.tenant == *tenant {
                rows.push((frame, span));
            }
            row = span.previous_in_trace;
        }
        rows
    }

    /// Which operations fit, by their number in [`SpanSummary::operation`].
    pub(crate) fn matching_operations(&self, fits: impl Fn(&HeadOperation) -> bool) -> Vec<bool> {
        let operations = self.lock().operations.clone();
        operations.iter().map(|operation| fits(operation)).collect()
    }

    /// The tenant's operations at or before `visible`.
    pub(crate) fn operations(&self, tenant: &TenantId, visible: Offset) -> Vec<Operation> {
        let index = self.lock();
        (index.operations.iter().zip(&index.operations_from))
            .filter(|(operation, from)| operation.tenant == *tenant && **from <= visible)
            .map(|(operation, _)| Operation {
                service: String::from_utf8_lossy(&operation.service).into_owned(),
                name: String::from_utf8_lossy(&operation.name).into_owned(),
                kind: operation.kind,
            })
            .collect()
    }

    fn row(&self, row: u32) -> Option<(&HeadFrame, &SpanSummary)> {
        let (mut low, mut high) = (0, self.frames.count());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.frames.get(middle) {
                Some(frame) if frame.first_row + (frame.spans.len() as u32) <= row => low = middle + 1,
                _ => high = middle,
            }
        }
        let frame = self.frames.get(low)?;
        Some((frame, frame.spans.get(row.checked_sub(frame.first_row)? as usize)?))
    }

    /// A panic while the lock was held leaves counts, not memory, in doubt: go on.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn operation_id(&mut self, offset: Offset, tenant: &TenantId, service: &[u8], name: &[u8], kind: i32) -> u32 {
        let operation = HeadOperation { tenant: tenant.clone(), service: service.into(), name: name.into(), kind };
        if let Some(&id) = self.operation_ids.get(&operation) {
            return id;
        }
        let operation = Arc::new(operation);
        let id = self.operations.len() as u32;
        self.operations.push(operation.clone());
        self.operations_from.push(offset);
        self.operation_ids.insert(operation, id);
        id
    }
}

impl HeadFrame {
    /// What it adds to the ledger.
    fn tally(&self) -> Tally {
        let kept = self.spans.len() as u64;
        let rejected = self.rejected.iter().map(|&(reason, items)| (reason.name().to_owned(), items)).collect();
        Tally { accepted: kept + self.damaged, kept, damaged: self.damaged, rejected, ..Tally::default() }
    }
}

fn count_reasons(rejected: &[Rejection]) -> Box<[(RejectReason, u64)]> {
    let count = |reason| rejected.iter().filter(|rejection| rejection.reason == reason).count() as u64;
    let counts = RejectReason::ALL.into_iter().map(|reason| (reason, count(reason)));
    counts.filter(|&(_, items)| items > 0).collect()
}

fn tenant_salt(tenant: &TenantId) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(tenant.as_str())
}
