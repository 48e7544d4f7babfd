//! Puts objects there again that a check missed, from what is still here of their segments.

use std::{collections::BTreeSet, sync::Arc};

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::{Segment, series::SeriesSegment},
    snapshot::kind::SegmentKind,
};

/// Does so for one segment whose turn did not fail lately.
pub(crate) fn put_next(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    for (id, missed) in archive.all_missed() {
        let Some(known) = archive.known(&id).filter(|known| known.stage != Stage::Removed) else {
            archive.forget_missed(&id);
            continue;
        };
        let work = Work::Again(id);
        if archive.is_resting(&work) {
            continue;
        }
        let put = match known.id.signal {
            Signal::Metrics => put::<SeriesSegment>(shared, archive, &known, &missed),
            Signal::Traces | Signal::Logs => put::<Segment>(shared, archive, &known, &missed),
        };
        if turn.take(archive, &work, put)?.is_some() {
            turn.done();
            return Ok(());
        }
    }
    Ok(())
}

fn put<S: SegmentKind>(
    shared: &Shared,
    archive: &Archive,
    known: &ArchivedSegment,
    missed: &BTreeSet<String>,
) -> Result<usize, ArchiveError> {
    let view = shared.views.current();
    let of_tenant = S::of_view(&view, known.id.signal).get(&known.id.tenant);
    let here = of_tenant.into_iter().flatten();
    let here = here.filter(|segment| !segment.is_elsewhere()).find(|segment| *segment.segment_id() == known.id);
    archive.put_again(known, here.map(|segment| S::outgoing(segment.segment())), missed, &|| shared.is_stopping())
}
