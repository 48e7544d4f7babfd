//! Seals runs of closed journal files into segments, one per tenant.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, PoisonError},
    time::Duration,
};

use prometheus::{Histogram, IntCounter, histogram_opts, register_histogram, register_int_counter};
use weir_proto::TenantId;

use super::{Shared, stored::StoredSegment};
use crate::{
    Tally,
    catalog::CatalogError,
    head::HeadFile,
    segment::{PAYLOAD_BYTES_MAX, SegmentError, SegmentId, SpanBuilder, write_segment},
};

/// How often the sealer looks when nobody rings.
const TICK: Duration = Duration::from_millis(100);

/// Pause after a failed attempt (a full disk): sealing goes on by itself when there is space again.
const RETRY: Duration = Duration::from_secs(1);

static SEALS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_seals_total", "Runs of journal files sealed.").expect("registered once")
});
static SEALED_SPANS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_sealed_spans_total", "Spans written to sealed segments.").expect("registered once")
});
static SEAL_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = prometheus::exponential_buckets(0.01, 2.0, 14).expect("positive start and factor");
    register_histogram!(histogram_opts!("weir_seal_duration_seconds", "Time to seal a run.", buckets))
        .expect("registered once")
});

/// Sealing is on the ingest path: quick rather than small. Merging does it again, smaller.
const ZSTD_LEVEL: i32 = 1;

/// Largest run, and largest journal file: with the one frame that a file may hold beyond its size it fits a builder.
pub(super) const RUN_BYTES_MAX: u64 = PAYLOAD_BYTES_MAX / 2;

/// Why a run is not sealed yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Seals until the store stops.
pub(super) fn run(shared: &Arc<Shared>) {
    while !shared.is_stopping() {
        let Some(files) = next_run(shared) else {
            shared.wait(TICK);
            continue;
        };
        match seal(shared, &files) {
            Ok(()) => shared.ring(),
            Err(SealError::Catalog(error)) if !error.is_refusal() => shared.fail(error.to_string()),
            Err(error) => {
                tracing::error!(%error, "cannot seal yet");
                shared.wait(RETRY);
            }
        }
    }
}

/// The oldest closed files, as many as make one segment, once there are enough of them or they are old enough.
pub(super) fn next_run(shared: &Shared) -> Option<Vec<Arc<HeadFile>>> {
    let view = shared.views.current();
    let run_bytes_max = shared.options.seal_bytes_max.min(RUN_BYTES_MAX);
    let mut run: Vec<Arc<HeadFile>> = Vec::new();
    let mut bytes = 0;
    for file in view.files.iter().take_while(|file| file.journal().is_closed()) {
        bytes += u64::from(file.journal().bytes());
        if run.is_empty() || bytes <= run_bytes_max {
            run.push(file.clone());
        }
    }
    let oldest_ns = run.first()?.oldest_received_at_ns();
    let age = Duration::from_nanos(shared.clock.now_ns().saturating_sub(oldest_ns));
    (bytes >= shared.options.seal_bytes_max || age >= shared.options.seal_age_max).then_some(run)
}

/// Makes segments of a run, commits them and lets go of its files.
pub(super) fn seal(shared: &Arc<Shared>, files: &[Arc<HeadFile>]) -> Result<(), SealError> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else {
        return Ok(());
    };
    let timer = SEAL_SECONDS.start_timer();
    let mut builders: BTreeMap<TenantId, SpanBuilder> = BTreeMap::new();
    let mut ledger: BTreeMap<TenantId, Tally> = BTreeMap::new();
    for file in files {
        read_file(file, &mut builders);
        for (tenant, tally) in file.tallies(file.end()) {
            ledger.entry(tenant).or_default().add(&tally);
        }
    }
    let mut segments = Vec::new();
    for (tenant, tally) in &mut ledger {
        let builder = builders.remove(tenant).unwrap_or_default();
        // What this reading found is what becomes of the run, whatever the head believed.
        tally.kept = builder.rows();
        tally.damaged = tally.accepted.saturating_sub(tally.kept);
        if builder.rows() > 0 {
            segments.push(write(shared, tenant, (first.number(), last.number()), builder, tally)?);
        }
    }
    commit(shared, (first.number(), last.number()), segments, ledger)?;
    timer.observe_duration();
    SEALS.inc();
    Ok(())
}

