//! The head's rows of one journal file: frames of summaries, a trace index, operations and tallies.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use foldhash::quality::RandomState;
use weir_proto::{TenantId, TraceId};

use super::{
    cut::Cut,
    payload::Payload,
    summary::{BatchSummaries, NO_ROW, SpanSummary},
};
use crate::{
    Offset, Operation, Operations, RejectReason, Rejection, Tally,
    journal::{FrameHeader, JournalFile, Tallies},
    sampling::{FrameTraces, SpanStanding, VerdictNo},
};

/// Operations that are shown between two looks at the clock.
const OPERATIONS_BETWEEN: usize = 1024;

/// The rows of one journal file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    number: u32,
    journal: Arc<JournalFile>,
    frames: boxcar::Vec<HeadFrame>,
    /// By their numbers; read without the lock. Added under it.
    operations: boxcar::Vec<Arc<HeadOperation>>,
    keys: TraceKeys,
    index: Mutex<Index>,
    decided: OnceLock<Decided>,
}

/// What the verdicts made of a closed file, when all its spans had one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decided {
    /// When that was noticed; when the oldest frame arrived if nothing samples its spans. Unix ns.
    pub(crate) since_ns: u64,
    /// Payload bytes of kept spans, about.
    pub(crate) kept_bytes: u64,
}

/// One frame's accepted spans.
#[derive(Debug)]
pub(crate) struct HeadFrame {
    pub(crate) offset: Offset,
    pub(crate) tenant: TenantId,
    pub(crate) received_at_ns: u64,
    /// The file's row number of `spans[0]`.
    pub(crate) first_row: u32,
    /// Smallest and largest start of `spans`, Unix ns.
    pub(crate) start_ns: (u64, u64),
    pub(crate) spans: Box<[SpanSummary]>,
    pub(crate) payload: Payload,
    /// Memory of the operations that it had first.
    pub(crate) names_bytes: u64,
    /// 0 when nothing samples its spans.
    pub(crate) generation: u32,
    /// Set by the sampler when it has taken the frame in.
    pub(crate) traces: OnceLock<FrameTraces>,
    /// Spans that head sampling dropped before they got here.
    head_dropped: u32,
    /// Accepted spans that a damaged payload could not give.
    damaged: u64,
    /// Spans that are not in `spans`, by reason.
    rejected: Box<[(RejectReason, u64)]>,
}

/// An operation of one tenant in a file.
#[derive(Debug, Clone)]
pub(crate) struct HeadOperation {
    pub(crate) tenant: TenantId,
    pub(crate) service: Box<[u8]>,
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: i32,
    /// The frame that had it first.
    pub(crate) from: Offset,
}

/// A row of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceRow<'h> {
    pub(crate) frame: &'h HeadFrame,
    /// Among the frame's spans.
    pub(crate) index: usize,
    pub(crate) standing: SpanStanding,
}

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

