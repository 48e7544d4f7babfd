//! Brings back to local disk what somebody wants there and what had left it, and lets go of it when nobody does any more.

use std::{collections::BTreeSet, io, sync::Arc};

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::ArchivedSegment,
    lane::shared::Shared,
    segment::{Segment, series::SeriesSegment},
    snapshot::{kind::SegmentKind, view::View},
};

/// Brings one of them, or lets go.
pub(crate) fn keep_pinned(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    let kept = archive.kept.keys();
    if kept.is_empty() && archive.all_pins().is_empty() {
        return Ok(());
    }
    let view = shared.views.current();
    let mut pinned: Vec<ArchivedSegment> = Vec::new();
    for signal in Signal::ALL {
        match signal {
            Signal::Metrics => pinned.extend(pinned_of::<SeriesSegment>(&view, archive, signal)),
            _ => pinned.extend(pinned_of::<Segment>(&view, archive, signal)),
        }
    }
    let wanted: BTreeSet<String> = pinned.iter().map(Archive::read_key).collect();
    for key in kept.iter().filter(|key| !wanted.contains(*key)) {
        archive.kept.remove(key);
    }
    let is_next = |segment: &&ArchivedSegment| {
        let work = Work::Segment(segment.id.clone());
        archive.kept.file(&Archive::read_key(segment)).is_none() && !archive.is_resting(&work)
    };
    let Some(next) = pinned.iter().find(is_next) else { return Ok(()) };
    let brought = bring(shared, archive, next);
    if turn.take(archive, &Work::Segment(next.id.clone()), brought)?.is_some() {
        tracing::info!(id = %next.id, tenant = %next.id.tenant, "a pinned segment is on local disk again");
        turn.done();
    }
    Ok(())
}

/// Segments of a signal whose rows are in the archive only, and are wanted here.
fn pinned_of<S: SegmentKind>(view: &View, archive: &Archive, signal: Signal) -> Vec<ArchivedSegment> {
    let segments = S::of_view(view, signal).values().flatten();
    let pinned = segments.filter(|segment| segment.is_elsewhere() && archive.is_pinned(signal, segment.moments_ns()));
    pinned.filter_map(|segment| archive.known(segment.segment_id())).collect()
}

fn bring(shared: &Shared, archive: &Archive, segment: &ArchivedSegment) -> Result<(), ArchiveError> {
    let wanted = archive.wanted(segment)?;
    let path = &shared.options.path;
    let io = |source| ArchiveError::Io { path: path.clone(), source };
    let free_bytes = shared.disk.free_bytes(path).map_err(io)?;
    if free_bytes < shared.options.free_bytes_min.saturating_add(wanted.bytes) {
        let what = format!("{free_bytes} bytes are free, and {} of {} would leave too few", wanted.bytes, wanted.key);
        return Err(io(io::Error::other(what)));
    }
    archive.keep_whole(wanted)?;
    archive.step("brought back")
}
