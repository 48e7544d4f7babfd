//! A look at a journal's folder without opening the journal: for making a lost catalog anew.

use std::{collections::BTreeSet, io, path::Path};

use super::{file, mark::MarkFile, recovery::opening_of_file, tallies::Tallies};
use crate::disk::Disk;

/// What lies in the folder.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The numbers of its files.
    pub(crate) numbers: BTreeSet<u32>,
    mark: Option<Tallies>,
    openings: Vec<(u32, Option<Tallies>)>,
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
        Ok(Self { numbers, mark: mark.map(|mark| mark.tallies), openings })
    }

    /// Items accepted and rejected before the first file numbered `first` or above, as the journal itself says.
    pub(crate) fn opening(&self, first: u32) -> Option<&Tallies> {
        match self.openings.iter().find(|(number, _)| *number >= first) {
            Some((_, opening)) => opening.as_ref(),
            None => self.mark.as_ref(),
        }
    }
}