/// What the committer updates as frames come in.
#[derive(Debug, Default)]
struct Index {
    /// Trace (and tenant) to the last of its rows. Traces whose hashes collide share a chain; readers compare ids.
    last_row: HashMap<u64, u32, BuildHasherDefault<IdentityHasher>>,
    operation_ids: HashMap<Arc<HeadOperation>, u32, RandomState>,
    rows: u32,
    sampled_rows: u32,
    tallies: BTreeMap<TenantId, Tally>,
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

impl HeadFile {
    /// A file without rows yet.
    pub(crate) fn new(journal: Arc<JournalFile>) -> Self {
        Self {
            number: journal.number(),
            journal,
            frames: boxcar::Vec::new(),
            operations: boxcar::Vec::new(),
            keys: TraceKeys::default(),
            index: Mutex::default(),
            decided: OnceLock::new(),
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

    /// What the verdicts made of a closed file. To be asked once all its spans have one; the answer stays.
    pub(crate) fn decided(&self, cut: Cut<'_>, now_ns: u64) -> Decided {
        *self.decided.get_or_init(|| {
            if self.lock().sampled_rows == 0 {
                return Decided { since_ns: self.oldest_received_at_ns(), kept_bytes: u64::from(self.journal.bytes()) };
            }
            let mut kept_bytes = 0;
            for frame in self.frames(cut.projected) {
                let kept = (0..frame.spans.len()).filter(|&row| frame.standing(row, cut.verdicts).is_visible());
                kept_bytes += frame.payload.len() * kept.count() as u64 / frame.spans.len().max(1) as u64;
            }
            Decided { since_ns: now_ns, kept_bytes }
        })
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
        let mut names_bytes = 0;
        let ids: Vec<u32> = (batch.operations.iter())
            .map(|operation| {
                let (service, name) = batch.operation_texts(operation);
                let operation = HeadOperation::new(&header.tenant, service, name, operation.kind, offset);
                if let Some(&id) = index.operation_ids.get(&operation) {
                    return id;
                }
                names_bytes += operation.memory_bytes();
                let operation = Arc::new(operation);
                let id = self.operations.push(operation.clone()) as u32;
                index.operation_ids.insert(operation, id);
                id
            })
            .collect();
        let first_row = index.rows;
        let salt = self.keys.salt(&header.tenant);
        let mut spans = batch.spans.into_boxed_slice();
        let mut row = first_row;
        // Neighbours are often of one trace: one probe for all of them.
        for neighbours in spans.chunk_by_mut(|one, next| one.trace_id == next.trace_id) {
            let last = row + neighbours.len() as u32 - 1;
            let key = self.keys.of(salt, neighbours[0].trace_id);
            let mut previous = index.last_row.insert(key, last).unwrap_or(NO_ROW);
            for span in neighbours {
                span.operation = ids[span.operation as usize];
                span.previous_in_trace = std::mem::replace(&mut previous, row);
                row += 1;
            }
        }
        index.rows += spans.len() as u32;
        index.sampled_rows += if header.generation == 0 { 0 } else { spans.len() as u32 };
        let starts = spans.iter().map(|span| span.start_ns);
        let start_ns = starts.fold((u64::MAX, 0), |(min, max), start| (start.min(min), start.max(max)));
        let frame = HeadFrame {
            offset,
            tenant: header.tenant.clone(),
            received_at_ns: header.received_at_ns,
            generation: header.generation,
            traces: OnceLock::new(),
            head_dropped: header.head_dropped,
            names_bytes,
            first_row,
            start_ns,
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
            index.tallies.entry(tenant.clone()).or_default().add(&Tally::lost(count));
        }
    }

    /// The last frame's offset.
    pub(crate) fn end(&self) -> Offset {
        self.frames.get(self.frames.count().wrapping_sub(1)).map_or(Offset::default(), |frame| frame.offset)
    }

    /// What the file's frames at or before `visible` add up to. Of sampled spans only that they were accepted: what became of
    /// them is [`View::sampled`](crate::store::view::View::sampled).
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

    /// Adds the sampled spans after `taken_in`, up to `visible`: all of them are pending.
    pub(crate) fn add_pending(&self, taken_in: Offset, visible: Offset, tallies: &mut BTreeMap<TenantId, Tally>) {
        for at in (0..self.frames.count()).rev() {
            let Some(frame) = self.frames.get(at) else { continue };
            if frame.offset <= taken_in {
                break;
            }
            if frame.generation != 0 && frame.offset <= visible {
                tallies.entry(frame.tenant.clone()).or_default().pending += frame.spans.len() as u64;
            }
        }
    }

    /// The visible rows of a trace, newest first.
    pub(crate) fn trace_rows(&self, tenant: &TenantId, id: TraceId, cut: Cut<'_>) -> Vec<TraceRow<'_>> {
        let newest = self.newest_row(tenant, id);
        let mut rows = Vec::new();
        let mut row = newest.unwrap_or(NO_ROW);
        while row != NO_ROW {
            let Some((frame, index)) = self.row(row) else { break };
            let span = &frame.spans[index];
            if frame.offset <= cut.projected && span.trace_id == id && frame.tenant == *tenant {
                let standing = frame.standing(index, cut.verdicts);
                if standing.is_visible() {
                    rows.push(TraceRow { frame, index, standing });
                }
            }
            row = span.previous_in_trace;
        }
        rows
    }

    /// Adds the tenant's operations with a visible span to those found already.
    pub(crate) fn operations(&self, tenant: &TenantId, cut: Cut<'_>, found: &mut Operations, deadline: Instant) {
        let is_sampled = self.lock().sampled_rows > 0;
        let mut missing: Vec<Option<Operation>> = Vec::new();
        let mut left = 0;
        for (number, operation) in &self.operations {
            if number % OPERATIONS_BETWEEN == 0 && Instant::now() >= deadline {
                found.is_cut = true;
                return;
            }
            let is_visible = operation.tenant == *tenant && operation.from <= cut.projected;
            let shown = is_visible.then(|| operation.shown());
            let is_missing = is_sampled && shown.as_ref().is_some_and(|shown| !found.list.contains(shown));
            left += usize::from(is_missing);
            if let (false, Some(shown)) = (is_sampled, &shown) {
                found.add(shown);
            }
            missing.push(shown.filter(|_| is_missing));
        }
        // Newest first: what is pending shows nearly all of them.
        let frames: Vec<&HeadFrame> = if left > 0 { self.frames(cut.projected).collect() } else { Vec::new() };
        for frame in frames.into_iter().rev() {
            if Instant::now() >= deadline {
                found.is_cut = true;
                return;
            }
            for (row, span) in frame.spans.iter().enumerate() {
                let Some(operation) = missing.get_mut(span.operation as usize).filter(|missing| missing.is_some())
                else {
                    continue;
                };
                if frame.standing(row, cut.verdicts).is_visible() {
                    operation.take().iter().for_each(|operation| found.add(operation));
                    left -= 1;
                }
            }
            if left == 0 {
                return;
            }
        }
    }

    /// The file's operations of all tenants from a number on.
    pub(crate) fn operations_from(&self, number: usize) -> Vec<Arc<HeadOperation>> {
        (number..self.operations.count()).map_while(|number| self.operations.get(number).cloned()).collect()
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
            row = in_frame.spans[index].previous_in_trace;
        }
        frames
    }

    /// The last row of a trace, or of one whose hash is the same.
    fn newest_row(&self, tenant: &TenantId, id: TraceId) -> Option<u32> {
        let key = self.keys.of(self.keys.salt(tenant), id);
        self.lock().last_row.get(&key).copied()
    }

    /// The frame of a row, and the row's place in it.
    fn row(&self, row: u32) -> Option<(&HeadFrame, usize)> {
        let frame = self.frames.get(self.frame_of_row(row))?;
        let index = row.checked_sub(frame.first_row)? as usize;
        (index < frame.spans.len()).then_some((frame, index))
    }

    /// The index of the frame that a row is in, when it is in one.
    fn frame_of_row(&self, row: u32) -> usize {
        let (mut low, mut high) = (0, self.frames.count());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.frames.get(middle) {
                Some(frame) if frame.first_row + (frame.spans.len() as u32) <= row => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// A panic while the lock was held leaves counts, not memory, in doubt: go on.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeadFrame {
    /// Where the span in row `row` of this frame stands as of verdict batch `verdicts`.
    pub(crate) fn standing(&self, row: usize, verdicts: VerdictNo) -> SpanStanding {
        if self.generation == 0 {
            return SpanStanding::Unsampled;
        }
        match self.traces.get().and_then(|traces| traces.outcome(row, verdicts)) {
            Some(outcome) => SpanStanding::Decided(outcome),
            None => SpanStanding::Pending,
        }
    }

    /// What it adds to the ledger, but for what becomes of sampled spans.
    fn tally(&self) -> Tally {
        let spans = self.spans.len() as u64;
        let rejected = self.rejected.iter().map(|&(reason, items)| (reason.name().to_owned(), items)).collect();
        Tally {
            accepted: spans + self.damaged + u64::from(self.head_dropped),
            kept: if self.generation == 0 { spans } else { 0 },
            damaged: self.damaged,
            dropped: Tally::head_dropped(u64::from(self.head_dropped)),
            rejected,
            ..Tally::default()
        }
    }
}

impl PartialEq for HeadOperation {
    /// The same one, whichever frame had it.
    fn eq(&self, other: &Self) -> bool {
        (&self.tenant, &self.service, &self.name, self.kind) == (&other.tenant, &other.service, &other.name, other.kind)
    }
}

impl Eq for HeadOperation {}

impl Hash for HeadOperation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.tenant, &self.service, &self.name, self.kind).hash(state);
    }
}

impl HeadOperation {
    fn new(tenant: &TenantId, service: &[u8], name: &[u8], kind: i32, from: Offset) -> Self {
        Self { tenant: tenant.clone(), service: service.into(), name: name.into(), kind, from }
    }

    /// Bytes held, about: itself, its texts, its places in the file.
    fn memory_bytes(&self) -> u64 {
        (size_of::<Self>() + self.service.len() + self.name.len() + 64) as u64
    }

    /// As queries see it.
    fn shown(&self) -> Operation {
        Operation {
            service: String::from_utf8_lossy(&self.service).into_owned(),
            name: String::from_utf8_lossy(&self.name).into_owned(),
            kind: self.kind,
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
