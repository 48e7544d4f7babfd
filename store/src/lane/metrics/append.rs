//! Takes batches in: what repeats or contradicts the head stays out, the rest becomes a frame. What batches on their way say is
//! looked at when it is written: `twins`.

use std::sync::Arc;

use bytes::Bytes;
use weir_proto::metrics::{Exemplar, Histogram};

use super::batch::{FloatSample, HistogramSample, MetricsAppended, MetricsBatch, Places, SampleIndex, SentFrame};
use crate::{
    head::{SeriesRef, Taken},
    journal::{Entry, FrameHeader},
    lane::{errors::AppendError, shared::Shared},
    note::Note,
    reject::{RejectReason, Rejection},
    samples::payload::{Row, put_columns, put_definitions, put_notes},
};

/// Returns once the batch is fsynced and visible to snapshots.
pub(crate) async fn append(shared: &Shared, mut batch: MetricsBatch) -> Result<MetricsAppended, AppendError> {
    shared.registry.tenant(&batch.tenant).learn(&batch.metadata, shared.registry.limits());
    let mut appended = MetricsAppended::default();
    let places = sort_out(&mut batch, &mut appended);
    let is_empty = batch.floats.is_empty() && batch.histograms.is_empty() && batch.exemplars.is_empty();
    if is_empty
        && batch.metadata.is_empty()
        && batch.rejected.is_empty()
        && batch.notes.is_empty()
        && appended.conflicts.is_empty()
    {
        return Ok(appended);
    }
    let is_patient = batch.is_patient;
    let entry = entry(batch, places, appended);
    let outcome = entry.attachment.outcome.clone();
    match is_patient {
        true => shared.metrics.append_patiently(entry).await?,
        false => shared.metrics.append_entry(entry).await?,
    }
    let appended = std::mem::take(&mut *outcome.lock());
    Ok(appended)
}

/// Takes out what is there already, and what another value is in the place of.
fn sort_out(batch: &mut MetricsBatch, appended: &mut MetricsAppended) -> Option<Places> {
    let of_float = |sample: &FloatSample| sample.series.0.would_take_float(sample.time_ms, sample.value);
    let of_histogram =
        |sample: &HistogramSample| sample.series.0.would_take_histogram(sample.time_ms, &sample.histogram);
    let is_new = |taken: Taken| taken == Taken::Stored;
    if batch.floats.iter().all(|sample| is_new(of_float(sample)))
        && batch.histograms.iter().all(|sample| is_new(of_histogram(sample)))
    {
        return None;
    }
    let mut places = Places::default();
    batch.floats = keep_new(std::mem::take(&mut batch.floats), of_float, &mut places.floats, |taken, index| {
        appended.count(taken, SampleIndex::Float(index));
    });
    batch.histograms =
        keep_new(std::mem::take(&mut batch.histograms), of_histogram, &mut places.histograms, |taken, index| {
            appended.count(taken, SampleIndex::Histogram(index));
        });
    if !appended.conflicts.is_empty() {
        batch.rejected.push((RejectReason::Conflict, appended.conflicts.len() as u32));
    }
    Some(places)
}

fn keep_new<S>(
    samples: Vec<S>,
    taken: impl Fn(&S) -> Taken,
    places: &mut Vec<u32>,
    mut count: impl FnMut(Taken, u32),
) -> Vec<S> {
    let mut kept = Vec::with_capacity(samples.len());
    for (index, sample) in (0..).zip(samples) {
        match taken(&sample) {
            Taken::Stored => {
                places.push(index);
                kept.push(sample);
            }
            other => count(other, index),
        }
    }
    kept
}

impl MetricsAppended {
    /// Counts a sample.
    pub(crate) fn count(&mut self, taken: Taken, index: SampleIndex) {
        match taken {
            Taken::Stored => self.stored += 1,
            Taken::Repeated => self.repeated += 1,
            Taken::Conflict => self.conflicts.push(index),
        }
    }
}

fn entry(batch: MetricsBatch, places: Option<Places>, appended: MetricsAppended) -> Entry<SentFrame> {
    let samples = (batch.floats.len() + batch.histograms.len()) as u32;
    let reasons = batch.rejected.iter().flat_map(|&(reason, count)| std::iter::repeat_n(reason, count as usize));
    let rejected = rejections(samples, reasons);
    let payload = payload((&batch.floats, &batch.histograms, &batch.exemplars), &batch.notes);
    let header = FrameHeader {
        tenant: batch.tenant,
        received_at_ns: batch.received_at_ns,
        items: samples + rejected.len() as u32,
        rejected,
        generation: 0,
        cursor: Bytes::new(),
        head_dropped: 0,
    };
    let outcome = Arc::new(parking_lot::Mutex::new(appended));
    let MetricsBatch { floats, histograms, exemplars, notes, .. } = batch;
    let sent = SentFrame {
        floats,
        histograms,
        exemplars,
        notes,
        families: Vec::new(),
        families_version: None,
        places,
        outcome,
    };
    Entry { header, payload: payload.into(), attachment: sent }
}

/// The rejected ones count on behind those that are there.
pub(super) fn rejections(samples: u32, reasons: impl Iterator<Item = RejectReason>) -> Vec<Rejection> {
    (samples..).zip(reasons).map(|(ordinal, reason)| Rejection { ordinal, reason }).collect()
}

/// The payload without definitions: the committer knows which are due.
pub(super) fn payload(
    (floats, histograms, exemplars): (&[FloatSample], &[HistogramSample], &[(SeriesRef, Exemplar)]),
    notes: &[Note],
) -> Vec<u8> {
    // 9 bytes a sample, and what stands around them.
    let mut payload = Vec::with_capacity(64 + floats.len() * 10);
    put_definitions(&mut payload, std::iter::empty(), std::iter::empty());
    let floats = floats.iter().map(|sample| Row {
        series: sample.series.0.number,
        time_ms: sample.time_ms,
        start_ms: sample.start_ms,
        value: sample.value,
    });
    let histograms = histograms.iter().map(|sample| Row::<&Histogram> {
        series: sample.series.0.number,
        time_ms: sample.time_ms,
        start_ms: sample.start_ms,
        value: &sample.histogram,
    });
    let exemplars = exemplars.iter().map(|(series, exemplar)| (series.0.number, exemplar));
    put_columns(&mut payload, floats, histograms, exemplars);
    put_notes(&mut payload, notes);
    payload
}
