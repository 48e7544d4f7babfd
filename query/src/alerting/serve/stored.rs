//! What an evaluation gave, as a batch for the store: its samples, and beside them the state that a restart needs.

use std::sync::Arc;

use weir_proto::metrics::Histogram;
use weir_store::{AppendError, FloatSample, HistogramSample, MetricsBatch, Note};

use super::{asks::Engines, metrics};
use crate::{
    alerting::{
        group::{GroupState, StoredSample},
        notify::Origin,
        rules::RuleGroup,
        state::{Restored, read_state, write_state},
    },
    promql::value::Point,
};

/// What names of notes begin with: the state of a group's alerts …
const STATE: &str = "alerting/state/";
/// … and the moment that it was evaluated for last, Unix ms in 8 bytes, little endian.
const SLOT: &str = "alerting/slot/";

/// … and the moment up to which webhooks know of its news, likewise.
const TOLD: &str = "alerting/told/";

/// Larger than what is written of a group: of more, annotations are left out.
const STATE_BYTES_MAX: usize = 32 << 20;

/// The batch of an evaluation.
pub(super) fn batch(engines: &Engines, samples: Vec<StoredSample>, received_at_ns: u64) -> MetricsBatch {
    let mut batch = MetricsBatch::new(engines.tenant.clone(), received_at_ns);
    let mut refused = 0;
    let mut why = None;
    for StoredSample { labels, time_ms, point } in samples {
        let series = match engines.store.series(&engines.tenant, &labels) {
            Ok(series) => series,
            Err(error) => {
                refused += 1;
                why.get_or_insert(error);
                continue;
            }
        };
        match point {
            Point::Float(value) => batch.floats.push(FloatSample { series, time_ms, start_ms: 0, value }),
            Point::Histogram(histogram) => {
                let histogram: Box<Histogram> = Box::new(Arc::unwrap_or_clone(histogram));
                batch.histograms.push(HistogramSample { series, time_ms, start_ms: 0, histogram });
            }
        }
    }
    if let Some(why) = why {
        metrics::REFUSED.inc_by(refused);
        tracing::warn!(refused, %why, "samples of rules are not stored");
    }
    batch
}

/// Appends it; what was refused for another value at its time is counted.
pub(super) async fn append(engines: &Engines, batch: MetricsBatch) -> Result<(), AppendError> {
    if batch.floats.is_empty() && batch.histograms.is_empty() && batch.notes.is_empty() {
        return Ok(());
    }
    let appended = engines.store.append_metrics(batch).await?;
    metrics::REFUSED.inc_by(appended.conflicts.len() as u64);
    Ok(())
}

fn key(origin: &Origin) -> String {
    // No file's name has a zero in it.
    format!("{}\0{}", origin.file, origin.group)
}

/// The state of a group and its last moment; without alerts, that there is none.
pub(super) fn state_notes(origin: &Origin, group: &RuleGroup, state: &GroupState) -> [Note; 2] {
    let mut bytes = write_state(&origin.file, group, state);
    if bytes.len() > STATE_BYTES_MAX {
        tracing::error!(group = origin.group, bytes = bytes.len(), "the state of alerts is too large to be kept");
        bytes.clear();
    }
    let slot = if bytes.is_empty() { Vec::new() } else { slot_bytes(state) };
    let key = key(origin);
    [
        Note { name: format!("{STATE}{key}"), bytes: bytes.into() },
        Note { name: format!("{SLOT}{key}"), bytes: slot.into() },
    ]
}

/// Only the last moment.
pub(super) fn slot_note(origin: &Origin, state: &GroupState) -> Note {
    Note { name: format!("{SLOT}{}", key(origin)), bytes: slot_bytes(state).into() }
}

fn slot_bytes(state: &GroupState) -> Vec<u8> {
    state.last_slot_ms.unwrap_or(0).to_le_bytes().to_vec()
}

/// Up to which moment webhooks know of a group's news.
pub(super) fn told_note(origin: &Origin, slot_ms: i64) -> Note {
    Note { name: format!("{TOLD}{}", key(origin)), bytes: slot_ms.to_le_bytes().to_vec().into() }
}

/// That nothing is remembered of a group any more.
pub(super) fn forgetting(origin: &Origin) -> [Note; 3] {
    let key = key(origin);
    [STATE, SLOT, TOLD].map(|kind| Note { name: format!("{kind}{key}"), bytes: axum::body::Bytes::new() })
}

/// What an earlier process left, as it is found at a moment, Unix ms.
pub(super) fn restored(engines: &Engines, now_ms: i64) -> Vec<(Origin, Restored)> {
    let notes = |prefix: &str| engines.store.notes_of(&engines.tenant, prefix);
    let moment = |kind: &str, key: &str| {
        let name = format!("{kind}{key}");
        let note = notes(&name).into_iter().find(|note| note.name == name)?;
        Some(i64::from_le_bytes(note.bytes.as_ref().try_into().ok()?))
    };
    let mut all = Vec::new();
    for note in &notes(STATE) {
        let Some(key) = note.name.strip_prefix(STATE) else { continue };
        match read_state(&note.bytes, moment(SLOT, key)) {
            Ok(mut restored) => {
                restored.resumed_at(now_ms, moment(TOLD, key));
                let origin = Origin { file: restored.file.clone(), group: restored.group.clone() };
                all.push((origin, restored));
            }
            Err(error) => tracing::error!(note = note.name, error, "the state of alerts cannot be read"),
        }
    }
    all
}
