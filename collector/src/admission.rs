//! Decides item by item what a payload's journal frame holds: spans here, lines in [`lines`].

mod lines;

use std::{fmt::Write, time::Duration};

use bytes::Bytes;
pub use lines::admit_lines;
pub(crate) use lines::admit_own_lines;
use parking_lot::Mutex;
use weir_proto::{
    Signal, SpanId, TenantId, TraceId,
    otlp::{
        Checks, ItemFault, Limits, ScanError,
        logs::{self, IdNames},
        metrics,
        traces::{self, Rewriter, ScannedSpan, scan},
        wire::WireError,
        with_attributes_max,
    },
};
use weir_store::{
    Batch, RejectReason, Rejection, TracesBatch, head::BatchSummaries, journal::Checksummed, sampling::Sampling,
};

use crate::{
    processors::{
        Processing,
        probabilistic_sampler::{Fate, HeadSampler},
    },
    samples::AcceptWindow,
};

/// What makes an item acceptable, and what is done with it.
#[derive(Debug, Clone)]
pub struct AdmissionRules {
    /// Bounds on each item.
    pub limits: Limits,
    /// How far before its arrival an item may lie, or a span end if it took no more than a year; `None` for any time.
    pub accept_past: Option<Duration>,
    /// How far after its arrival an item may lie; `None` for any time.
    pub accept_future: Option<Duration>,
    /// What samples spans.
    pub processing: Processing,
    /// Where the ids of lines are looked for.
    pub line_ids: IdNames,
}

/// Most rejected items of one request. A batch of 16 MiB may hold eight million empty spans: naming each would cost
/// more memory than the batch itself.
pub const REJECTED_MAX: usize = 1 << 18;

/// Largest payload in which fields given twice are merged.
pub const REWRITTEN_BYTES_MAX: usize = 1 << 20;

/// A batch for the journal, and what its sender is told.
#[derive(Debug)]
pub struct Admitted<S> {
    /// To append, unless it has no items.
    pub batch: Batch<S>,
    /// Set when items were rejected.
    pub partial: Option<PartialSuccess>,
}

/// OTLP's `partial_success`: the accepted rest is kept, the sender must not repeat the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Items rejected.
    pub rejected: u32,
    /// How many for each reason.
    pub reasons: Vec<(RejectReason, u32)>,
    /// Reasons with their counts, as a sentence.
    pub message: String,
}

/// Why a whole payload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Not the request that belongs to the signal.
    #[error("not an {}: {error}", request_name(*signal))]
    Malformed {
        /// Which.
        signal: Signal,
        /// Why.
        error: WireError,
    },
    /// Well formed, and hardly anything else.
    #[error("more than {REJECTED_MAX} unusable {} in one request", signal.items())]
    TooManyRejected {
        /// Of which signal.
        signal: Signal,
    },
    /// Fields given twice that are there once, which no known exporter writes, in a payload too large to be rewritten.
    #[error("fields that are there once are given twice in a request of more than {REWRITTEN_BYTES_MAX} bytes")]
    NotMerged,
}

/// What OTLP calls a signal's request.
fn request_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "ExportTraceServiceRequest",
        Signal::Logs => "ExportLogsServiceRequest",
        Signal::Metrics => "ExportMetricsServiceRequest",
    }
}

/// Judges each span of `payload`, an encoded ExportTraceServiceRequest that arrived at `now_ns`.
///
/// Fields given twice are merged, so that the journal holds payloads that are read in one pass only. Attributes beyond the limit are left out and
/// counted. Spans that end before they start, and parents of a wrong length, are kept as they came: one odd field does not make a span
/// worthless.
pub fn admit(
    tenant: TenantId,
    payload: Bytes,
    now_ns: u64,
    rules: &AdmissionRules,
) -> Result<Admitted<BatchSummaries>, AdmissionError> {
    // First of all: it reads the payload in order. The scan hops from length to length, and would wait for memory at each hop.
    let arrived = Checksummed::of(payload.clone());
    let stages = rules.processing.current();
    let (payload, head_dropped) = match &stages.head {
        Some(sampler) => {
            let (payload, sampled) =
                with_usable(Signal::Traces, payload, rules, |payload| sample(payload, now_ns, rules, sampler))?;
            (sampled.payload.map_or(payload, Bytes::from), sampled.dropped)
        }
        None => (payload, 0),
    };
    let marking = stages.tail.as_deref().filter(|tail| !tail.is_retired());
    let sampling = marking.map(|tail| tail as &dyn Sampling);
    let check_payload = |payload: &[u8]| check_payload(payload, now_ns, rules, sampling);
    let (payload, judged) = with_usable(Signal::Traces, payload, rules, check_payload)?;
    let (judged, partial) = judged.within_bounds(Signal::Traces, rules)?;
    let Judged { items, rejected, summaries, .. } = judged;
    let is_unchanged = payload.as_ptr() == arrived.as_ptr() && payload.len() == arrived.len();
    let batch = TracesBatch {
        tenant,
        payload: if is_unchanged { arrived } else { payload.into() },
        received_at_ns: now_ns,
        items,
        rejected,
        summaries,
        generation: sampling.map_or(0, |sampling| sampling.generation()),
        head_dropped,
        cursors: Default::default(),
    };
    Ok(Admitted { batch, partial })
}

