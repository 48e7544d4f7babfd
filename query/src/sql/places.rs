//! Where queries put what does not fit into memory: a folder that is emptied at every start.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Makes the folder and deletes what a process that was killed left in it.
pub(super) fn emptied(folder: &Path) -> io::Result<PathBuf> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}
