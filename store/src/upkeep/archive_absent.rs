//! Opens what a start could not open: the bucket was away then, or what it answered was damaged.

use std::sync::Arc;

use weir_proto::Signal;

use super::archiver::Turn;
use crate::{
    archive::{Archive, ArchiveError, Work},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::{Segment, SegmentId, series::SeriesSegment},
    snapshot::{kind::SegmentKind, stored::StoredSegment},
};

/// Opens one of them that did not fail lately.
pub(crate) fn open_next(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    for absent in archive.all_absent() {
        if !is_wanted(archive, &absent) {
            let _changing = shared.segments_change.lock();
            forget(shared, archive, &absent.id);
            continue;
        }
        let work = Work::Segment(absent.id.clone());
        if absent.stage == Stage::Changed || archive.is_resting(&work) {
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
    if is_wanted(archive, absent) {
        note(shared, archive, absent)?;
        let stored = Arc::new(StoredSegment::archived(segment, archive.path_of(id), &shared.disk));
        shared.views.change_segments(id.signal, &id.tenant, &[], &[stored]);
    }
    forget(shared, archive, id);
    Ok(())
}

/// Whether it has not been taken out of its table since.
fn is_wanted(archive: &Archive, absent: &ArchivedSegment) -> bool {
    archive.known(&absent.id).is_some_and(|known| known.stage != Stage::Removed)
}

/// What its manifest says takes the place of what a start made up without it.
fn note(shared: &Shared, archive: &Archive, absent: &ArchivedSegment) -> Result<(), ArchiveError> {
    let Some(known) = archive.known(&absent.id).filter(|known| known.bytes == 0) else { return Ok(()) };
    let manifest = archive.manifest_of(absent)?;
    let (rows, bytes, age_from_ns) = (manifest.rows(), manifest.objects_bytes(), manifest.age_from_ns());
    let told = ArchivedSegment { rows, bytes, age_from_ns, ..known };
    shared.runtime.block_on(shared.catalog.describe_archived(&told))?;
    archive.note(&told.id.clone(), Some(told));
    Ok(())
}

/// Nothing is missing of it any more.
fn forget(shared: &Shared, archive: &Archive, id: &SegmentId) {
    archive.remove_absent(id);
    let absent: Arc<[ArchivedSegment]> = archive.all_absent().into();
    shared.views.change(|view| view.absent = absent.clone());
}
