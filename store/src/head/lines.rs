//! The head's rows of lines: what tells which payloads a query must look into.

use std::sync::Arc;

use weir_proto::{
    Signal, SpanId, TenantId, TraceId,
    otlp::{
        logs::{Expander, IdNames, LineIds, LineView, scan_chosen},
        messages::{common::v1::InstrumentationScope, resource::v1::Resource},
    },
};

use super::{
    file::{HeadFile, HeadFrame, NO_ROW, Rows, RowsPlace},
    trace::shared,
};
use crate::{
    ask::{
        error::ReadError,
        line::{LineRecord, LinesWanted, TraceLines},
        span::Room,
    },
    journal::FrameHeader,
    offset::Offset,
};

/// One line in the head: 40 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineSummary {
    /// Zero without a trace.
    trace_id: TraceId,
    /// Zero without a span.
    span_id: SpanId,
    /// Its place in time, Unix ns.
    pub(crate) time_ns: u64,
    /// Position among the payload's lines.
    pub(crate) ordinal: u32,
    /// The row of the same trace before this one in the file, or [`NO_ROW`]; set when published.
    previous_in_trace: u32,
}

impl LineSummary {
    /// The trace that it belongs to.
    pub(crate) fn trace(&self) -> Option<TraceId> {
        (self.trace_id.0 != [0; 16]).then_some(self.trace_id)
    }

    /// The trace and the span that it belongs to.
    pub(crate) fn ids(&self) -> LineIds {
        let span = (self.span_id.0 != [0; 8]).then_some(self.span_id);
        LineIds { trace: self.trace(), span }
    }
}

/// The summaries of one batch's accepted lines, made while the bytes are in cache.
#[derive(Debug, Default)]
pub struct LineSummaries(Vec<LineSummary>);

impl LineSummaries {
    /// Room for `lines` summaries.
    pub fn with_capacity(lines: usize) -> Self {
        Self(Vec::with_capacity(lines))
    }

    /// How many lines were added.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What each belongs to, with its ordinal.
    pub fn ids(&self) -> impl Iterator<Item = (u32, LineIds)> {
        self.0.iter().map(|line| (line.ordinal, line.ids()))
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an accepted line, in ordinal order; `received_at_ns` is its frame's, `names` are where ids are looked for.
    #[inline]
    pub fn push(&mut self, ordinal: u32, received_at_ns: u64, line: &LineView<'_>, names: &IdNames) {
        self.push_of(ordinal, received_at_ns, line, line.ids(names));
    }

    /// The same of a line of which is known what it belongs to.
    #[inline]
    pub fn push_of(&mut self, ordinal: u32, received_at_ns: u64, line: &LineView<'_>, ids: LineIds) {
        let LineIds { trace, span } = ids;
        self.0.push(LineSummary {
            trace_id: trace.unwrap_or(TraceId([0; 16])),
            span_id: span.unwrap_or(SpanId([0; 8])),
            time_ns: line.time_or(received_at_ns),
            ordinal,
            previous_in_trace: NO_ROW,
        });
    }
}

/// One frame's accepted lines.
#[derive(Debug)]
pub(crate) struct LineRows {
    /// Smallest and largest time, Unix ns.
    pub(crate) time_ns: (u64, u64),
    pub(crate) lines: Box<[LineSummary]>,
}

/// The lines of one journal file.
pub(crate) type LineFile = HeadFile<LineRows>;
/// The lines of one frame.
pub(crate) type LineFrame = HeadFrame<LineRows>;

impl Rows for LineRows {
    const SIGNAL: Signal = Signal::Logs;
    type Batch = LineSummaries;
    type Index = ();
    type Unlocked = ();

    fn take_in(batch: LineSummaries, _: &FrameHeader, ((), ()): (&mut (), &()), place: RowsPlace<'_>) -> Self {
        let RowsPlace { first_row, mut chains, .. } = place;
        let mut lines = batch.0.into_boxed_slice();
        let mut time_ns = (u64::MAX, 0);
        for (row, line) in (first_row..).zip(&mut lines) {
            time_ns = (line.time_ns.min(time_ns.0), line.time_ns.max(time_ns.1));
            if let Some(trace) = line.trace() {
                line.previous_in_trace = chains.link(trace, row);
            }
        }
        Self { time_ns, lines }
    }

    fn len(&self) -> usize {
        self.lines.len()
    }

    fn in_trace(&self, row: usize) -> (Option<TraceId>, u32) {
        let line = &self.lines[row];
        (line.trace(), line.previous_in_trace)
    }

    fn kept_at_once(&self) -> u64 {
        self.lines.len() as u64
    }
}

impl LineFile {
    /// Adds the newest of the lines that are wanted at or before `visible`, without those in frames that cannot be read, while
    /// there is room.
    pub(crate) fn lines_of_trace(
        &self,
        tenant: &TenantId,
        wanted: LinesWanted,
        visible: Offset,
        room: Room<'_>,
        found: &mut TraceLines,
    ) {
        let is_shown = |(frame, row): &(&LineFrame, usize)| {
            let LineIds { trace, span } = frame.lines[*row].ids();
            let is_wanted = trace == Some(wanted.trace) && (wanted.span.is_none() || span == wanted.span);
            frame.offset <= visible && frame.tenant == *tenant && is_wanted
        };
        let rows: Vec<_> = self.chain(tenant, wanted.trace).filter(is_shown).take(wanted.rows_max).collect();
        for of_frame in rows.chunk_by(|a, b| a.0.offset == b.0.offset) {
            let frame = of_frame[0].0;
            let mut lines: Vec<&LineSummary> = of_frame.iter().map(|&(_, row)| &frame.lines[row]).collect();
            lines.sort_unstable_by_key(|line| line.ordinal);
            if found.is_cut {
                return;
            }
            if let Err(error) = self.decode(frame, &lines, room, found) {
                tracing::error!(offset = %frame.offset, %error, "a frame of the journal cannot be read; the rest is");
            }
        }
    }

    fn decode(
        &self,
        frame: &LineFrame,
        lines: &[&LineSummary],
        room: Room<'_>,
        found: &mut TraceLines,
    ) -> Result<(), ReadError> {
        let payload = frame.payload.read(self.journal())?;
        let mut resource: Option<(u32, Arc<Resource>)> = None;
        let mut scope: Option<(u32, Arc<InstrumentationScope>)> = None;
        let mut next = lines.iter();
        let mut expander = Expander::default();
        scan_chosen(&payload, lines.iter().map(|line| line.ordinal), |scanned| {
            let Some(summary) = next.find(|line| line.ordinal == scanned.ordinal && !found.is_cut) else { return };
            let resource = shared(&mut resource, scanned.resource_ordinal, || scanned.resource.to_message());
            let scope = shared(&mut scope, scanned.scope_ordinal, || scanned.scope.to_message());
            let mut line = expander.whole(&scanned.line).to_message();
            // As it will be in a segment: with the ids that were found, without those that are none.
            let LineIds { trace, span } = summary.ids();
            line.trace_id = trace.map(|id| id.0.to_vec()).unwrap_or_default();
            line.span_id = span.map(|id| id.0.to_vec()).unwrap_or_default();
            let time_ns = scanned.line.time_or(frame.received_at_ns);
            let record = LineRecord { line, time_ns, resource, scope };
            found.is_cut = !room(record.memory_bytes());
            if !found.is_cut {
                found.rows.push(record);
            }
        })
        .map_err(|error| ReadError::Damaged(format!("frame {}: {error}", frame.offset)))
    }
}
