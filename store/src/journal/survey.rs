//! A look at a journal's folder without opening the journal: for making a lost catalog anew.

use std::{collections::BTreeSet, io, path::Path};

use super::{file, mark::MarkFile, recovery::opening_of_file, tallies::Tallies};
use crate::disk::Disk;

/// What came before a place in the journal.
#[derive(Debug)]
pub(super) struct Opening {
    /// The file before, which held frames.
    pub(super) file_before: u32,
    /// Everything accepted and rejected up to its end.
    pub(super) tallies: Tallies,
}

/// What lies in the folder.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The numbers of its files.
    pub(crate) numbers: BTreeSet<u32>,
    mark: Option<Opening>,
    openings: Vec<(u32, Option<Opening>)>,
}

impl Survey {
    /// Reads names, first group headers and the MARK; changes nothing. An absent folder is an empty one.
    pub(crate) fn of(disk: &Disk, folder: &Path) -> io::Result<Self> {
        let mut numbers = BTreeSet::new();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            entries => Some(entries?),
        };
        for entry in entries.into_iter().flatten() {
            numbers.extend(file::file_number(&entry?.file_name().to_string_lossy()));
        }
        let (_, mark) = MarkFile::open(disk, folder);
        let salt = mark.as_ref().map(|mark| mark.salt);
        let openings = numbers.iter().map(|&number| Ok((number, opening_of_file(folder, number, salt)?)));
        let openings = openings.collect::<io::Result<_>>()?;
        let mark = mark.map(|mark| Opening { file_before: mark.newest.file, tallies: mark.tallies });
        Ok(Self { numbers, mark, openings })
    }

    /// Items accepted and rejected in the files below `first`, as the journal itself says. `None` when it does not, or when a
    /// file from `first` on is missing: nobody knows then what was in it and what came before.
    pub(crate) fn opening(&self, first: u32) -> Option<&Tallies> {
        let opening = match self.openings.iter().find(|(number, _)| *number >= first) {
            Some((_, opening)) => opening.as_ref(),
            None => self.mark.as_ref(),
        };
        opening.filter(|opening| opening.file_before < first).map(|opening| &opening.tallies)
    }
}
