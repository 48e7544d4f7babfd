//! Saves what is left of a damaged segment, and says in the ledger what is not.

use std::sync::Arc;

use super::{merger::RETRY, quarantine, sealer::store_segment};
use crate::{
    archive::{Archive, Work},
    catalog::Stage,
    disk,
    lane::shared::Shared,
    segment::{SegmentError, SegmentId, series::SeriesSegment},
    snapshot::{
        kind::{NewSegment, SegmentKind, Soundness},
        stored::{Retained, StoredSegment},
        view::View,
    },
};

/// A segment in which damage was found.
pub(crate) fn next_damaged(shared: &Shared) -> Option<Arc<StoredSegment>> {
    shared.views.current().all_segments().find(|segment| is_to_be_mended(shared, segment)).cloned()
}

/// Whether something is to be saved of it, and its copy in the archive, if there is one, was not looked for in vain just now.
fn is_to_be_mended<S: SegmentKind>(shared: &Shared, segment: &StoredSegment<S>) -> bool {
    let rests = |archive: &Arc<Archive>| archive.is_resting(&Work::Segment(segment.segment_id().clone()));
    segment.is_damaged() && !shared.archive.as_ref().is_some_and(rests)
}

/// The same of metrics.
pub(crate) fn next_damaged_series(shared: &Shared) -> Option<Arc<StoredSegment<SeriesSegment>>> {
    let view = shared.views.current();
    view.metrics.segments.values().flatten().find(|segment| is_to_be_mended(shared, segment)).cloned()
}

/// Which of a merge's inputs are damaged; false when none is.
pub(crate) fn find_damaged<S: SegmentKind>(
    shared: &Shared,
    inputs: &[Arc<StoredSegment<S>>],
    error: &SegmentError,
) -> bool {
    let mut is_any = false;
    for input in inputs {
        let soundness = input.segment().soundness(&|| shared.is_stopping());
        if soundness.is_ok_and(|soundness| soundness != Soundness::Whole) {
            input.report(error);
            is_any = true;
        }
    }
    is_any
}

/// Lets the archive's copy take a damaged segment's place, where it has one.
fn is_whole_elsewhere<S: SegmentKind>(shared: &Arc<Shared>, damaged: &Arc<StoredSegment<S>>) -> bool {
    let Some(archive) = &shared.archive else { return false };
    let id = damaged.segment_id();
    let Some(archived) = archive.known(id).filter(|archived| archived.stage != Stage::Removed) else { return false };
    // Before anything goes, and before anybody waits for it.
    let work = Work::Segment(id.clone());
    let stand_in = match damaged.clone().stand_in(archive, &archived) {
        Ok(stand_in) => {
            archive.resting.succeeded(&work);
            stand_in
        }
        Err(error) => {
            let rest_s = archive.resting.failed(&work, &error, archive.now_ns());
            tracing::error!(%work, %error, rest_s, "it is damaged, and the archive's copy cannot be opened; trying again later");
            return true;
        }
    };
    let _changing = shared.segments_change.lock();
    let listed = [damaged.listed()];
    if let Err(error) = shared.runtime.block_on(shared.catalog.remove(&listed, false)) {
        tracing::error!(%id, %error, "the archive's copy cannot take a damaged segment's place; trying again later");
        damaged.set_unrepairable();
        return true;
    }
    stand_in(&shared.views);
    tracing::error!(%id, "a segment is damaged; the archive's copy takes its place");
    true
}

/// Puts a segment of the sound row groups in its place, or nothing when there are none. Its other rows count as damaged. The damaged
/// one is set aside once nobody reads it.
pub(crate) fn repair<S: SegmentKind>(shared: &Arc<Shared>, damaged: &Arc<StoredSegment<S>>) {
    let from = damaged.segment_id();
    if is_whole_elsewhere(shared, damaged) {
        return;
    }
    let id = SegmentId { generation: from.generation + 1, ..from.clone() };
    let saved = store_segment(shared, &id, |parent| {
        let new =
            NewSegment { disk: &shared.disk, parent, id: &id, group_bytes_max: shared.options.merge_group_bytes_max };
        S::salvaged(new, damaged.segment(), &|| shared.is_stopping())
    });
    let left = match saved {
        Ok(saved) => Some(saved),
        Err(SegmentError::Damaged { .. }) if !may_hold_rows(shared, damaged) => None,
        Err(SegmentError::Stopped) => return,
        Err(SegmentError::Io { source, .. }) if disk::is_refusal(&source) => {
            tracing::error!(%id, error = %source, "cannot save what a damaged segment still holds; trying again later");
            shared.pause(RETRY);
            return;
        }
        Err(error) => {
            tracing::error!(%id, %error, "cannot save what a damaged segment still holds; it stays as it is");
            damaged.set_unrepairable();
            damaged.set_unmergeable();
            return;
        }
    };
    commit(shared, damaged, left);
}

/// Whether there is something to save after all: a disk that fails while it is read for the second time must not cost what it still gives.
fn may_hold_rows<S: SegmentKind>(shared: &Shared, segment: &StoredSegment<S>) -> bool {
    match segment.segment().soundness(&|| shared.is_stopping()) {
        Ok(soundness) => soundness != Soundness::Nothing,
        Err(error) => !matches!(error, SegmentError::Damaged { .. }),
    }
}

fn commit<S: SegmentKind>(shared: &Arc<Shared>, damaged: &Arc<StoredSegment<S>>, left: Option<Arc<StoredSegment<S>>>) {
    let (from, rows) = (damaged.segment_id(), damaged.items());
    let rows_left = left.as_ref().map_or(0, |left| left.items());
    let changing = shared.segments_change.lock();
    // Retention may have taken it meanwhile.
    let view = shared.views.current();
    let listed = S::of_view(&view, from.signal).get(&from.tenant).map(Vec::as_slice).unwrap_or_default();
    if !listed.iter().any(|segment| Arc::ptr_eq(segment, damaged)) {
        left.iter().for_each(|left| left.retire());
        return;
    }
    let replaced = left.as_ref().map(|left| (left.segment_id(), rows_left));
    match shared.runtime.block_on(shared.catalog.replace_damaged(from, rows, replaced)) {
        Ok(()) => {}
        Err(error) if error.is_refusal() => {
            left.iter().for_each(|left| left.retire());
            drop(changing);
            tracing::error!(%from, %error, "cannot put what is left of a damaged segment in its place; trying again later");
            shared.pause(RETRY);
            return;
        }
        Err(error) => {
            // Whether the catalog took it is not known: what it may name stays.
            shared.fail(error.to_string());
            return;
        }
    }
    shared.views.change(|view: &mut View| {
        let segments = S::of_view_mut(view, from.signal).entry(from.tenant.clone()).or_default();
        segments.retain(|segment| !Arc::ptr_eq(segment, damaged));
        segments.extend(left.iter().cloned());
        segments.sort_by_key(|segment| segment.segment_id().first_file);
        view.sealed_ledger_mut(from.signal).entry(from.tenant.clone()).or_default().lose(rows - rows_left);
    });
    tracing::error!(
        segment = %damaged.path().display(),
        lost = rows - rows_left,
        saved = rows_left,
        "a damaged segment is replaced by what is left of it; what is lost counts as damaged"
    );
    // Nothing is to be looked for in one of which everything was saved.
    match quarantine::place_of(shared, damaged).filter(|_| rows_left < rows) {
        Some(place) => damaged.retire_to(place),
        None => damaged.retire(),
    }
}
