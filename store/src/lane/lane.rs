//! A lane: one signal's own way from its journal to its segments, with its own refusal. Disk, catalog, budgets and the view are shared.

use std::ops::Deref;

use parking_lot::Mutex;

use weir_proto::{Signal, TenantId, otlp::ScanError};

use super::{errors::AppendError, spare_builder::SpareBuilder};
use crate::{
    head::{Cut, Decided, HeadFile, HeadFrame, LineRows, LineSummaries, Rows, SpanRows},
    journal::{Checksummed, Entry, FrameHeader, Journal, JournalAppendError, SourceCursors, StoredFrame},
    lane::{errors::SealError, outcomes::Outcomes, shared::Shared},
    ledger::Tally,
    reject::Rejection,
    segment::{Builder, ChosenSpan, LineBuilder, SpanBuilder},
    snapshot::view::{LaneView, View, Views},
};

/// Largest batch. Receivers' own limits are lower.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;

/// Admitted items of one signal, ready for its journal.
#[derive(Debug)]
pub struct Batch<S> {
    /// Whose.
    pub tenant: TenantId,
    /// A canonical export request.
    pub payload: Checksummed,
    /// When it arrived, Unix ns.
    pub received_at_ns: u64,
    /// Items in the payload, rejected ones included.
    pub items: u32,
    /// The refused ones, in ordinal order.
    pub rejected: Vec<Rejection>,
    /// The accepted ones, summarised while their bytes were in cache.
    pub summaries: S,
    /// [`Sampling::generation`](crate::sampling::Sampling::generation) of what marked the summaries; 0 when nothing samples them.
    pub generation: u32,
    /// Items that head sampling took out of what arrived: not in the payload.
    pub head_dropped: u32,
    /// Where its sources stand behind it: durable together with the items, or not at all.
    pub cursors: SourceCursors,
}

/// Admitted lines.
pub type LogsBatch = Batch<LineSummaries>;

/// What one signal has for itself, whatever its items are.
#[derive(Debug)]
pub(crate) struct Lane<A> {
    pub(crate) signal: Signal,
    pub(crate) journal: Journal<A>,
    /// Journal files below are sealed, says the catalog.
    first_unsealed: Mutex<u32>,
    /// Why appends are refused just now.
    refusal: Mutex<Option<AppendError>>,
}

/// The lane of a signal with rows.
#[derive(Debug)]
pub(crate) struct RowsLane<L: Laned> {
    lane: Lane<L::Batch>,
    pub(crate) spare_builder: SpareBuilder<L::Builder>,
}

impl<L: Laned> Deref for RowsLane<L> {
    type Target = Lane<L::Batch>;

    fn deref(&self) -> &Lane<L::Batch> {
        &self.lane
    }
}

/// A signal's rows, with what its lane does differently.
pub(crate) trait Laned: Rows {
    /// Makes its segments.
    type Builder: Builder;

    /// Its lane.
    fn lane(shared: &Shared) -> &RowsLane<Self>;

    /// Its part of a view.
    fn of_view(view: &View) -> &LaneView<Self>;

    /// Its part of a view, to be changed.
    fn of_view_mut(view: &mut View) -> &mut LaneView<Self>;

    /// Whether what becomes of a file's items is settled: only then it is sealed.
    fn is_settled(shared: &Shared, file: &HeadFile<Self>) -> bool;

    /// What became of a closed file's items; they are settled.
    fn decided(file: &HeadFile<Self>, cut: Cut<'_>, now_ns: u64) -> Decided;

    /// How many of a frame's items go into a segment; which, where that is not all of them; and what became of the others.
    fn choose<'v>(
        frame: &HeadFrame<Self>,
        cut: Cut<'v>,
        outcomes: &mut Outcomes,
        chosen: &mut Vec<ChosenSpan<'v>>,
    ) -> Result<usize, SealError>;

    /// Puts a frame's items into a segment under way.
    fn push(
        builder: &mut Self::Builder,
        frame: &HeadFrame<Self>,
        stored: &StoredFrame,
        chosen: &[ChosenSpan<'_>],
    ) -> Result<(), ScanError>;

    /// Swaps the view when a run is sealed, and takes its share out of what is counted by outcome.
    fn swap(shared: &Shared, change: impl FnMut(&mut View), share: &std::collections::BTreeMap<TenantId, Tally>);
}

impl<L: Laned> RowsLane<L> {
    /// Refuses nothing yet.
    pub(crate) fn new(journal: Journal<L::Batch>, first_unsealed: u32) -> Self {
        Self { lane: Lane::new(L::SIGNAL, journal, first_unsealed), spare_builder: SpareBuilder::default() }
    }

    /// Returns once the batch is fsynced and visible to snapshots.
    pub(crate) async fn append(&self, batch: Batch<L::Batch>) -> Result<(), AppendError> {
        let header = FrameHeader {
            tenant: batch.tenant,
            received_at_ns: batch.received_at_ns,
            items: batch.items,
            rejected: batch.rejected,
            generation: batch.generation,
            cursor: batch.cursors.encode(),
            head_dropped: batch.head_dropped,
        };
        self.lane.append_entry(Entry { header, payload: batch.payload, attachment: batch.summaries }).await
    }
}

impl<A: Send + 'static> Lane<A> {
    /// Refuses nothing yet.
    pub(crate) fn new(signal: Signal, journal: Journal<A>, first_unsealed: u32) -> Self {
        Self { signal, journal, first_unsealed: Mutex::new(first_unsealed), refusal: Mutex::new(None) }
    }

