//! Finds out, after any stop, which files count, how far, and what they should hold.
//!
//! Up to the durable mark everything was acknowledged: what cannot be read there is damaged. Sound frames beyond it may have
//! been acknowledged and may not be durable: they are copied to a new file before anybody sees them. That file's link
//! says where the one before ends, so that recovering again, after another crash, finds each frame once.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

use super::{
    JournalError, JournalOptions,
    checksummed::checksum,
    committer::Position,
    file::{self, HEADER_BYTES, JournalFile},
    found::{Ending, Found, header_salt},
    group::{Counted, Link},
    mark::{Mark, MarkFile},
    reader::{Record, Records, StoredFrame},
    record::padding_bytes,
    spares,
    survey::Opening,
    tallies::Tallies,
    writer::{GroupError, Layout, NewFile, OpenFile, Writable},
};
use crate::disk::{Disk, is_refusal};

const TEMP_SUFFIX: &str = ".tmp";

/// What was found when the journal was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The files that count, oldest first. All are closed, except the last one when frames were copied to it.
    pub files: Vec<Arc<JournalFile>>,
    /// Files that are gone although they were not sealed: their items are damaged.
    pub missing: Vec<Missing>,
    /// Everything accepted and rejected since the journal began.
    pub total: Tallies,
    /// Frames found beyond the durable mark, and copied.
    pub copied: u64,
}

/// Files that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The lowest number that may be missing.
    pub first: u32,
    /// The highest.
    pub last: u32,
    /// What they held.
    pub tallies: Tallies,
}

pub(super) fn recover(
    options: &JournalOptions,
    disk: &Disk,
    now_ns: u64,
) -> Result<(Recovered, Position), JournalError> {
    let folder = &options.folder;
    let in_folder = |source| JournalError::Folder { path: folder.clone(), source };
    disk.make_folders(folder).map_err(in_folder)?;
    let (mark_file, mark) = MarkFile::open(disk, folder);
    let mut numbers = list(disk, folder).map_err(in_folder)?;
    let highest = numbers.last().copied().unwrap_or(0);
    // Files that were sealed and not removed any more.
    let kept_from = numbers.partition_point(|&number| number < options.first_number);
    for number in numbers.drain(..kept_from) {
        remove(disk, &folder.join(file::file_name(number)));
    }
    let salt = salt_of(folder, &numbers, mark.as_ref()).unwrap_or(options.salt.max(1));
    let next_number = highest.max(mark.as_ref().map_or(0, |mark| mark.newest.file)) + 1;
    let mark = mark.filter(|mark| mark.newest.file >= options.first_number);

    let mut found = Vec::new();
    for number in numbers {
        found.push(Found::open(folder, number, salt).map_err(in_folder)?);
    }
    let found = remove_void(disk, found, mark.as_ref());
    let mut chain = Chain::new(options);
    for (index, each) in found.iter().enumerate() {
        let ending = each.ending(chain.opening_of(each), &found[index + 1..], mark.as_ref());
        chain.add(each, ending).map_err(in_folder)?;
    }
    if let Some(mark) = &mark {
        chain.reach(mark);
    }
    let mut position = Position {
        folder: folder.clone(),
        salt,
        current: None,
        last: chain.last,
        next_number: next_number.max(options.first_number).max(1),
        changed: chain.tallies.clone(),
        tallies: chain.tallies,
        mark: mark_file,
    };
    let mut recovered = Recovered { files: chain.files, missing: chain.missing, total: Tallies::default(), copied: 0 };
    copy_beyond(options, disk, now_ns, &chain.beyond, &mut position, &mut recovered)?;
    recovered.total = position.tallies.clone();
    Ok((recovered, position))
}

/// What was accepted and rejected before a file, where its own first group header says so.
pub(super) fn opening_of_file(folder: &Path, number: u32, salt: Option<u64>) -> io::Result<Option<Opening>> {
    let found = Found::open(folder, number, salt.unwrap_or_default())?;
    let file_before = found.link().map_or(0, |link| link.file);
    Ok(found.opening().map(|tallies| Opening { file_before, tallies: tallies.clone() }))
}

/// The files taken so far, and what they amount to.
struct Chain {
    files: Vec<Arc<JournalFile>>,
    missing: Vec<Missing>,
    tallies: Tallies,
    last: Link,
    last_number: u32,
    beyond: Vec<StoredFrame>,
}