/// What a scan tells beside what it is made for.
trait Scanned {
    /// Whether an item is at fault for too many attributes.
    fn has_surplus(&self) -> bool;
}

/// Scans, once more when the first scan finds too many attributes, which are left out before.
fn with_usable<T: Scanned>(
    signal: Signal,
    payload: Bytes,
    rules: &AdmissionRules,
    scan: impl Fn(&[u8]) -> Result<T, ScanError>,
) -> Result<(Bytes, T), AdmissionError> {
    let (payload, found) = with_canonical(signal, payload, &scan)?;
    if !found.has_surplus() {
        return Ok((payload, found));
    }
    let payload = with_attributes_max(signal, &payload, rules.limits.attributes_max)
        .map_err(|error| AdmissionError::Malformed { signal, error })?;
    with_canonical(signal, payload.into(), scan)
}

/// Scans, a second time when the first finds fields given twice, which are merged before.
pub(crate) fn with_canonical<T>(
    signal: Signal,
    payload: Bytes,
    scan: impl Fn(&[u8]) -> Result<T, ScanError>,
) -> Result<(Bytes, T), AdmissionError> {
    let malformed = |error| AdmissionError::Malformed { signal, error };
    let error = match scan(&payload) {
        Ok(found) => return Ok((payload, found)),
        Err(error) => error,
    };
    if let ScanError::Wire(error) = error {
        return Err(malformed(error));
    }
    let payload = rewrite(signal, &payload)?;
    match scan(&payload) {
        Ok(found) => Ok((payload, found)),
        Err(ScanError::Wire(error)) => Err(malformed(error)),
        Err(ScanError::NotCanonical) => Err(AdmissionError::NotMerged),
    }
}

/// What head sampling leaves.
struct HeadSampled {
    /// `None`: all of it, as it is.
    payload: Option<Vec<u8>>,
    dropped: u32,
    has_surplus: bool,
}

impl Scanned for HeadSampled {
    fn has_surplus(&self) -> bool {
        self.has_surplus
    }
}

/// Takes out the spans that head sampling does not want. Those that will be rejected stay: it is the scan after this that counts them.
fn sample(
    payload: &[u8],
    now_ns: u64,
    rules: &AdmissionRules,
    sampler: &HeadSampler,
) -> Result<HeadSampled, ScanError> {
    let window = TimeWindow::around(now_ns, rules);
    let (mut dropped, mut changed, mut failed, mut has_surplus) = (0, false, None, false);
    let mut rewriter = Rewriter::with_capacity(payload.len());
    scan(payload, Checks::Admission(rules.limits), |scanned| {
        has_surplus |= scanned.fault == Some(ItemFault::TooManyAttributes);
        let fate = if fault(scanned, window).is_some() { Fate::Unchanged } else { sampler.fate(&scanned.span) };
        let pushed = match fate {
            Fate::Dropped => {
                dropped += 1;
                Ok(())
            }
            Fate::Unchanged => rewriter.push(scanned, None),
            Fate::TraceState(trace_state) => {
                changed = true;
                rewriter.push(scanned, Some(&trace_state))
            }
        };
        failed = failed.or(pushed.err());
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None if dropped == 0 && !changed => Ok(HeadSampled { payload: None, dropped, has_surplus }),
        None => Ok(HeadSampled { payload: Some(rewriter.finish()), dropped, has_surplus }),
    }
}

/// One rewriting at a time, and of small payloads only: an empty span of two bytes becomes a struct of 300.
fn rewrite(signal: Signal, payload: &[u8]) -> Result<Bytes, AdmissionError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    if payload.len() > REWRITTEN_BYTES_MAX {
        return Err(AdmissionError::NotMerged);
    }
    let _turn = ONE_AT_A_TIME.lock();
    let canonical = match signal {
        Signal::Traces => traces::canonical,
        Signal::Logs => logs::canonical,
        Signal::Metrics => metrics::canonical,
    };
    let rewritten = canonical(payload).map_err(|error| AdmissionError::Malformed { signal, error })?;
    Ok(rewritten.into())
}

/// What a scan found.
struct Judged<S> {
    items: u32,
    rejected: Vec<Rejection>,
    /// Counts on when `rejected` is full.
    rejected_count: usize,
    has_surplus: bool,
    summaries: S,
}

impl<S> Scanned for Judged<S> {
    fn has_surplus(&self) -> bool {
        self.has_surplus
    }
}

