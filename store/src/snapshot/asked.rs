//! One immutable view over head and segments, and the questions it answers.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use prometheus::{IntCounter, register_int_counter};
use weir_proto::{Signal, SpanId, TenantId, TraceId};

use super::{kind::SegmentKind, stored::StoredSegment, unread::Unread, view::View};
use crate::{
    ask::{
        error::ReadError,
        line::{LinesWanted, TraceLines},
        span::{Operations, Room, SpanRecord, TraceRows},
    },
    ledger::{Ledger, Tally},
    segment::SegmentError,
};

static SEGMENT_READ_ERRORS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_segment_read_errors_total", "Reads that a damaged or missing segment refused.")
        .expect("registered once")
});

/// One view over head and segments, and what of it could not be read so far. Its methods read files: call them where blocking is
/// allowed.
#[derive(Clone, Debug)]
pub struct Snapshot(pub(crate) Arc<View>, pub(crate) Unread);

impl Snapshot {
    /// Of a view, for one who asks.
    pub(crate) fn of(view: Arc<View>) -> Self {
        Self(view, Unread::default())
    }

    /// What the answers given so far lack because it could not be read.
    pub fn missing(&self) -> Unread {
        self.1.clone()
    }

    /// A segment could not be read.
    pub(crate) fn missed<S: SegmentKind>(&self, segment: &StoredSegment<S>, error: &SegmentError) {
        segment.report(error);
        self.1.add(segment, error);
    }

    /// Notes what of a tenant's cannot be opened for now; whether there is anything.
    pub(crate) fn miss_absent(&self, signal: Signal, tenant: &TenantId) -> bool {
        let absent = self.0.absent.iter().filter(|absent| absent.id.signal == signal && absent.id.tenant == *tenant);
        absent.inspect(|absent| self.1.add_absent(absent)).count() > 0
    }

    /// Every span of a trace, oldest start first. Rows that a client sent twice appear twice.
    pub fn trace(&self, tenant: &TenantId, id: TraceId) -> Result<Vec<SpanRecord>, ReadError> {
        self.trace_up_to(tenant, id, usize::MAX).map(|trace| trace.rows)
    }

    /// As [`Self::trace`], but no more than `rows_max` rows: one trace id may be on everything that a client sends.
    pub fn trace_up_to(&self, tenant: &TenantId, id: TraceId, rows_max: usize) -> Result<TraceRows, ReadError> {
        Ok(self.traces_up_to(tenant, &[id], rows_max).pop().unwrap_or_default())
    }

    /// The first of these traces, at least one: as many as have no more than `rows_max` rows together, read in one pass. One that
    /// has more by itself is cut there.
    pub fn traces_up_to(&self, tenant: &TenantId, ids: &[TraceId], rows_max: usize) -> Vec<TraceRows> {
        self.traces_within(tenant, ids, rows_max, &mut |_| true)
    }

    /// As [`Self::traces_up_to`], while there is room: a trace of which there is more is cut.
    pub fn traces_within(&self, tenant: &TenantId, ids: &[TraceId], rows_max: usize, room: Room<'_>) -> Vec<TraceRows> {
        let mut some = ids;
        loop {
            match self.read_traces(tenant, some, rows_max, room) {
                Some(traces) => return traces,
                None => some = &some[..some.len() / 2],
            }
        }
    }

    /// These traces; `None` when several have more than `rows_max` rows, or something that one of them may have rows in is damaged.
    fn read_traces(
        &self,
        tenant: &TenantId,
        ids: &[TraceId],
        rows_max: usize,
        room: Room<'_>,
    ) -> Option<Vec<TraceRows>> {
        let mut traces = vec![TraceRows::default(); ids.len()];
        let mut left = rows_max;
        let mut located = Vec::new();
        // A broken segment hurts only itself, and only what is in it.
        let damaged = |segment: &StoredSegment, error: &SegmentError, traces: &mut [TraceRows]| {
            let alone = traces.len() <= 1;
            if alone {
                self.missed(segment, error);
                traces.iter_mut().for_each(|trace| trace.is_damaged = true);
            }
            alone.then_some(())
        };
        for segment in self.segments(tenant) {
            match segment.locate(ids, left) {
                Ok(found) => {
                    let found = found?;
                    left -= found.len();
                    located.push((segment, found));
                }
                Err(error) => damaged(segment, &error, &mut traces)?,
            }
        }
        let mut in_head = Vec::new();
        for file in &self.0.traces.files {
            let rows = file.rows_of_traces(tenant, ids, self.0.cut(), left)?;
            left -= rows.len();
            in_head.push((file, rows));
        }
        for (segment, found) in located {
            match segment.read_located(&found, room, &mut traces) {
                Ok(()) => {}
                Err(error) => damaged(segment, &error, &mut traces)?,
            }
        }
        for (file, rows) in in_head {
            file.read_rows(&rows, self.0.cut(), |trace, record| {
                let trace: &mut TraceRows = &mut traces[trace];
                if trace.is_cut || !room(record.memory_bytes()) {
                    trace.is_cut = true;
                } else {
                    trace.rows.push(record);
                }
            });
        }
        let is_damaged = self.miss_absent(Signal::Traces, tenant);
        for trace in &mut traces {
            trace.is_damaged |= is_damaged;
            trace.rows.sort_by_key(|record| record.span.start_time_unix_nano);
        }
        Some(traces)
    }

