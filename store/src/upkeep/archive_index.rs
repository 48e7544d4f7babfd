//! Gives segments in the archive their index back: what a start or a read missed of it.

use std::sync::Arc;

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::ArchivedSegment,
    lane::shared::Shared,
    segment::Segment,
    snapshot::stored::StoredSegment,
};

/// Mends the index of one of them that did not fail lately.
pub(crate) fn mend_next(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    let view = shared.views.current();
    let segments = Signal::WITH_ROWS.into_iter().flat_map(|signal| view.segments(signal).values().flatten());
    let lacking = segments.filter(|segment| segment.is_archived() && segment.lacks_index());
    let next = lacking
        .filter_map(|segment| Some((segment, archive.known(segment.id())?)))
        .find(|(_, known)| !archive.is_resting(&Work::Index(known.id.clone())));
    let Some((segment, known)) = next else { return Ok(()) };
    let mended = mend(shared, archive, segment, &known);
    if turn.take(archive, &Work::Index(known.id.clone()), mended)?.is_some() {
        turn.done();
    }
    Ok(())
}

fn mend(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    stored: &Arc<StoredSegment<Segment>>,
    known: &ArchivedSegment,
) -> Result<(), ArchiveError> {
    let id = &known.id;
    archive.mend_index(known, stored)?;
    let copy = archive.open_segment(known)?;
    if copy.lacks_index() {
        return Err(ArchiveError::Foreign(format!("the index of segment {id} that was just made")));
    }
    let _changing = shared.segments_change.lock();
    let view = shared.views.current();
    let is_there =
        view.segments(id.signal).get(&id.tenant).is_some_and(|all| all.iter().any(|one| Arc::ptr_eq(one, stored)));
    if is_there {
        let copy = Arc::new(StoredSegment::archived(copy, archive.path_of(id), &shared.disk));
        // The folder is that of both: nothing of it goes.
        shared.views.change_segments(id.signal, &id.tenant, std::slice::from_ref(stored), &[copy]);
    }
    Ok(())
}