impl<S> Judged<S> {
    fn new(summaries: S) -> Self {
        Self { items: 0, rejected: Vec::new(), rejected_count: 0, has_surplus: false, summaries }
    }

    fn reject(&mut self, ordinal: u32, reason: RejectReason) {
        self.has_surplus |= reason == RejectReason::TooManyAttributes;
        self.rejected_count += 1;
        if self.rejected.len() < REJECTED_MAX {
            self.rejected.push(Rejection { ordinal, reason });
        }
    }

    /// Itself, and what the sender is told; unless hardly anything of it is usable.
    fn within_bounds(
        self,
        signal: Signal,
        rules: &AdmissionRules,
    ) -> Result<(Self, Option<PartialSuccess>), AdmissionError> {
        if self.rejected_count > REJECTED_MAX {
            return Err(AdmissionError::TooManyRejected { signal });
        }
        let window = AcceptWindow { past: rules.accept_past, future: rules.accept_future };
        let partial = partial_success(signal, &self.rejected, window);
        Ok((self, partial))
    }
}

fn check_payload(
    payload: &[u8],
    now_ns: u64,
    rules: &AdmissionRules,
    sampling: Option<&dyn Sampling>,
) -> Result<Judged<BatchSummaries>, ScanError> {
    /// Spans of shop traffic have about this size.
    const SPAN_BYTES_USUAL: usize = 400;

    let window = TimeWindow::around(now_ns, rules);
    let mut judged = Judged::new(BatchSummaries::with_capacity(payload.len() / SPAN_BYTES_USUAL + 1));
    let mut marker = sampling.map(|sampling| sampling.marker());
    scan(payload, Checks::Admission(rules.limits), |scanned| {
        judged.items += 1;
        if let Some(reason) = fault(scanned, window) {
            judged.reject(scanned.ordinal, reason);
            return;
        }
        judged.summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
        if let Some(marker) = &mut marker {
            judged.summaries.mark(&mut **marker, scanned);
        }
    })?;
    Ok(judged)
}

/// The longest that a span may have taken, in ns, to be judged by its end.
const JOB_NS_MAX: u64 = 366 * 24 * 3_600_000_000_000;

/// Times that are accepted, both ends included, Unix ns.
#[derive(Debug, Clone, Copy)]
struct TimeWindow {
    from_ns: u64,
    to_ns: u64,
}

impl TimeWindow {
    fn around(now_ns: u64, rules: &AdmissionRules) -> Self {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self {
            from_ns: rules.accept_past.map_or(0, |past| now_ns.saturating_sub(ns(past))),
            to_ns: rules.accept_future.map_or(u64::MAX, |future| now_ns.saturating_add(ns(future))),
        }
    }

    /// Why a time is not accepted.
    fn fault(self, time_ns: u64) -> Option<RejectReason> {
        if time_ns < self.from_ns {
            return Some(RejectReason::TooOld);
        }
        (time_ns > self.to_ns).then_some(RejectReason::TooNew)
    }
}

impl TimeWindow {
    /// Whether a long job that began before the window ended within it: its other spans are in, and would be torn from it. A span without a
    /// start is none.
    fn has_end_of_job(self, start_ns: u64, end_ns: u64) -> bool {
        let is_job = start_ns > 0 && end_ns.saturating_sub(start_ns) <= JOB_NS_MAX;
        is_job && (self.from_ns..=self.to_ns).contains(&end_ns)
    }
}

fn fault(scanned: &ScannedSpan<'_>, window: TimeWindow) -> Option<RejectReason> {
    if let Some(fault) = scanned.fault {
        return Some(fault.into());
    }
    let span = &scanned.span;
    if TraceId::from_wire(span.trace_id).is_none() {
        return Some(RejectReason::InvalidTraceId);
    }
    if SpanId::from_wire(span.span_id).is_none() {
        return Some(RejectReason::InvalidSpanId);
    }
    if span.start_ns < window.from_ns && window.has_end_of_job(span.start_ns, span.end_ns) {
        return None;
    }
    window.fault(span.start_ns)
}

fn partial_success(signal: Signal, rejected: &[Rejection], window: AcceptWindow) -> Option<PartialSuccess> {
    if rejected.is_empty() {
        return None;
    }
    let mut reasons = Vec::new();
    let mut message = format!("rejected {}:", signal.items());
    for reason in RejectReason::ALL {
        let count = rejected.iter().filter(|rejection| rejection.reason == reason).count() as u32;
        if count > 0 {
            let separator = if reasons.is_empty() { "" } else { "," };
            let _ = write!(message, "{separator} {} {count}", reason.name());
            if let Some(words) = window.in_words(reason) {
                let _ = write!(message, " ({words})");
            }
            reasons.push((reason, count));
        }
    }
    Some(PartialSuccess { rejected: rejected.len() as u32, reasons, message })
}

#[cfg(test)]
mod tests;
