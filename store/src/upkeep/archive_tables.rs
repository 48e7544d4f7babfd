//! Looks after the archive's tables: what others rearranged there is taken back, whether something comes or not.

use std::sync::Arc;

use super::archiver::Turn;
use crate::archive::{Archive, ArchiveError, Work};

/// Looks at one of them that was not looked at lately.
pub(crate) fn look_after_next(archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    let Some((signal, tenant)) = archive.next_to_look_at() else { return Ok(()) };
    let work = Work::Table(signal, tenant.clone());
    if archive.is_resting(&work) {
        return Ok(());
    }
    let looked = archive.look_at(signal, &tenant);
    if turn.take(archive, &work, looked)?.is_some() {
        turn.done();
    }
    Ok(())
}
