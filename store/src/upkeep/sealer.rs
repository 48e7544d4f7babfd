//! Seals runs of closed journal files into segments, one per tenant.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Arc, LazyLock},
    time::Duration,
};

use prometheus::{
    Histogram, IntCounter, IntCounterVec, histogram_opts, register_histogram, register_int_counter,
    register_int_counter_vec,
};
use weir_proto::TenantId;

use super::{
    quarantine,
    run::{Run, next_run},
};
use crate::{
    head::HeadFile,
    journal::{SourceCursors, write_cursors},
    lane::{
        errors::SealError,
        lane::{Lane, Laned},
        shared::{Shared, journal_path},
    },
    ledger::Tally,
    segment::{Builder, SegmentError, SegmentId, SegmentTally, write_segment},
    snapshot::{
        kind::SegmentKind,
        stored::{Retained, StoredSegment},
        view::View,
    },
};

/// How often the sealer looks when nobody rings.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Pause after a failed attempt (a full disk): sealing goes on by itself when there is space again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

pub(crate) static SEALS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_seals_total", "Runs of journal files sealed.").expect("registered once")
});
pub(crate) static SEALED_ITEMS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("weir_sealed_items_total", "Items written to sealed segments, by signal.", &["signal"])
        .expect("registered once")
});
pub(crate) static SEAL_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = prometheus::exponential_buckets(0.01, 2.0, 14).expect("positive start and factor");
    register_histogram!(histogram_opts!("weir_seal_duration_seconds", "Time to seal a run.", buckets))
        .expect("registered once")
});

/// Sealing is on the ingest path: quick rather than small. Merging does it again, smaller.
const ZSTD_LEVEL: i32 = 1;

/// Why a run is not sealed yet.
/// Seals until the store stops.
pub(crate) fn run<L: Laned>(shared: &Arc<Shared>) {
    while !shared.is_stopping() {
        let Some(files) = next_run::<L>(shared) else {
            L::lane(shared).spare_builder.let_go();
            shared.wait(TICK);
            continue;
        };
        match seal(shared, &files) {
            Ok(_) => shared.ring(),
            Err(SealError::Catalog(error)) if !error.is_refusal() => shared.fail(error.to_string()),
            Err(error) => {
                tracing::error!(%error, "cannot seal yet");
                // Likely for want of space.
                L::lane(shared).journal.tidy(true);
                shared.wait(RETRY);
            }
        }
    }
}

/// What a seal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Files that are sealed now: the first ones of the run, all of them unless more was kept than fits a segment.
    pub(crate) files: usize,
    /// Frames whose payload was read.
    pub(crate) frames_read: u64,
    /// Frames of which nothing was kept.
    pub(crate) frames_passed_over: u64,
}

/// Makes segments of a run, commits them and lets go of its files.
pub(crate) fn seal<L: Laned>(shared: &Arc<Shared>, files: &[Arc<HeadFile<L>>]) -> Result<Sealed, SealError> {
    let timer = SEAL_SECONDS.start_timer();
    // As of now: what the run was chosen by is part of it.
    let view = shared.views.current();
    let mut run = Run::<L>::default();
    let mut ledger: BTreeMap<TenantId, Tally> = BTreeMap::new();
    let mut last = None;
    let mut read = 0;
    let mut damaged_files = Vec::new();
    for file in files {
        if last.is_some() && !run.has_room(file) {
            break;
        }
        let mut is_damaged = !run.read_file(file, view.cut(), &L::lane(shared).spare_builder)?;
        for (tenant, tally) in file.tallies(file.end()) {
            is_damaged |= tally.damaged > 0;
            ledger.entry(tenant).or_default().add(&tally);
        }
        if is_damaged {
            damaged_files.push(file.clone());
        }
        last = Some(file.number());
        read += 1;
    }
    let sealed = Sealed { files: read, frames_read: run.frames_read, frames_passed_over: run.frames_passed_over };
    let (Some(first), Some(last)) = (files.first().map(|file| file.number()), last) else {
        return Ok(sealed);
    };
    let share = run.share(view.cut());
    let mut segments = Vec::new();
    for (tenant, tally) in &mut ledger {
        let builder = run.tenants.remove(tenant).map_or_else(L::Builder::default, |run| run.builder);
        for (policy, items) in share.get(tenant).into_iter().flat_map(|share| &share.dropped) {
            *tally.dropped.entry(policy.clone()).or_default() += items;
        }
        // What this reading found is what becomes of the run, whatever the head believed.
        tally.kept = builder.rows();
        tally.damaged = tally.accepted.saturating_sub(tally.kept + tally.dropped_items());
        if builder.rows() > 0 {
            // Only this thread seals: nothing else is added to it meanwhile.
            let mut ledger_after = L::of_view(&view).sealed_ledger.get(tenant).cloned().unwrap_or_default();
            ledger_after.add(tally);
            let tally = SegmentTally { own: tally.clone(), ledger_after: Some(ledger_after) };
            segments.push(write::<L>(shared, tenant, first..=last, &builder, tally)?);
            L::lane(shared).spare_builder.put(builder);
        }
    }
    let mut cursors = SourceCursors::default();
    files[..read].iter().for_each(|file| cursors.add(&file.cursors()));
    commit::<L>(shared, last, segments, ledger, cursors, &share)?;
    quarantine::set_aside(shared, L::SIGNAL, damaged_files.iter().map(|file| file.journal()));
    if let Err(error) = L::lane(shared).journal.retire(last + 1) {
        // They are sealed: what is left is tried again with the next run, or removed by the next start.
        tracing::warn!(%error, "cannot delete sealed journal files");
    }
    timer.observe_duration();
    SEALS.inc();
    Ok(sealed)
}

