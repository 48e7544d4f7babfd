//! Sets journal files with damage in them aside when they are sealed: what is left of them may be worth a look.

use std::{io, path::PathBuf, sync::Arc};

use weir_proto::Signal;

use crate::{
    journal::JournalFile,
    lane::shared::Shared,
    snapshot::{kind::SegmentKind, stored::StoredSegment},
};

/// So many stay there; further ones are let go.
const FILES_MAX: usize = 16;

const SUFFIX: &str = ".journal";

/// Moves sealed files to the quarantine folder. They are counted already, so that failing to is no reason to stop.
pub(crate) fn set_aside<'a>(shared: &Shared, signal: Signal, files: impl Iterator<Item = &'a Arc<JournalFile>>) {
    for file in files {
        let number = file.number();
        match try_to(shared, signal, file) {
            Ok(true) => {
                tracing::error!(number, "a journal file with damage in it is sealed, and set aside in quarantine/")
            }
            Ok(false) => {
                tracing::error!(number, "a journal file with damage in it is sealed; quarantine/ has enough of them")
            }
            Err(error) => tracing::warn!(number, %error, "cannot set a damaged journal file aside"),
        }
    }
}

/// Where a damaged segment goes; `None` when there are enough of them.
pub(crate) fn place_of<S: SegmentKind>(shared: &Shared, segment: &StoredSegment<S>) -> Option<PathBuf> {
    let quarantine = shared.options.path.join("quarantine");
    let folders =
        std::fs::read_dir(&quarantine).ok()?.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    let id = segment.segment_id();
    let place = quarantine.join(match id.signal {
        Signal::Traces => format!("{}-{id}", id.tenant),
        signal => format!("{signal}-{}-{id}", id.tenant),
    });
    (folders.count() < FILES_MAX && !place.exists()).then_some(place)
}

fn try_to(shared: &Shared, signal: Signal, file: &JournalFile) -> io::Result<bool> {
    let quarantine = shared.options.path.join("quarantine");
    let mut there = 0;
    for entry in std::fs::read_dir(&quarantine)? {
        there += usize::from(entry?.file_name().to_string_lossy().ends_with(SUFFIX));
    }
    if there >= FILES_MAX {
        return Ok(false);
    }
    let name = format!("{signal}-{:010}{SUFFIX}", file.number());
    shared.disk.rename(file.path(), &quarantine.join(name))?;
    shared.disk.sync_folder(&quarantine)?;
    Ok(true)
}