impl Chain {
    fn new(options: &JournalOptions) -> Self {
        Self {
            files: Vec::new(),
            missing: Vec::new(),
            tallies: options.opening.clone(),
            last: Link::default(),
            last_number: options.first_number.max(1) - 1,
            beyond: Vec::new(),
        }
    }

    /// What came before a file: what it says itself, or else where the one before ended.
    fn opening_of(&self, found: &Found) -> Tallies {
        found.opening().unwrap_or(&self.tallies).clone()
    }

    fn add(&mut self, found: &Found, ending: Ending) -> io::Result<()> {
        let opening = self.opening_of(found);
        self.note_missing(found.number - 1, &opening);
        let file = found.file.try_clone()?;
        let journal_file = JournalFile::new(found.number, found.salt, found.path.clone(), file, opening, ending.end)
            .linked(found.link().unwrap_or_default());
        journal_file.close(ending.closing.clone());
        self.files.push(Arc::new(journal_file));
        self.tallies = ending.closing;
        self.last = Link { file: found.number, end: ending.end };
        self.last_number = found.number;
        self.beyond = ending.beyond;
        Ok(())
    }

    /// The MARK may know of a file that is gone altogether.
    fn reach(&mut self, mark: &Mark) {
        if mark.newest.file > self.last_number {
            self.note_missing(mark.newest.file, &mark.tallies);
            self.tallies = mark.tallies.clone();
            self.last = mark.newest;
            self.beyond.clear();
        }
    }

    fn note_missing(&mut self, last: u32, tallies: &Tallies) {
        let gap = tallies.since(&self.tallies);
        if !gap.is_empty() {
            self.missing.push(Missing { first: (self.last_number + 1).min(last), last, tallies: gap });
        }
    }
}

/// The journal's file numbers, sorted; temporary and spare files are removed.
fn list(disk: &Disk, folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(number) = file::file_number(&name) {
            numbers.push(number);
        } else if name.ends_with(TEMP_SUFFIX) || spares::is_spare(&name) {
            remove(disk, &entry.path());
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove(disk: &Disk, path: &Path) {
    if let Err(error) = disk.unlink(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove a journal file that is not needed any more");
    }
}

/// The journal's salt: in the MARK, in every file's header and in every record.
fn salt_of(folder: &Path, numbers: &[u32], mark: Option<&Mark>) -> Option<u64> {
    if let Some(mark) = mark {
        return Some(mark.salt);
    }
    let files =
        || numbers.iter().filter_map(|&number| Some((number, File::open(folder.join(file::file_name(number))).ok()?)));
    files()
        .find_map(|(number, file)| header_salt(&file, number))
        .or_else(|| files().find_map(|(number, file)| record_salt(&file, number)))
}

/// The salt that the first record begins with, if that record is sound.
fn record_salt(file: &File, number: u32) -> Option<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, HEADER_BYTES as u64).ok()?;
    let salt = u64::from_le_bytes(bytes);
    let limit = file.metadata().ok()?.len();
    match Records::new(file, salt, number, HEADER_BYTES as u32, limit).next()? {
        Record::Group { .. } => Some(salt),
        _ => None,
    }
}

/// Leaves out, and removes, files that never came to hold anything: created, but their first group was not durable.
fn remove_void(disk: &Disk, found: Vec<Found>, mark: Option<&Mark>) -> Vec<Found> {
    let mut counting = Vec::new();
    let mut link_after = mark.map(|mark| (mark.newest.file, mark.before));
    for file in found.into_iter().rev() {
        let skipped = link_after.is_some_and(|(number, link)| file.number < number && link.file < file.number);
        let marked = mark.is_some_and(|mark| mark.newest.file == file.number);
        let closed = link_after.is_some_and(|(_, link)| link.file == file.number);
        let empty = file.first_group.is_none() && !file.has_frames && !marked && !closed;
        if let Some(link) = file.link() {
            link_after = Some((file.number, link));
        }
        let behind_mark = mark.is_some_and(|mark| mark.newest.file > file.number);
        if skipped || (empty && !behind_mark) {
            remove(disk, &file.path);
        } else {
            counting.push(file);
        }
    }
    counting.reverse();
    counting
}