/// Adds a file's frames to their tenants' builders. What is damaged stays out and is counted by the caller.
fn read_file(file: &HeadFile, builders: &mut BTreeMap<TenantId, SpanBuilder>) {
    for frame in file.journal().frames() {
        match frame {
            Ok(frame) => {
                let builder = builders.entry(frame.header.tenant.clone()).or_default();
                if let Err(error) = builder.push_payload(&frame.payload, &frame.header.rejected) {
                    tracing::error!(offset = %frame.offset, %error, "a frame's payload cannot be read");
                }
            }
            Err(damage) => tracing::error!(file = file.number(), %damage, "damaged frames in the journal"),
        }
    }
}

fn write(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    (first_file, last_file): (u32, u32),
    builder: SpanBuilder,
    tally: &Tally,
) -> Result<Arc<StoredSegment>, SealError> {
    let id = SegmentId { tenant: tenant.clone(), first_file, last_file, generation: 0 };
    SEALED_SPANS.inc_by(builder.rows());
    store_segment(shared, &id, |parent| write_segment(&shared.disk, parent, &id, &builder, tally.clone(), ZSTD_LEVEL))
        .map_err(SealError::Segment)
}

/// Writes a segment where it belongs. A leftover of an attempt that was not committed makes way.
pub(super) fn store_segment(
    shared: &Arc<Shared>,
    id: &SegmentId,
    write: impl FnOnce(&std::path::Path) -> Result<crate::segment::Segment, SegmentError>,
) -> Result<Arc<StoredSegment>, SegmentError> {
    let parent = shared.segments_path(&id.tenant);
    let path = parent.join(id.to_string());
    let io = |source| SegmentError::Io { path: path.clone(), source };
    if !parent.exists() {
        shared.disk.make_folders(&parent).map_err(io)?;
    }
    if path.exists() {
        shared.disk.remove_folder(&path).map_err(io)?;
    }
    let segment = write(&parent)?;
    Ok(Arc::new(StoredSegment::new(segment, path, shared.disk.clone())))
}

/// One catalog transaction, one swap of the view, then the journal files may go.
fn commit(
    shared: &Arc<Shared>,
    (first_file, last_file): (u32, u32),
    segments: Vec<Arc<StoredSegment>>,
    ledger: BTreeMap<TenantId, Tally>,
) -> Result<(), SealError> {
    let changing = shared.segments_change.lock().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<_> = segments.iter().map(|segment| (segment.id().clone(), segment.rows())).collect();
    let from = *shared.first_unsealed.lock().unwrap_or_else(PoisonError::into_inner);
    debug_assert!(from <= first_file);
    if let Err(error) = shared.runtime.block_on(shared.catalog.seal(from, last_file + 1, &rows, &ledger)) {
        // Else whether the catalog took them is not known: what it may name stays.
        if error.is_refusal() {
            segments.iter().for_each(|segment| segment.retire());
        }
        return Err(error.into());
    }
    *shared.first_unsealed.lock().unwrap_or_else(PoisonError::into_inner) = last_file + 1;
    shared.views.change(|view| {
        view.files.retain(|file| file.number() > last_file);
        let by_tenant = Arc::make_mut(&mut view.segments);
        for segment in &segments {
            by_tenant.entry(segment.id().tenant.clone()).or_default().push(segment.clone());
        }
        let sealed = Arc::make_mut(&mut view.sealed_ledger);
        for (tenant, tally) in &ledger {
            sealed.entry(tenant.clone()).or_default().add(tally);
        }
    });
    drop(changing);
    shared.budget.lock().unwrap_or_else(PoisonError::into_inner).forget_before(last_file + 1);
    if let Err(error) = shared.journal.retire(last_file + 1) {
        // They are sealed: the next start removes them.
        tracing::warn!(%error, "cannot delete sealed journal files");
    }
    Ok(())
}
