//! What queries see at one moment: head files, segments and the ledger behind one atomic pointer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weir_proto::{Signal, TenantId};

use super::{
    kind::SegmentKind,
    series_view::MetricsView,
    stored::{Retained, StoredSegment},
};
use crate::{
    catalog::ArchivedSegment,
    head::{Cut, HeadFile, LineRows, Rows, SpanRows},
    journal::SourceCursors,
    ledger::Tally,
    offset::Offset,
    segment::{Segment, SegmentId},
    verdict::{names::PolicyNames, outcome::VerdictNo},
};

/// Segments by tenant, oldest first.
pub(crate) type SegmentsByTenant<S = Segment> = HashMap<TenantId, Vec<Arc<StoredSegment<S>>>>;

/// Samples have segments of their own.
static NO_SEGMENTS: LazyLock<SegmentsByTenant> = LazyLock::new(SegmentsByTenant::new);

/// One moment. What it names lives until the last view that names it is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Spans.
    pub(crate) traces: LaneView<SpanRows>,
    /// Lines.
    pub(crate) logs: LaneView<LineRows>,
    /// Samples.
    pub(crate) metrics: MetricsView,
    /// Segments in the archive that cannot be opened for now.
    pub(crate) absent: Arc<[ArchivedSegment]>,
    /// Verdicts after this batch are not part of it.
    pub(crate) verdicts: VerdictNo,
    /// The names behind verdicts' policies; they only become more.
    pub(crate) policies: Arc<PolicyNames>,
    /// What became, as of `verdicts`, of the unsealed spans that the sampler has taken in, and up to which frame it has.
    pub(crate) sampled: Arc<SampledTallies>,
}

/// What one signal has at that moment.
#[derive(Debug)]
pub(crate) struct LaneView<R: Rows> {
    /// Rows of the head after this are not part of it.
    pub(crate) projected: Offset,
    /// Journal files that are not sealed, oldest first.
    pub(crate) files: Vec<Arc<HeadFile<R>>>,
    /// Everything sealed.
    pub(crate) segments: Arc<SegmentsByTenant>,
    /// Of everything sealed.
    pub(crate) sealed_ledger: Arc<BTreeMap<TenantId, Tally>>,
    /// Where sources stood behind everything sealed.
    pub(crate) sealed_cursors: Arc<SourceCursors>,
}

// By hand: `derive` would ask the same of the rows themselves.
impl<R: Rows> Clone for LaneView<R> {
    fn clone(&self) -> Self {
        let Self { projected, files, segments, sealed_ledger, sealed_cursors } = self;
        let (segments, sealed_ledger) = (segments.clone(), sealed_ledger.clone());
        let sealed_cursors = sealed_cursors.clone();
        Self { projected: *projected, files: files.clone(), segments, sealed_ledger, sealed_cursors }
    }
}

impl<R: Rows> Default for LaneView<R> {
    fn default() -> Self {
        Self {
            projected: Offset::default(),
            files: Vec::new(),
            segments: Arc::default(),
            sealed_ledger: Arc::default(),
            sealed_cursors: Arc::default(),
        }
    }
}

impl<R: Rows> LaneView<R> {
    /// Bytes of journal files that are not sealed.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.journal().bytes())).sum()
    }

    /// Rows in the head.
    pub(crate) fn head_rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows()).sum()
    }

    /// The tallies of everything sealed, and of the head but for sampled spans that were accepted.
    pub(crate) fn ledger(&self) -> BTreeMap<TenantId, Tally> {
        let mut ledger = self.sealed_ledger.as_ref().clone();
        for file in &self.files {
            for (tenant, tally) in file.tallies(self.projected) {
                ledger.entry(tenant).or_default().add(&tally);
            }
        }
        ledger
    }

    /// Where sources stand behind everything journalled.
    pub(crate) fn cursors(&self) -> SourceCursors {
        let mut cursors = self.sealed_cursors.as_ref().clone();
        for file in &self.files {
            cursors.add(&file.cursors());
        }
        cursors.settle();
        cursors
    }

    /// Rows of a tenant, sealed or in the head.
    pub(crate) fn rows_of(&self, tenant: &TenantId) -> u64 {
        let of_file = |file: &Arc<HeadFile<R>>| -> u64 {
            let frames = file.frames(self.projected).filter(|frame| frame.tenant == *tenant);
            frames.map(|frame| frame.len() as u64).sum()
        };
        let sealed: u64 = self.segments.get(tenant).into_iter().flatten().map(|segment| segment.rows()).sum();
        sealed + self.files.iter().map(of_file).sum::<u64>()
    }
}