/// Makes frames beyond the durable mark durable: in a new file, or where there is no space for one, where they lie.
fn copy_beyond(
    options: &JournalOptions,
    disk: &Disk,
    now_ns: u64,
    beyond: &[StoredFrame],
    position: &mut Position,
    recovered: &mut Recovered,
) -> Result<(), JournalError> {
    if beyond.is_empty() {
        return Ok(());
    }
    let mut copied = beyond.to_vec();
    if let (Some(complete), Some(file)) = (options.completing, recovered.files.last()) {
        complete(file, &mut copied);
    }
    match copy_to_new(options, disk, now_ns, &copied, position, recovered) {
        Err(JournalError::Copy { path, source }) if is_refusal(&source) => {
            tracing::warn!(error = %source, "cannot copy frames that may not be durable; written again where they lie");
            keep_in_place(disk, beyond, position, recovered).map_err(|source| JournalError::Copy { path, source })
        }
        result => result,
    }
}

/// Writes the frames once more where they lie, at the end of the newest file: the same bytes, so that a stop at any moment changes
/// nothing. The file then ends behind them.
fn keep_in_place(
    disk: &Disk,
    beyond: &[StoredFrame],
    position: &mut Position,
    recovered: &mut Recovered,
) -> io::Result<()> {
    let (Some(found), Some(last)) = (recovered.files.pop(), beyond.last()) else { return Ok(()) };
    let end = last.payload_position + last.payload.len() as u32;
    let end = end + padding_bytes(end);
    let file = disk.open(found.path())?;
    file.rewrite(u64::from(found.bytes()), u64::from(end))?;
    file.sync()?;
    for frame in beyond {
        position.tallies.add_frame(&frame.header);
    }
    let opening = found.opening().clone();
    let (before, before_end) = found.before();
    let link = Link { file: before, end: before_end };
    let kept = JournalFile::new(found.number(), found.salt(), found.path().to_owned(), file.reader()?, opening, end);
    let kept = kept.linked(link);
    kept.close(position.tallies.clone());
    position.last = Link { file: found.number(), end };
    position.changed = position.tallies.clone();
    let counted = Counted { all: &position.tallies, changed: &position.changed };
    if let Err(error) = position.mark.write(position.salt, position.last, link, counted) {
        tracing::debug!(%error, "the journal's MARK stays behind");
    }
    recovered.files.push(Arc::new(kept));
    Ok(())
}

/// Copies the frames to a new file, whole or not at all.
fn copy_to_new(
    options: &JournalOptions,
    disk: &Disk,
    now_ns: u64,
    beyond: &[StoredFrame],
    position: &mut Position,
    recovered: &mut Recovered,
) -> Result<(), JournalError> {
    let number = position.next_number;
    let path = position.folder.join(file::file_name(number));
    let temp = position.folder.join(format!("{}{TEMP_SUFFIX}", file::file_name(number)));
    let opening = position.tallies.clone();
    let new = NewFile {
        number,
        path: path.clone(),
        salt: position.salt,
        link: position.last,
        opening: opening.clone(),
        created_at_ns: now_ns,
    };
    let failed = |source| JournalError::Copy { path: path.clone(), source };
    // Of what is written before an error nothing stays.
    let failed = |source| {
        let _ = disk.unlink(&temp);
        failed(source)
    };
    let mut file = OpenFile::create(disk, &temp, new, options.allocate_bytes()).map_err(failed)?;
    let checksums: Vec<u32> = beyond.iter().map(|frame| checksum(&frame.payload)).collect();
    let writables = beyond.iter().zip(&checksums).map(|(frame, &payload_crc)| Writable {
        header: &frame.header,
        payload: &frame.payload,
        payload_crc,
    });
    let counted = Counted { all: &opening, changed: &opening };
    file.write_group(counted, writables, &mut Layout::default()).map_err(|error| match error {
        GroupError::Write(source) => failed(source),
        error => failed(io::Error::other(error)),
    })?;
    disk.rename(&temp, &path).map_err(failed)?;
    disk.sync_folder(&position.folder).map_err(failed)?;
    file.publish_end();
    for frame in beyond {
        position.tallies.add_frame(&frame.header);
    }
    position.changed = position.tallies.clone();
    let counted = Counted { all: &position.tallies, changed: &position.changed };
    if let Err(error) = position.mark.write(position.salt, file.end(), file.link, counted) {
        tracing::debug!(%error, "the journal's MARK stays behind");
    }
    recovered.copied = beyond.len() as u64;
    recovered.files.push(file.journal_file.clone());
    position.next_number += 1;
    position.current = Some(file);
    Ok(())
}