    /// The spans of a trace that have this id, oldest start first: one, unless a client sent it twice or two share it.
    pub fn spans_with_id(&self, tenant: &TenantId, trace: TraceId, span: SpanId, room: Room<'_>) -> TraceRows {
        let mut found = [TraceRows::default()];
        for segment in self.segments(tenant) {
            let located = segment.locate(&[trace], usize::MAX).map(Option::unwrap_or_default);
            let read = located
                .and_then(|located| segment.located_with(located, span))
                .and_then(|located| segment.read_located(&located, room, &mut found));
            // A broken segment hurts only itself.
            if let Err(error) = read {
                self.missed(segment, &error);
                found[0].is_damaged = true;
            }
        }
        let [mut found] = found;
        for file in &self.0.traces.files {
            let rows = file.rows_of_traces(tenant, &[trace], self.0.cut(), usize::MAX).unwrap_or_default();
            file.read_rows(&rows, self.0.cut(), |_, record| {
                if record.span.span_id == span.0 {
                    found.is_cut |= !room(record.memory_bytes());
                    if !found.is_cut {
                        found.rows.push(record);
                    }
                }
            });
        }
        found.rows.sort_by_key(|record| record.span.start_time_unix_nano);
        found
    }

    /// The lines of a trace, or only those of one of its spans, oldest first, no more than `rows_max`, while there is room. Rows
    /// that a client sent twice appear twice.
    pub fn lines_of_trace(
        &self,
        tenant: &TenantId,
        id: TraceId,
        span: Option<SpanId>,
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<TraceLines, ReadError> {
        let mut found = TraceLines::default();
        // A line that knows 64 bits of its trace's id is one of the trace with that low half.
        let ids = [Some(id), id.low_half().filter(|half| *half != id)];
        for segment in self.segments_of(Signal::Logs, tenant) {
            for id in ids.into_iter().flatten() {
                let read = segment
                    .locate_lines(id, span, rows_max - found.rows.len())
                    .and_then(|located| segment.read_lines(&located, room, &mut found));
                // A broken segment hurts only itself.
                if let Err(error) = read {
                    self.missed(segment, &error);
                    found.is_damaged = true;
                }
            }
        }
        let view = &self.0.logs;
        for file in &view.files {
            for id in ids.into_iter().flatten() {
                let wanted = LinesWanted { trace: id, span, rows_max: rows_max - found.rows.len() };
                file.lines_of_trace(tenant, wanted, view.projected, room, &mut found);
            }
        }
        found.rows.sort_by_key(|record| record.time_ns);
        Ok(found)
    }

    /// The operations and services seen, as far as they are listed, until the deadline; the newest first.
    pub fn operations(&self, tenant: &TenantId, deadline: Instant) -> Operations {
        let mut found = Operations::default();
        for file in self.0.traces.files.iter().rev() {
            file.operations(tenant, self.0.cut(), &mut found, deadline);
        }
        for segment in self.segments(tenant).iter().rev() {
            if Instant::now() >= deadline {
                found.is_cut = true;
                break;
            }
            if let Err(error) = segment.add_operations(&mut found, Some(deadline)) {
                self.missed(segment, &error);
                found.is_damaged = true;
            }
        }
        found
    }

    /// The tallies.
    pub fn ledger(&self) -> Ledger {
        let mut traces = self.0.traces.ledger();
        for file in &self.0.traces.files {
            file.add_pending(self.0.sampled.taken_in, self.0.traces.projected, &mut traces);
        }
        for (tenant, outcomes) in &self.0.sampled.by_tenant {
            // Their files count them as accepted.
            traces.entry(tenant.clone()).or_default().add(&Tally { accepted: 0, ..outcomes.clone() });
        }
        Ledger { traces, logs: self.0.logs.ledger(), metrics: self.0.metrics.ledger() }
    }

    /// Rows of a tenant; of metrics, samples.
    pub fn rows(&self, signal: Signal, tenant: &TenantId) -> u64 {
        match signal {
            Signal::Traces => self.0.traces.rows_of(tenant),
            Signal::Logs => self.0.logs.rows_of(tenant),
            Signal::Metrics => self.0.metrics.samples_of(tenant),
        }
    }

    /// The view itself.
    pub(crate) fn view(&self) -> &View {
        &self.0
    }

    /// A tenant's segments of spans.
    pub(crate) fn segments(&self, tenant: &TenantId) -> &[Arc<StoredSegment>] {
        self.segments_of(Signal::Traces, tenant)
    }

    /// A tenant's segments. Those that cannot be opened are noted as missing.
    pub(crate) fn segments_of(&self, signal: Signal, tenant: &TenantId) -> &[Arc<StoredSegment>] {
        self.miss_absent(signal, tenant);
        self.0.segments(signal).get(tenant).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<S: SegmentKind> StoredSegment<S> {
    /// Counts that it cannot be read, and logs it once a minute at most: every query may meet the same damage.
    pub(crate) fn report(&self, error: &SegmentError) {
        SEGMENT_READ_ERRORS.inc();
        // What is in the archive may be there again when it is asked for next.
        if matches!(error, SegmentError::Damaged { .. }) && !self.segment().is_elsewhere() {
            self.set_damaged();
        }
        if let Some(times) = self.read_failed(Instant::now()) {
            tracing::error!(segment = %self.path().display(), %error, times, "a segment cannot be read; the rest is");
        }
    }
}
