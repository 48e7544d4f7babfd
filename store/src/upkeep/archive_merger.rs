//! Makes large files of small neighbours in the archive: the new one takes their place in the table in one commit, which changes no row,
//! and in the view in one swap. Their objects stay for the grace, for readers that began before.

use std::sync::Arc;

use weir_proto::Signal;

use super::{
    archive_pins::ensure_free,
    archive_retention::delete,
    archiver::Turn,
    merger::{merged_id, runs},
    sealer::store_segment,
};
use crate::{
    archive::{Archive, ArchiveError, Work, covers, overlaps},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::{Segment, SegmentId, series::SeriesSegment},
    snapshot::{
        kind::{NewSegment, SegmentKind},
        stored::StoredSegment,
    },
};

/// A merged file has at most so many times the bytes with which a segment goes out at once.
const SIZES_MAX: u64 = 4;

/// What is merged is on local disk as a segment, and as what goes out of it.
const FORMS: u64 = 2;

/// Merges some neighbours, if any are worth it. What was merged is committed like what was uploaded.
pub(crate) fn merge_next(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    for signal in Signal::ALL {
        match signal {
            Signal::Metrics => merge_of::<SeriesSegment>(shared, archive, signal, turn)?,
            _ => merge_of::<Segment>(shared, archive, signal, turn)?,
        }
        if turn.is_done() {
            break;
        }
    }
    Ok(())
}

fn merge_of<S: SegmentKind>(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    signal: Signal,
    turn: &mut Turn,
) -> Result<(), ArchiveError> {
    let Some((id, inputs)) = next_of::<S>(shared, archive, signal) else { return Ok(()) };
    let merged = merge(shared, archive, &id, &inputs);
    if turn.take(archive, &Work::Segment(id), merged)?.is_some() {
        turn.done();
    }
    Ok(())
}

/// Neighbours that are in their table and nowhere else, and are not wanted elsewhere, and what would be made of them.
fn next_of<S: SegmentKind>(
    shared: &Shared,
    archive: &Archive,
    signal: Signal,
) -> Option<(SegmentId, Vec<Arc<StoredSegment<S>>>)> {
    let view = shared.views.current();
    let bytes_min = archive.options.segment_bytes_min;
    let uploaded: Vec<SegmentId> = archive
        .all_known()
        .into_iter()
        .filter(|known| known.stage == Stage::Uploaded && known.id.signal == signal)
        .map(|known| known.id)
        .collect();
    let may = |segment: &StoredSegment<S>| {
        let is_committed = archive.known(segment.segment_id()).is_some_and(|known| known.stage == Stage::Committed);
        let is_pinned = archive.is_pinned(signal, segment.moments_ns());
        // Was it merged, what came of that waits for its commit.
        let is_merged = || uploaded.iter().any(|merged| covers(merged, segment.segment_id()));
        let is_small = segment.disk_bytes() < bytes_min;
        let is_taken_out = || archive.taken_out.lock().contains(segment.segment_id());
        segment.is_elsewhere() && is_committed && !is_pinned && is_small && !is_merged() && !is_taken_out()
    };
    for (tenant, segments) in S::of_view(&view, signal) {
        for range in runs(segments, S::merge_limits(&shared.options), may) {
            let mut bytes = 0;
            let fits = |segment: &&Arc<StoredSegment<S>>| {
                bytes += segment.disk_bytes();
                bytes <= bytes_min.saturating_mul(SIZES_MAX)
            };
            let inputs: Vec<Arc<StoredSegment<S>>> = segments[range].iter().take_while(fits).cloned().collect();
            let Some(id) = merged_id(&inputs).filter(|_| inputs.len() > 1) else { continue };
            // One that is there and could not be opened lies between them: it would count as merged.
            let is_input = |known: &SegmentId| inputs.iter().any(|input| input.segment_id() == known);
            let known = archive.all_known().into_iter().filter(|known| known.id.tenant == *tenant);
            let mut within = known.filter(|known| known.stage != Stage::Removed && overlaps(&id, &known.id));
            if within.all(|known| is_input(&known.id)) && !archive.is_resting(&Work::Segment(id.clone())) {
                return Some((id, inputs));
            }
        }
    }
    None
}