    /// Returns once the entry is fsynced and visible to snapshots.
    pub(crate) async fn append_entry(&self, entry: Entry<A>) -> Result<(), AppendError> {
        answer(self.journal.append(entry).await)
    }

    /// The same of an entry that nobody waits for.
    pub(crate) async fn append_patiently(&self, entry: Entry<A>) -> Result<(), AppendError> {
        answer(self.journal.append_patiently(entry).await)
    }

    /// Why appends are refused just now.
    pub(crate) fn refusal(&self) -> Option<AppendError> {
        self.refusal.lock().clone()
    }

    /// Refuses appends from now on, or takes them again.
    pub(crate) fn set_refusal(&self, refusal: Option<AppendError>) {
        let signal = self.signal;
        let mut current = self.refusal.lock();
        match (&*current, &refusal) {
            (None, Some(reason)) => tracing::warn!(%signal, %reason, "receivers are refused"),
            (Some(_), None) => tracing::info!(%signal, "receivers are taken again"),
            _ => {}
        }
        *current = refusal;
    }

    /// Journal files below are sealed.
    pub(crate) fn first_unsealed(&self) -> u32 {
        *self.first_unsealed.lock()
    }

    pub(crate) fn set_first_unsealed(&self, file: u32) {
        *self.first_unsealed.lock() = file;
    }
}

fn answer(appended: Result<(), JournalAppendError>) -> Result<(), AppendError> {
    match appended {
        Ok(()) => Ok(()),
        Err(JournalAppendError::DiskFull) => Err(AppendError::DiskFull),
        Err(JournalAppendError::QueueFull) => Err(AppendError::Busy("the journal's queue is full")),
        Err(JournalAppendError::TooLarge) => Err(AppendError::TooLarge { bytes_max: FRAME_BYTES_MAX }),
        Err(JournalAppendError::Stopped) => Err(AppendError::Stopped),
    }
}

impl Laned for SpanRows {
    type Builder = SpanBuilder;

    fn lane(shared: &Shared) -> &RowsLane<Self> {
        &shared.traces
    }

    fn of_view(view: &View) -> &LaneView<Self> {
        &view.traces
    }

    fn of_view_mut(view: &mut View) -> &mut LaneView<Self> {
        &mut view.traces
    }

    fn is_settled(shared: &Shared, file: &HeadFile<Self>) -> bool {
        file.end() < shared.sampled.undecided_from()
    }

    fn decided(file: &HeadFile<Self>, cut: Cut<'_>, now_ns: u64) -> Decided {
        file.decided(cut, now_ns)
    }

    fn choose<'v>(
        frame: &HeadFrame<Self>,
        cut: Cut<'v>,
        outcomes: &mut Outcomes,
        chosen: &mut Vec<ChosenSpan<'v>>,
    ) -> Result<usize, SealError> {
        if frame.generation == 0 {
            return Ok(frame.spans.len());
        }
        outcomes.choose(frame, cut, chosen)?;
        Ok(chosen.len())
    }

    fn push(
        builder: &mut SpanBuilder,
        frame: &HeadFrame<Self>,
        stored: &StoredFrame,
        chosen: &[ChosenSpan<'_>],
    ) -> Result<(), ScanError> {
        match frame.generation {
            0 => builder.push_payload(&stored.payload, &stored.header.rejected),
            _ => builder.push_chosen(&stored.payload, chosen),
        }
    }

    fn swap(shared: &Shared, change: impl FnMut(&mut View), share: &std::collections::BTreeMap<TenantId, Tally>) {
        shared.sampled.take_out(&shared.views, change, share);
    }
}

/// Nothing samples lines: all of them are kept as they come.
impl Laned for LineRows {
    type Builder = LineBuilder;

    fn lane(shared: &Shared) -> &RowsLane<Self> {
        &shared.logs
    }

    fn of_view(view: &View) -> &LaneView<Self> {
        &view.logs
    }

    fn of_view_mut(view: &mut View) -> &mut LaneView<Self> {
        &mut view.logs
    }

    fn is_settled(_: &Shared, _: &HeadFile<Self>) -> bool {
        true
    }

    fn decided(file: &HeadFile<Self>, _: Cut<'_>, _: u64) -> Decided {
        Decided { since_ns: file.oldest_received_at_ns(), kept_bytes: u64::from(file.journal().bytes()) }
    }

    fn choose<'v>(
        frame: &HeadFrame<Self>,
        _: Cut<'v>,
        _: &mut Outcomes,
        _: &mut Vec<ChosenSpan<'v>>,
    ) -> Result<usize, SealError> {
        Ok(frame.lines.len())
    }

    fn push(
        builder: &mut LineBuilder,
        frame: &HeadFrame<Self>,
        stored: &StoredFrame,
        _: &[ChosenSpan<'_>],
    ) -> Result<(), ScanError> {
        // What the lines belong to was found out when they arrived.
        let mut lines = frame.lines.iter();
        let header = &stored.header;
        builder.push_lines(&stored.payload, &header.rejected, header.received_at_ns, |scanned| {
            lines.find(|line| line.ordinal == scanned.ordinal).map(|line| line.ids()).unwrap_or_default()
        })
    }

    fn swap(shared: &Shared, change: impl FnMut(&mut View), _: &std::collections::BTreeMap<TenantId, Tally>) {
        Views::change(&shared.views, change);
    }
}
