//! Brings back to local disk what somebody wants there and what had left it, and lets go of it when nobody does any more.

use std::{collections::BTreeSet, io, sync::Arc};

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::ArchivedSegment,
    lane::shared::Shared,
    segment::{Segment, SegmentId, series::SeriesSegment},
    snapshot::{kind::SegmentKind, view::View},
};

/// Brings one of them, or lets go.
pub(crate) fn keep_pinned(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    let kept = archive.kept.keys();
    if kept.is_empty() && archive.all_pins().is_empty() {
        return Ok(());
    }
    let view = shared.views.current();
    let pinned = all_pinned(&view, archive);
    let damaged = archive.kept.take_damaged();
    for segment in pinned.iter().filter(|segment| damaged.contains(&Archive::read_key(segment))) {
        // What comes again may be as damaged as what was here.
        let work = Work::Copy(segment.id.clone());
        archive.resting.failed(&work, &"it was damaged, and is fetched again", archive.now_ns());
    }
    let wanted: BTreeSet<String> = pinned.iter().map(Archive::read_key).collect();
    for key in kept.iter().filter(|key| !wanted.contains(*key)) {
        archive.kept.remove(key);
    }
    let is_next = |segment: &&ArchivedSegment| {
        let works = [Work::Segment(segment.id.clone()), Work::Copy(segment.id.clone())];
        archive.kept.file(&Archive::read_key(segment)).is_none() && !works.iter().any(|work| archive.is_resting(work))
    };
    let Some(next) = pinned.iter().find(is_next) else { return Ok(()) };
    let brought = bring(shared, archive, next);
    if turn.take(archive, &Work::Segment(next.id.clone()), brought)?.is_some() {
        tracing::info!(id = %next.id, tenant = %next.id.tenant, "a pinned segment is on local disk again");
        turn.done();
    }
    Ok(())
}

/// Segments whose rows are in the archive only, and are wanted here.
fn all_pinned(view: &View, archive: &Archive) -> Vec<ArchivedSegment> {
    let mut pinned = Vec::new();
    if archive.all_pins().is_empty() {
        return pinned;
    }
    for signal in Signal::ALL {
        match signal {
            Signal::Metrics => pinned.extend(pinned_of::<SeriesSegment>(view, archive, signal)),
            _ => pinned.extend(pinned_of::<Segment>(view, archive, signal)),
        }
    }
    pinned
}

/// Their ids.
pub(super) fn pinned_ids(view: &View, archive: &Archive) -> BTreeSet<SegmentId> {
    all_pinned(view, archive).into_iter().map(|segment| segment.id).collect()
}

/// Segments of a signal whose rows are in the archive only, and are wanted here.
fn pinned_of<S: SegmentKind>(view: &View, archive: &Archive, signal: Signal) -> Vec<ArchivedSegment> {
    let segments = S::of_view(view, signal).values().flatten();
    let pinned = segments.filter(|segment| segment.is_elsewhere() && archive.is_pinned(signal, segment.moments_ns()));
    pinned.filter_map(|segment| archive.known(segment.segment_id())).collect()
}

fn bring(shared: &Shared, archive: &Archive, segment: &ArchivedSegment) -> Result<(), ArchiveError> {
    let wanted = archive.wanted(segment)?;
    ensure_free(shared, wanted.bytes, || format!("{} of {}", wanted.bytes, wanted.key))?;
    archive.keep_whole(wanted)?;
    archive.step("brought back")
}

/// Refuses what would leave less on local disk than is to stay free.
pub(super) fn ensure_free(shared: &Shared, bytes: u64, what: impl Fn() -> String) -> Result<(), ArchiveError> {
    let path = &shared.options.path;
    let io = |source| ArchiveError::Io { path: path.clone(), source };
    let free_bytes = shared.disk.free_bytes(path).map_err(io)?;
    if free_bytes < shared.options.free_bytes_min.saturating_add(bytes) {
        return Err(io(io::Error::other(format!("{free_bytes} bytes are free, and {} would leave too few", what()))));
    }
    Ok(())
}