/// Makes one of them and brings it there. Done again, it comes to the same.
fn merge<S: SegmentKind>(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    id: &SegmentId,
    inputs: &[Arc<StoredSegment<S>>],
) -> Result<(), ArchiveError> {
    let known: Vec<ArchivedSegment> = inputs.iter().filter_map(|input| archive.known(input.segment_id())).collect();
    let taken_out = archive.not_in_table(id.signal, &id.tenant, &known)?;
    if !taken_out.is_empty() {
        let (tenant, segments) = (&id.tenant, taken_out.len());
        tracing::warn!(%id, %tenant, segments, "others took segments out of their table: they are not merged");
        archive.taken_out.lock().extend(taken_out);
        return Ok(());
    }
    let bytes: u64 = inputs.iter().map(|input| input.disk_bytes()).sum();
    ensure_free(shared, bytes.saturating_mul(FORMS), || format!("{bytes} of what is merged in two forms"))?;
    let segments: Vec<Arc<S>> = inputs.iter().map(|input| input.segment().clone()).collect();
    let is_stopping = || shared.is_stopping();
    let merged = store_segment(shared, id, |parent| {
        S::merged(NewSegment { disk: &shared.disk, parent, id }, &segments, &is_stopping)
    })?;
    // Nobody lists it: it goes as soon as its copy is there, and with the next start otherwise.
    merged.retire();
    archive.step("merged from the archive")?;
    let uploaded = archive.upload(S::outgoing(merged.segment()), &is_stopping)?;
    shared.runtime.block_on(shared.catalog.add_merged(&uploaded))?;
    tracing::info!(%id, tenant = %id.tenant, inputs = inputs.len(), bytes = uploaded.bytes, "segments in the archive are one now");
    archive.note(id, Some(uploaded));
    archive.step("merged file noted")
}

/// Gives a table the file that was merged for those that it was made of, and the view as well.
pub(crate) fn publish_merged(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    merged: &ArchivedSegment,
    inputs: &[ArchivedSegment],
) -> Result<(), ArchiveError> {
    match archive.replace(merged, inputs) {
        Err(refused @ ArchiveError::Foreign(_)) => {
            // Those that it was made of stay as they are.
            delete(shared, archive, merged)?;
            return Err(refused);
        }
        replaced => replaced?,
    }
    archive.step("merged file committed")?;
    match merged.id.signal {
        Signal::Metrics => swap::<SeriesSegment>(shared, archive, merged, inputs),
        _ => swap::<Segment>(shared, archive, merged, inputs),
    }
}

fn swap<S: SegmentKind>(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    merged: &ArchivedSegment,
    inputs: &[ArchivedSegment],
) -> Result<(), ArchiveError> {
    let (id, now_ns) = (&merged.id, archive.now_ns());
    let copy = archive.mended(merged, || S::open_archived(archive, merged))?;
    let copy = Arc::new(StoredSegment::archived(copy, archive.path_of(id), &shared.disk));
    let ids: Vec<SegmentId> = inputs.iter().map(|input| input.id.clone()).collect();
    let _changing = shared.segments_change.lock();
    shared.runtime.block_on(shared.catalog.replace_archived(id, &ids, now_ns))?;
    archive.note(id, Some(ArchivedSegment { stage: Stage::Committed, since_ns: now_ns, ..merged.clone() }));
    for input in inputs {
        let removed = ArchivedSegment { stage: Stage::Removed, since_ns: now_ns, ..input.clone() };
        archive.note(&input.id, Some(removed));
    }
    let view = shared.views.current();
    let of_tenant = S::of_view(&view, id.signal).get(&id.tenant).map(Vec::as_slice).unwrap_or_default();
    let gone: Vec<Arc<StoredSegment<S>>> =
        of_tenant.iter().filter(|segment| ids.contains(segment.segment_id())).cloned().collect();
    shared.views.change_segments(id.signal, &id.tenant, &gone, &[copy]);
    gone.iter().for_each(|segment| segment.retire());
    archive.step("merged file in its place")
}
