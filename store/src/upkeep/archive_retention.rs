//! Lets the archive forget what is too old: first the tables' logs, and after a grace, for readers that began before, the objects.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use weir_proto::{Signal, TenantId};

use super::{
    archive_pins::pinned_ids,
    archiver::{Turn, keys_of},
};
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::SegmentId,
    snapshot::view::View,
};

/// A clock that is further ahead of everything that arrived was set wrong, or nothing arrived: it lets nothing be deleted.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// After so many failures what was merged keeps those that it was made of no longer.
const MERGED_FAILURES_MAX: u32 = 5;

/// The time by which things are too old: the clock's, but no more than a day behind the newest that a signal has of all that arrived. A
/// clock that jumps years ahead deletes nothing.
pub(crate) fn believed_now_ns(view: &View, archive: &Archive, signal: Signal) -> u64 {
    let newest = newest_ns(view, archive, signal).unwrap_or(0);
    archive.now_ns().min(newest.saturating_add(AHEAD_MAX.as_nanos() as u64))
}

/// From when on the age of the newest segment of a signal counts, here or in the archive, Unix ns.
pub(crate) fn newest_ns(view: &View, archive: &Archive, signal: Signal) -> Option<u64> {
    let here = view.retained();
    let here = here.iter().filter(|segment| segment.listed().0.signal == signal);
    here.map(|segment| segment.counts_from_ns()).max().max(archive.newest_ns(signal))
}

/// Takes what is too old out of its tables.
pub(crate) fn remove_expired(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    turn: &mut Turn,
) -> Result<(), ArchiveError> {
    let view = shared.views.current();
    let pinned = pinned_ids(&view, archive);
    let mut expired: BTreeMap<(Signal, TenantId), Vec<ArchivedSegment>> = BTreeMap::new();
    let mut stuck: BTreeMap<SegmentId, ArchivedSegment> = BTreeMap::new();
    for signal in Signal::ALL {
        let Some(retention) = archive.options.retention(signal) else { continue };
        let now_ns = believed_now_ns(&view, archive, signal);
        // Whether one that cannot be opened is pinned is not known.
        let has_pins = archive.all_pins().iter().any(|(of, ..)| *of == signal);
        let retention_ns = u64::try_from(retention.as_nanos()).unwrap_or(u64::MAX);
        for segment in archive.all_known() {
            let is_expired = segment.id.signal == signal
                && matches!(segment.stage, Stage::Committed | Stage::Changed)
                && segment.age_from_ns < now_ns.saturating_sub(retention_ns)
                && !archive.is_held(&segment.id.tenant)
                && !is_here(shared, &segment.id)
                && !pinned.contains(&segment.id)
                && !(has_pins && view.absent.iter().any(|absent| absent.id == segment.id))
                && !archive.is_resting(&Work::Table(signal, segment.id.tenant.clone()));
            if !is_expired {
                continue;
            }
            match archive.merged_into(&segment.id) {
                None => expired.entry((signal, segment.id.tenant.clone())).or_default().push(segment),
                // It takes their place first, unless it cannot.
                Some(merged) => {
                    let failures = archive.resting.failures(&Work::Segment(merged.id.clone()));
                    if failures >= MERGED_FAILURES_MAX && !archive.is_resting(&Work::GiveUp(merged.id.clone())) {
                        stuck.insert(merged.id.clone(), merged);
                    }
                }
            }
        }
    }
    for (id, merged) in stuck {
        let dropped = drop_stuck(shared, archive, &merged);
        if turn.take(archive, &Work::GiveUp(id), dropped)?.is_some() {
            turn.done();
        }
    }
    for ((signal, tenant), segments) in expired {
        let removed = remove(shared, archive, (signal, &tenant), segments);
        if turn.take(archive, &Work::Table(signal, tenant), removed)?.is_some() {
            turn.done();
        }
    }
    Ok(())
}

fn remove(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    (signal, tenant): (Signal, &TenantId),
    segments: Vec<ArchivedSegment>,
) -> Result<(), ArchiveError> {
    archive.unpublish(signal, tenant, &segments)?;
    archive.step("removed from the table")?;
    let ids: Vec<SegmentId> = segments.iter().map(|segment| segment.id.clone()).collect();
    let now_ns = archive.now_ns();
    shared.runtime.block_on(shared.catalog.set_stage(&ids, Stage::Removed, now_ns))?;
    tracing::info!(%signal, %tenant, segments = ids.len(), "the archive's retention lets go of segments");
    for segment in segments {
        let id = segment.id.clone();
        archive.note(&id, Some(ArchivedSegment { stage: Stage::Removed, since_ns: now_ns, ..segment }));
    }
    shared.views.forget_archived(&ids);
    archive.step("removal noted")
}

/// Deletes what was merged and never came into its table; those that it was made of go by themselves.
fn drop_stuck(shared: &Arc<Shared>, archive: &Arc<Archive>, merged: &ArchivedSegment) -> Result<(), ArchiveError> {
    let tenant = &merged.id.tenant;
    if archive.not_in_table(merged.id.signal, tenant, std::slice::from_ref(merged))?.is_empty() {
        let what = format!("segment {}, which its table has and which cannot be taken in,", merged.id);
        return Err(ArchiveError::Foreign(what));
    }
    tracing::warn!(id = %merged.id, %tenant, "what was merged in the archive is given up: retention waits for it");
    delete(shared, archive, merged)
}

/// Whether a segment is on local disk, too: its own retention comes first.
fn is_here(shared: &Shared, id: &SegmentId) -> bool {
    let view = shared.views.current();
    view.retained().iter().any(|segment| segment.listed().0 == *id)
}

/// Deletes the objects of one segment whose grace is over.
pub(crate) fn delete_objects(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    turn: &mut Turn,
) -> Result<(), ArchiveError> {
    let view = shared.views.current();
    let is_over = |segment: &ArchivedSegment| {
        let now_ns = believed_now_ns(&view, archive, segment.id.signal);
        let age_ns = now_ns.saturating_sub(segment.since_ns);
        segment.stage == Stage::Removed
            && Duration::from_nanos(age_ns) > archive.options.grace
            && !archive.is_held(&segment.id.tenant)
            && !archive.is_resting(&Work::Segment(segment.id.clone()))
    };
    let Some(segment) = archive.all_known().into_iter().find(is_over) else { return Ok(()) };
    let deleted = delete(shared, archive, &segment);
    if turn.take(archive, &Work::Segment(segment.id), deleted)?.is_some() {
        turn.done();
    }
    Ok(())
}

/// Deletes all that there is of a segment in the archive.
pub(super) fn delete(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    segment: &ArchivedSegment,
) -> Result<(), ArchiveError> {
    for key in keys_of(segment) {
        let bucket = archive.bucket.clone();
        archive.wait_or_stop(async move { bucket.delete(&key).await })??;
        archive.step("object deleted")?;
    }
    shared.runtime.block_on(shared.catalog.forget_archived(&segment.id))?;
    // A process that died before had no time for it.
    let _ = shared.disk.remove_folder(&archive.path_of(&segment.id));
    archive.note(&segment.id, None);
    tracing::info!(id = %segment.id, tenant = %segment.id.tenant, "a segment's objects are deleted");
    Ok(())
}
