//! Sets journal files with damage in them aside when they are sealed: what is left of them may be worth a look.

use std::{io, sync::Arc};

use super::Shared;
use crate::head::HeadFile;

/// So many stay there; further ones are let go.
const FILES_MAX: usize = 16;

const SUFFIX: &str = ".journal";

/// Moves sealed files to the quarantine folder. They are counted already, so that failing to is no reason to stop.
pub(super) fn set_aside(shared: &Shared, files: &[Arc<HeadFile>]) {
    for file in files {
        let number = file.number();
        match try_to(shared, file) {
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

fn try_to(shared: &Shared, file: &HeadFile) -> io::Result<bool> {
    let quarantine = shared.options.path.join("quarantine");
    let mut there = 0;
    for entry in std::fs::read_dir(&quarantine)? {
        there += usize::from(entry?.file_name().to_string_lossy().ends_with(SUFFIX));
    }
    if there >= FILES_MAX {
        return Ok(false);
    }
    let name = format!("traces-{:010}{SUFFIX}", file.number());
    shared.disk.rename(file.journal().path(), &quarantine.join(name))?;
    shared.disk.sync_folder(&quarantine)?;
    Ok(true)
}
