//! Seals closed journal files of metrics, one after the other: a segment a tenant, its chunks copied from the head.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use prometheus::{IntGauge, register_int_gauge};
use weir_proto::{
    Signal, TenantId,
    metrics::{Exemplar, Labels},
};

use super::{
    quarantine,
    sealer::{Left, RETRY, SEAL_SECONDS, SEALED_ITEMS, SEALS, TICK, commit_run, store_segment},
};
use crate::{
    head::{SeriesFile, TenantFile},
    journal::SourceCursors,
    lane::{errors::SealError, shared::Shared},
    ledger::Tally,
    segment::{
        SegmentError, SegmentId, SegmentTally,
        series::{EncodedChunk, SeriesExtras, SeriesSegment, SeriesWriter},
    },
    snapshot::stored::StoredSegment,
};

/// How often memory is measured: every series is looked at.
const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// Sealing is quick rather than small: merging writes it all again.
const ZSTD_LEVEL: i32 = 1;

static HEAD_SERIES_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    let text = "Memory of series, their index and their unsealed samples, about.";
    register_int_gauge!("weir_head_series_bytes", text).expect("registered once")
});

/// Seals until the store stops.
pub(crate) fn run(shared: &Arc<Shared>) {
    let mut sealed = VecDeque::new();
    let mut measured_at: Option<Instant> = None;
    while !shared.is_stopping() {
        forget(shared, &mut sealed);
        if measured_at.is_none_or(|at| at.elapsed() >= MEASURE_EVERY) {
            measured_at = Some(Instant::now());
            HEAD_SERIES_BYTES.set(shared.registry.memory_bytes() as i64);
        }
        let Some(file) = next_file(shared) else {
            shared.wait(TICK);
            continue;
        };
        match seal(shared, &file) {
            Ok(()) => {
                sealed.push_back(file);
                shared.ring();
            }
            Err(SealError::Catalog(error)) if !error.is_refusal() => shared.fail(error.to_string()),
            Err(error) => {
                tracing::error!(%error, "cannot seal metrics yet");
                // Likely for want of space.
                shared.metrics.journal.tidy(true);
                shared.wait(RETRY);
            }
        }
    }
}

/// The oldest file, when nothing is added to it any more.
pub(crate) fn next_file(shared: &Shared) -> Option<Arc<SeriesFile>> {
    let view = shared.views.current();
    view.metrics.files.first().filter(|file| file.journal().is_closed()).cloned()
}

/// Lets go of the samples of sealed files that no snapshot names any more.
pub(crate) fn forget(shared: &Shared, sealed: &mut VecDeque<Arc<SeriesFile>>) {
    let mut first_kept = None;
    while sealed.front().is_some_and(|file| Arc::strong_count(file) == 1) {
        // Its references to series go with it.
        first_kept = sealed.pop_front().map(|file| file.number() + 1);
    }
    if let Some(first_kept) = first_kept {
        shared.registry.forget_before(first_kept);
    }
}

/// Makes segments of a file, commits them and lets go of it.
pub(crate) fn seal(shared: &Arc<Shared>, file: &Arc<SeriesFile>) -> Result<(), SealError> {
    let timer = SEAL_SECONDS.start_timer();
    let number = file.number();
    let ledger = file.tallies(file.end());
    let view = shared.views.current();
    let mut segments = Vec::new();
    for tenant in file.tenants() {
        let Some(part) = file.tenant(&tenant) else { continue };
        let own = ledger.get(&tenant).cloned().unwrap_or_default();
        let mut ledger_after = view.metrics.sealed_ledger.get(&tenant).cloned().unwrap_or_default();
        ledger_after.add(&own);
        let tally = SegmentTally { own, ledger_after: Some(ledger_after) };
        segments.extend(write(shared, &tenant, file, part, tally)?);
    }
    drop(view);
    let left = Left { segments: &segments, ledger: &ledger, cursors: &SourceCursors::default() };
    commit_run(shared, &shared.metrics, number, left, || {
        swap(shared, number, &segments, &ledger);
    })?;
    if ledger.values().any(|tally| tally.damaged > 0) {
        quarantine::set_aside(shared, Signal::Metrics, std::iter::once(file.journal()));
    }
    if let Err(error) = shared.metrics.journal.retire(number + 1) {
        // They are sealed: what is left is tried again with the next file, or removed by the next start.
        tracing::warn!(%error, "cannot delete sealed journal files");
    }
    timer.observe_duration();
    SEALS.inc();
    Ok(())
}

fn swap(
    shared: &Shared,
    last_file: u32,
    segments: &[Arc<StoredSegment<SeriesSegment>>],
    ledger: &BTreeMap<TenantId, Tally>,
) {
    shared.views.change(|view| {
        let view = &mut view.metrics;
        view.files.retain(|file| file.number() > last_file);
        let by_tenant = Arc::make_mut(&mut view.segments);
        for segment in segments {
            by_tenant.entry(segment.id().tenant.clone()).or_default().push(segment.clone());
        }
        let sealed = Arc::make_mut(&mut view.sealed_ledger);
        for (tenant, tally) in ledger {
            sealed.entry(tenant.clone()).or_default().add(tally);
        }
    });
}

/// A tenant's segment; `None` when there is no sample in the file.
fn write(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    file: &SeriesFile,
    mut part: TenantFile,
    tally: SegmentTally,
) -> Result<Option<Arc<StoredSegment<SeriesSegment>>>, SegmentError> {
    if part.series.is_empty() {
        return Ok(None);
    }
    let number = file.number();
    let id = SegmentId {
        signal: Signal::Metrics,
        tenant: tenant.clone(),
        first_file: number,
        last_file: number,
        generation: 0,
    };
    part.series.sort_unstable_by(|one, other| one.labels().cmp(other.labels()));
    let segment = store_segment(shared, &id, |parent| {
        let mut writer = SeriesWriter::create(&shared.disk, parent, &id, ZSTD_LEVEL)?;
        for series in &part.series {
            let chunks = series.0.of_file(number, |chunk, rest| {
                let of_head = chunk.map(EncodedChunk::of_head);
                of_head.into_iter().chain(EncodedChunk::quick(&rest)).collect::<Vec<_>>()
            });
            writer.series(series.labels(), &chunks)?;
        }
        writer.finish(SeriesExtras {
            exemplars: by_series(&part),
            families: part.metadata.values().cloned().collect(),
            // All that stand, not only the file's: the newest segment tells of them all.
            notes: shared.registry.tenant(tenant).notes(),
            tally,
            arrived_at_ns: file.newest_received_at_ns(),
        })
    })?;
    SEALED_ITEMS.with_label_values(&[Signal::Metrics.name()]).inc_by(segment.samples());
    Ok(Some(segment))
}

fn by_series(part: &TenantFile) -> Vec<(Labels, Vec<Exemplar>)> {
    let mut exemplars: BTreeMap<&Labels, Vec<Exemplar>> = BTreeMap::new();
    for (series, _, exemplar) in &part.exemplars {
        exemplars.entry(series.labels()).or_default().push(exemplar.clone());
    }
    let sorted = exemplars.into_iter().map(|(labels, mut of_series)| {
        of_series.sort_by_key(|exemplar| exemplar.time_ms);
        (labels.clone(), of_series)
    });
    sorted.collect()
}
