//! The head's rows of spans: summaries, where each stands, and the operations there are.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
    time::Instant,
};

use weir_proto::{Signal, TenantId, TraceId};

use super::{
    cut::Cut,
    file::{HeadFile, HeadFrame, Rows, RowsPlace},
    summary::{BatchSummaries, SpanSummary},
};
use crate::{
    ask::span::{Operation, Operations},
    journal::FrameHeader,
    ledger::Tally,
    offset::Offset,
    verdict::outcome::{FrameTraces, SpanStanding, VerdictNo},
};

/// Operations that are shown between two looks at the clock.
const OPERATIONS_BETWEEN: usize = 1024;

/// One frame's accepted spans.
#[derive(Debug)]
pub(crate) struct SpanRows {
    /// Smallest and largest start of `spans`, Unix ns.
    pub(crate) start_ns: (u64, u64),
    pub(crate) spans: Box<[SpanSummary]>,
    /// 0 when nothing samples its spans.
    pub(crate) generation: u32,
    /// Set by the sampler when it has taken the frame in.
    pub(crate) traces: OnceLock<FrameTraces>,
    /// Memory of the operations that it had first.
    pub(super) names_bytes: u64,
}

/// The spans of one journal file.
pub(crate) type SpanFile = HeadFile<SpanRows>;
/// The spans of one frame.
pub(crate) type SpanFrame = HeadFrame<SpanRows>;

/// What the verdicts made of a closed file, when all its spans had one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decided {
    /// When that was noticed; when the oldest frame arrived if nothing samples its spans. Unix ns.
    pub(crate) since_ns: u64,
    /// Payload bytes of kept spans, about.
    pub(crate) kept_bytes: u64,
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

/// What a file keeps beside its spans.
#[derive(Debug, Default)]
pub(crate) struct SpanIndex {
    operation_ids: HashMap<Arc<HeadOperation>, u32, foldhash::fast::RandomState>,
    sampled_rows: u32,
}

/// What is read without the file's lock.
#[derive(Debug, Default)]
pub(crate) struct SpanFindings {
    /// By their numbers. Added under the lock.
    operations: boxcar::Vec<Arc<HeadOperation>>,
    decided: OnceLock<Decided>,
}

/// A row of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceRow<'h> {
    pub(crate) frame: &'h SpanFrame,
    /// Among the frame's spans.
    pub(crate) index: usize,
    pub(crate) standing: SpanStanding,
}

impl Rows for SpanRows {
    const SIGNAL: Signal = Signal::Traces;
    type Batch = BatchSummaries;
    type Index = SpanIndex;
    type Unlocked = SpanFindings;

    fn take_in(
        batch: BatchSummaries,
        header: &FrameHeader,
        (index, unlocked): (&mut SpanIndex, &SpanFindings),
        place: RowsPlace<'_>,
    ) -> Self {
        let RowsPlace { offset, first_row, mut chains } = place;
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
                let id = unlocked.operations.push(operation.clone()) as u32;
                index.operation_ids.insert(operation, id);
                id
            })
            .collect();
        let mut spans = batch.spans.into_boxed_slice();
        let mut row = first_row;
        // Neighbours are often of one trace: one probe for all of them.
        for neighbours in spans.chunk_by_mut(|one, next| one.trace_id == next.trace_id) {
            let last = row + neighbours.len() as u32 - 1;
            let mut previous = chains.link(neighbours[0].trace_id, last);
            for span in neighbours {
                span.operation = ids[span.operation as usize];
                span.previous_in_trace = std::mem::replace(&mut previous, row);
                row += 1;
            }
        }
        index.sampled_rows += if header.generation == 0 { 0 } else { spans.len() as u32 };
        let starts = spans.iter().map(|span| span.start_ns);
        let start_ns = starts.fold((u64::MAX, 0), |(min, max), start| (start.min(min), start.max(max)));
        Self { start_ns, spans, generation: header.generation, traces: OnceLock::new(), names_bytes }
    }

    fn len(&self) -> usize {
        self.spans.len()
    }

    fn in_trace(&self, row: usize) -> (Option<TraceId>, u32) {
        let span = &self.spans[row];
        (Some(span.trace_id), span.previous_in_trace)
    }

    fn kept_at_once(&self) -> u64 {
        if self.generation == 0 { self.spans.len() as u64 } else { 0 }
    }

    fn names_bytes(&self) -> u64 {
        self.names_bytes
    }
}

impl SpanRows {
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
}

impl SpanFile {
    /// What the verdicts made of a closed file. To be asked once all its spans have one; the answer stays.
    pub(crate) fn decided(&self, cut: Cut<'_>, now_ns: u64) -> Decided {
        *self.unlocked.decided.get_or_init(|| {
            if self.lock().of_signal.sampled_rows == 0 {
                return Decided {
                    since_ns: self.oldest_received_at_ns(),
                    kept_bytes: u64::from(self.journal().bytes()),
                };
            }
            let mut kept_bytes = 0;
            for frame in self.frames(cut.projected) {
                let kept = (0..frame.spans.len()).filter(|&row| frame.standing(row, cut.verdicts).is_visible());
                kept_bytes += frame.payload.len() * kept.count() as u64 / frame.spans.len().max(1) as u64;
            }
            Decided { since_ns: now_ns, kept_bytes }
        })
    }

    /// Adds the sampled spans after `taken_in`, up to `visible`: all of them are pending.
    pub(crate) fn add_pending(&self, taken_in: Offset, visible: Offset, tallies: &mut BTreeMap<TenantId, Tally>) {
        for at in (0..self.frame_count()).rev() {
            let Some(frame) = self.frame(at) else { continue };
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
        let mut rows = Vec::new();
        for (frame, index) in self.chain(tenant, id) {
            if frame.offset <= cut.projected && frame.spans[index].trace_id == id && frame.tenant == *tenant {
                let standing = frame.standing(index, cut.verdicts);
                if standing.is_visible() {
                    rows.push(TraceRow { frame, index, standing });
                }
            }
        }
        rows
    }

    /// Adds the tenant's operations with a visible span to those found already.
    pub(crate) fn operations(&self, tenant: &TenantId, cut: Cut<'_>, found: &mut Operations, deadline: Instant) {
        let is_sampled = self.lock().of_signal.sampled_rows > 0;
        let mut missing: Vec<Option<Operation>> = Vec::new();
        let mut left = 0;
        for (number, operation) in &self.unlocked.operations {
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
        let frames: Vec<&SpanFrame> = if left > 0 { self.frames(cut.projected).collect() } else { Vec::new() };
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
        let operations = &self.unlocked.operations;
        (number..operations.count()).map_while(|number| operations.get(number).cloned()).collect()
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