impl View {
    /// What of the spans in the head is part of it.
    pub(crate) fn cut(&self) -> Cut<'_> {
        Cut { projected: self.traces.projected, verdicts: self.verdicts, policies: &self.policies }
    }

    /// A signal's segments with rows.
    pub(crate) fn segments(&self, signal: Signal) -> &SegmentsByTenant {
        match signal {
            Signal::Traces => &self.traces.segments,
            Signal::Logs => &self.logs.segments,
            Signal::Metrics => &NO_SEGMENTS,
        }
    }

    /// The same, to be changed.
    pub(crate) fn segments_mut(&mut self, signal: Signal) -> &mut SegmentsByTenant {
        Arc::make_mut(match signal {
            Signal::Traces => &mut self.traces.segments,
            Signal::Logs => &mut self.logs.segments,
            Signal::Metrics => unreachable!("samples have no segments with rows"),
        })
    }

    /// A signal's ledger of everything sealed, to be changed.
    pub(crate) fn sealed_ledger_mut(&mut self, signal: Signal) -> &mut BTreeMap<TenantId, Tally> {
        Arc::make_mut(match signal {
            Signal::Traces => &mut self.traces.sealed_ledger,
            Signal::Logs => &mut self.logs.sealed_ledger,
            Signal::Metrics => &mut self.metrics.sealed_ledger,
        })
    }

    /// Every segment with rows, of every signal and tenant.
    pub(crate) fn all_segments(&self) -> impl Iterator<Item = &Arc<StoredSegment>> {
        Signal::WITH_ROWS.into_iter().flat_map(|signal| self.segments(signal).values().flatten())
    }

    /// Every segment on local disk, of whatever kind.
    pub(crate) fn retained(&self) -> Vec<Arc<dyn Retained>> {
        let here = self.all_segments().filter(|segment| !segment.is_archived());
        let rows = here.map(|segment| segment.clone() as Arc<dyn Retained>);
        let series = self.metrics.segments.values().flatten().filter(|segment| !segment.is_archived());
        let series = series.map(|segment| segment.clone() as Arc<dyn Retained>);
        rows.chain(series).collect()
    }
}

/// Unsealed spans by what became of them. Frames that nothing samples are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SampledTallies {
    /// The last frame taken in; frames after it are pending whole.
    pub(crate) taken_in: Offset,
    /// Of unsealed sampled frames up to there: `accepted` (without damaged), `kept`, `pending`, `dropped`.
    pub(crate) by_tenant: BTreeMap<TenantId, Tally>,
}

/// The current view. Changes are made by committers, sealers, the merger and retention, each in one swap.
#[derive(Debug)]
pub(crate) struct Views {
    current: ArcSwap<View>,
    /// Counts groups of lines that were shown: whoever follows them waits here.
    lines_shown: watch::Sender<u64>,
    /// A test's look at each view before it is swapped in.
    #[cfg(test)]
    pub(crate) witness: std::sync::OnceLock<fn(&View)>,
}

impl Views {
    /// Starts with `view`.
    pub(crate) fn new(view: View) -> Self {
        Self {
            current: ArcSwap::from_pointee(view),
            lines_shown: watch::Sender::new(0),
            #[cfg(test)]
            witness: std::sync::OnceLock::new(),
        }
    }

    /// Says that lines were shown.
    pub(crate) fn ring_lines(&self) {
        self.lines_shown.send_modify(|groups| *groups += 1);
    }

    /// Hears of it.
    pub(crate) fn lines_rung(&self) -> watch::Receiver<u64> {
        self.lines_shown.subscribe()
    }

    /// The view as of now.
    pub(crate) fn current(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// Swaps in a changed view. `change` may run more than once when another thread swaps at the same time.
    pub(crate) fn change(&self, mut change: impl FnMut(&mut View)) {
        self.current.rcu(|current| {
            let mut next = View::clone(current);
            change(&mut next);
            #[cfg(test)]
            if let Some(witness) = self.witness.get() {
                witness(&next);
            }
            next
        });
    }

    /// Takes segments out whose rows are in the archive; what is here of them goes with the last reader.
    pub(crate) fn forget_archived(&self, ids: &[SegmentId]) {
        let view = self.current();
        self.forget_those(view.all_segments(), ids);
        self.forget_those(view.metrics.segments.values().flatten(), ids);
    }

    fn forget_those<'a, S: SegmentKind>(
        &self,
        segments: impl Iterator<Item = &'a Arc<StoredSegment<S>>>,
        ids: &[SegmentId],
    ) {
        let is_one = |segment: &&Arc<StoredSegment<S>>| segment.is_elsewhere() && ids.contains(segment.segment_id());
        for segment in segments.filter(is_one) {
            let id = segment.segment_id().clone();
            self.change_segments(id.signal, &id.tenant, std::slice::from_ref(segment), &[]);
            segment.retire();
        }
    }

    /// Swaps segments: `removed` by `added`.
    pub(crate) fn change_segments<S: SegmentKind>(
        &self,
        signal: Signal,
        tenant: &TenantId,
        removed: &[Arc<StoredSegment<S>>],
        added: &[Arc<StoredSegment<S>>],
    ) {
        self.change(|view| {
            let segments = S::of_view_mut(view, signal).entry(tenant.clone()).or_default();
            segments.retain(|segment| !removed.iter().any(|gone| Arc::ptr_eq(gone, segment)));
            segments.extend_from_slice(added);
            segments.sort_by_key(|segment| segment.segment_id().first_file);
        });
    }
}
