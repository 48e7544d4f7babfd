//! Finds, before anything is changed, what a newer Weir wrote to a journal.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    file::{self, HEADER_BYTES, JournalFile},
    mark,
    reader::{Damage, Record, Records},
    record,
};

/// Records at the beginning of a file among which its first frame is looked for: a group header and a frame, and what a failed
/// write left behind.
const RECORDS: usize = 4;

/// Says whether a frame's payload has a version that is not known: which, and the highest that is.
pub(crate) type PayloadNewer = fn(&[u8]) -> Option<(u32, u32)>;

/// A file of a version that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newer {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its version.
    pub(crate) found: u32,
    /// The highest that is known.
    pub(crate) supported: u32,
}

impl Newer {
    /// An error when a stretch of a file is not damaged, but newer.
    pub(crate) fn of_damage(file: &JournalFile, damage: &Damage) -> Result<(), Self> {
        let supported = u32::from(record::VERSION);
        match damage.newer {
            Some(version) => Err(Self { path: file.path().to_owned(), found: u32::from(version), supported }),
            None => Ok(()),
        }
    }
}

/// Looks at MARK, and at each file's header and first record (a file's version is at least that of any record in it); with
/// `payload_newer` at its first frame, too.
pub(crate) fn find_newer(folder: &Path, payload_newer: Option<PayloadNewer>) -> io::Result<Option<Newer>> {
    if let Some(found) = mark::newer_version(folder) {
        return Ok(Some(Newer { path: folder.join(mark::NAME), found, supported: mark::VERSION }));
    }
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Some(number) = file::file_number(&entry.file_name().to_string_lossy()) else { continue };
        let file = File::open(entry.path())?;
        let mut header = [0; HEADER_BYTES];
        // A file too short for a header has none.
        let _ = file.read_exact_at(&mut header, 0);
        let newer = |found, supported| Ok(Some(Newer { path: entry.path(), found, supported }));
        let Some((version, salt)) = file::decode_header(&header, number) else { continue };
        if version > file::VERSION {
            return newer(version, file::VERSION);
        }
        let records = Records::new(&file, salt, number, HEADER_BYTES as u32, file.metadata()?.len());
        for record in records.take(payload_newer.map_or(1, |_| RECORDS)) {
            match record {
                Record::Damaged(damage) => {
                    if let Some(version) = damage.newer {
                        return newer(u32::from(version), u32::from(record::VERSION));
                    }
                }
                Record::Frame { frame, .. } => {
                    if let Some((found, supported)) = payload_newer.and_then(|is_newer| is_newer(&frame.payload)) {
                        return newer(found, supported);
                    }
                }
                Record::Group { .. } => {}
            }
        }
    }
    Ok(None)
}
