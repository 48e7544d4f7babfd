//! Opens what a start could not open: the bucket was away then, or what it answered was damaged.

use std::sync::Arc;

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::{Segment, series::SeriesSegment},
    snapshot::{kind::SegmentKind, stored::StoredSegment},
};

/// Opens one of them that did not fail lately.
pub(crate) fn open_next(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    for absent in archive.all_absent() {
        let work = Work::Segment(absent.id.clone());
        if archive.is_resting(&work) {
            continue;
        }
        let opened = match absent.id.signal {
            Signal::Metrics => open::<SeriesSegment>(shared, archive, &absent),
            Signal::Traces | Signal::Logs => open::<Segment>(shared, archive, &absent),
        };
        if turn.take(archive, &work, opened)?.is_some() {
            tracing::info!(id = %absent.id, tenant = %absent.id.tenant, "a segment in the archive answers again");
            turn.done();
            return Ok(());
        }
    }
    Ok(())
}

fn open<S: SegmentKind>(shared: &Shared, archive: &Archive, absent: &ArchivedSegment) -> Result<(), ArchiveError> {
    let segment = archive.mended(absent, || S::open_archived(archive, absent))?;
    let id = &absent.id;
    let _changing = shared.segments_change.lock();
    let is_wanted = archive.known(id).is_some_and(|known| known.stage != Stage::Removed);
    archive.remove_absent(id);
    let absent: Arc<[ArchivedSegment]> = archive.all_absent().into();
    let stored = Arc::new(StoredSegment::archived(segment, archive.path_of(id), &shared.disk));
    shared.views.change(|view| {
        if is_wanted {
            let of_tenant = S::of_view_mut(view, id.signal).entry(id.tenant.clone()).or_default();
            of_tenant.push(stored.clone());
            of_tenant.sort_by_key(|segment| segment.segment_id().first_file);
        }
        view.absent = absent.clone();
    });
    Ok(())
}