fn write<L: Laned>(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    files: RangeInclusive<u32>,
    builder: &L::Builder,
    tally: SegmentTally,
) -> Result<Arc<StoredSegment>, SealError> {
    let (first_file, last_file) = files.into_inner();
    let id = SegmentId { signal: L::SIGNAL, tenant: tenant.clone(), first_file, last_file, generation: 0 };
    SEALED_ITEMS.with_label_values(&[L::SIGNAL.name()]).inc_by(builder.rows());
    store_segment(shared, &id, |parent| write_segment(&shared.disk, parent, &id, builder, tally, ZSTD_LEVEL))
        .map_err(SealError::Segment)
}

/// Writes a segment where it belongs. A leftover of an attempt that was not committed makes way.
pub(crate) fn store_segment<S>(
    shared: &Arc<Shared>,
    id: &SegmentId,
    write: impl FnOnce(&std::path::Path) -> Result<S, SegmentError>,
) -> Result<Arc<StoredSegment<S>>, SegmentError> {
    let parent = shared.folder_of(id);
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

/// What a run leaves.
pub(crate) struct Left<'a, S> {
    pub(crate) segments: &'a [Arc<StoredSegment<S>>],
    /// Added to the sealed ledger.
    pub(crate) ledger: &'a BTreeMap<TenantId, Tally>,
    /// Where the sources of its items stand.
    pub(crate) cursors: &'a SourceCursors,
}

/// One catalog transaction and one swap of the view; then the journal files may go.
pub(crate) fn commit_run<A: Send + 'static, S: SegmentKind>(
    shared: &Shared,
    lane: &Lane<A>,
    last_file: u32,
    left: Left<'_, S>,
    swap: impl FnOnce(),
) -> Result<(), SealError> {
    let _changing = shared.segments_change.lock();
    let Left { segments, ledger, cursors } = left;
    let rows: Vec<_> = segments.iter().map(|segment| segment.listed()).collect();
    let from = lane.first_unsealed();
    debug_assert!(from <= last_file);
    let sealing = shared.catalog.seal(lane.signal, from..last_file + 1, &rows, ledger, cursors);
    if let Err(error) = shared.runtime.block_on(sealing) {
        // Else whether the catalog took them is not known: what it may name stays.
        if error.is_refusal() {
            segments.iter().for_each(|segment| segment.retire());
        }
        return Err(error.into());
    }
    lane.set_first_unsealed(last_file + 1);
    swap();
    Ok(())
}

fn commit<L: Laned>(
    shared: &Arc<Shared>,
    last_file: u32,
    segments: Vec<Arc<StoredSegment>>,
    ledger: BTreeMap<TenantId, Tally>,
    cursors: SourceCursors,
    share: &BTreeMap<TenantId, Tally>,
) -> Result<(), SealError> {
    let swap = |view: &mut View| {
        let view = L::of_view_mut(view);
        view.files.retain(|file| file.number() > last_file);
        let by_tenant = Arc::make_mut(&mut view.segments);
        for segment in &segments {
            by_tenant.entry(segment.id().tenant.clone()).or_default().push(segment.clone());
        }
        let sealed = Arc::make_mut(&mut view.sealed_ledger);
        for (tenant, tally) in &ledger {
            sealed.entry(tenant.clone()).or_default().add(tally);
        }
        if !cursors.is_empty() {
            let sealed = Arc::make_mut(&mut view.sealed_cursors);
            sealed.add(&cursors);
            sealed.settle();
        }
    };
    if !cursors.is_empty() {
        let mut after = L::of_view(&shared.views.current()).sealed_cursors.as_ref().clone();
        after.add(&cursors);
        after.settle();
        // Before the catalog, whose own it stands in for when that is lost.
        if let Err(error) = write_cursors(&after, &shared.disk, &journal_path(&shared.options.path, L::SIGNAL)) {
            tracing::warn!(%error, "CURSORS stays behind: a catalog that is lost would not be made again whole");
        }
    }
    let left = Left { segments: &segments, ledger: &ledger, cursors: &cursors };
    commit_run(shared, L::lane(shared), last_file, left, || L::swap(shared, swap, share))?;
    shared.budget.lock().forget_before(L::SIGNAL, last_file + 1);
    Ok(())
}
