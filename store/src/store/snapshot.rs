//! One immutable view over head and segments, and the questions it answers.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Instant,
};

use prometheus::{IntCounter, register_int_counter};
use weir_proto::{TenantId, TraceId};

use super::{stored::StoredSegment, view::View};
use crate::{
    Ledger, Operation, ReadError, SearchLimits, SearchResult, SpanFilter, SpanRecord, Tally, TraceRows,
    head::HeadFile,
    search::NewestTraces,
    segment::{Searched, SegmentError},
};

static SEGMENT_READ_ERRORS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_segment_read_errors_total", "Reads that a damaged or missing segment refused.")
        .expect("registered once")
});

/// One view over head and segments. Its methods read files: call them where blocking is allowed.
#[derive(Clone, Debug)]
pub struct Snapshot(pub(super) Arc<View>);

impl Snapshot {
    /// Every span of a trace, oldest start first. Rows that a client sent twice appear twice.
    pub fn trace(&self, tenant: &TenantId, id: TraceId) -> Result<Vec<SpanRecord>, ReadError> {
        self.trace_up_to(tenant, id, usize::MAX).map(|trace| trace.rows)
    }

    /// As [`Self::trace`], but no more than `rows_max` rows: one trace id may be on everything that a client sends.
    pub fn trace_up_to(&self, tenant: &TenantId, id: TraceId, rows_max: usize) -> Result<TraceRows, ReadError> {
        let mut spans = Vec::new();
        let mut is_damaged = false;
        for segment in self.segments(tenant) {
            match segment.trace_up_to(id, rows_max - spans.len()) {
                Ok(found) => spans.extend(found),
                // A broken segment hurts only itself.
                Err(error) => {
                    segment.report(&error);
                    is_damaged = true;
                }
            }
        }
        for file in &self.0.files {
            spans.extend(file.trace(tenant, id, self.0.cut(), rows_max - spans.len()));
        }
        spans.sort_by_key(|record| record.span.start_time_unix_nano);
        Ok(TraceRows { rows: spans, is_damaged })
    }

    /// The newest traces with a span that fulfils the filter.
    pub fn search(
        &self,
        tenant: &TenantId,
        filter: &SpanFilter,
        limits: SearchLimits,
    ) -> Result<SearchResult, ReadError> {
        let mut newest = NewestTraces::new(limits.traces_max);
        let mut partial = false;
        for file in self.0.files.iter().rev() {
            partial |= !file.search(tenant, filter, self.0.cut(), &mut newest, limits.deadline);
        }
        let mut segments: Vec<_> = self.segments(tenant).iter().collect();
        segments.sort_by_key(|segment| Reverse(segment.start_max_ns()));
        for segment in segments {
            if newest.floor_ns() > segment.start_max_ns() {
                break;
            }
            if Instant::now() >= limits.deadline {
                partial = true;
                break;
            }
            match segment.search(filter, &mut newest, limits.deadline) {
                Ok(Searched::Whole) => {}
                Ok(Searched::Cut) => partial = true,
                Err(error) => {
                    segment.report(&error);
                    partial = true;
                }
            }
        }
        Ok(SearchResult { traces: newest.into_traces(), partial })
    }

    /// Every operation seen, sorted.
    pub fn operations(&self, tenant: &TenantId) -> Result<Vec<Operation>, ReadError> {
        let mut operations = BTreeSet::new();
        for segment in self.segments(tenant) {
            match segment.operations() {
                Ok(found) => operations.extend(found),
                Err(error) => segment.report(&error),
            }
        }
        for file in self.0.files.iter().rev() {
            file.operations(tenant, self.0.cut(), &mut operations);
        }
        Ok(operations.into_iter().collect())
    }

    /// The tallies.
    pub fn ledger(&self) -> Ledger {
        let mut traces = self.0.sealed_ledger.as_ref().clone();
        for file in &self.0.files {
            for (tenant, tally) in file.tallies(self.0.projected) {
                traces.entry(tenant).or_default().add(&tally);
            }
            file.add_pending(self.0.sampled.taken_in, self.0.projected, &mut traces);
        }
        for (tenant, outcomes) in &self.0.sampled.by_tenant {
            // Their files count them as accepted.
            traces.entry(tenant.clone()).or_default().add(&Tally { accepted: 0, ..outcomes.clone() });
        }
        Ledger { traces }
    }

    /// Spans of a tenant.
    pub fn spans(&self, tenant: &TenantId) -> u64 {
        let of_file = |file: &Arc<HeadFile>| -> u64 {
            let frames = file.frames(self.0.projected).filter(|frame| frame.tenant == *tenant);
            frames.map(|frame| frame.spans.len() as u64).sum()
        };
        let sealed: u64 = self.segments(tenant).iter().map(|segment| segment.rows()).sum();
        sealed + self.0.files.iter().map(of_file).sum::<u64>()
    }

    /// The view itself.
    pub(crate) fn view(&self) -> &View {
        &self.0
    }

    pub(crate) fn segments(&self, tenant: &TenantId) -> &[Arc<StoredSegment>] {
        self.0.segments.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }
}

impl StoredSegment {
    /// Counts that it cannot be read, and logs it once a minute at most: every query may meet the same damage.
    pub(crate) fn report(&self, error: &SegmentError) {
        SEGMENT_READ_ERRORS.inc();
        if matches!(error, SegmentError::Damaged { .. }) {
            self.set_damaged(true);
        }
        if let Some(times) = self.read_failed(Instant::now()) {
            tracing::error!(segment = %self.path().display(), %error, times, "a segment cannot be read; the rest is");
        }
    }
}
