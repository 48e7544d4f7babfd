//! Finds out, after any stop, which files count, how far, and what they should hold.
//!
//! Up to the durable mark everything was acknowledged: what cannot be read there is damaged. Sound frames beyond it may have
//! been acknowledged and may not be durable: they are copied to a new file before anybody sees them. That file's link
//! says where the one before ends, so that recovering again, after another crash, finds each frame once.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    JournalError, JournalOptions,
    checksummed::checksum,
    committer::Position,
    file::{self, HEADER_BYTES, JournalFile},
    group::{GroupHeader, Link},
    mark::{Mark, MarkFile},
    reader::{Record, Records, StoredFrame},
    spares,
    survey::Opening,
    tallies::Tallies,
    writer::{Layout, NewFile, OpenFile, Writable},
};
use crate::disk::Disk;

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

/// A file in the folder.
struct Found {
    number: u32,
    path: PathBuf,
    file: File,
    bytes: u64,
    salt: u64,
    /// The first readable group header and its position.
    first_group: Option<(u32, GroupHeader)>,
    has_frames: bool,
}

/// Where a file ends.
struct Ending {
    end: u32,
    closing: Tallies,
    /// Sound frames beyond the end, in the newest file only.
    beyond: Vec<StoredFrame>,
}

/// A file read to where nothing sound follows.
struct Scan {
    end: u32,
    /// Position of the last group header: everything before it was fsynced.
    vouched: u32,
    tallies: Tallies,
    /// Frames behind the last group header.
    after: Vec<StoredFrame>,
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
    let position = Position {
        folder: folder.clone(),
        salt,
        current: None,
        last: chain.last,
        next_number: next_number.max(options.first_number).max(1),
        tallies: chain.tallies,
        mark: mark_file,
    };
    let mut recovered = Recovered { files: chain.files, missing: chain.missing, total: Tallies::default(), copied: 0 };
    let position = copy_beyond(options, disk, now_ns, chain.beyond, position, &mut recovered)?;
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

impl Found {
    fn open(folder: &Path, number: u32, journal_salt: u64) -> io::Result<Self> {
        let path = folder.join(file::file_name(number));
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        let salt = header_salt(&file, number).unwrap_or(journal_salt);
        let mut found = Self { number, path, file, bytes, salt, first_group: None, has_frames: false };
        found.look_for_group();
        Ok(found)
    }

    fn look_for_group(&mut self) {
        let mut first_group = None;
        let mut has_frames = false;
        for record in self.records(self.bytes) {
            match record {
                Record::Group { position, header, .. } => {
                    first_group = Some((position, header));
                    break;
                }
                Record::Frame { .. } => has_frames = true,
                Record::Damaged(damage) => has_frames |= damage.header.is_some(),
            }
        }
        self.first_group = first_group;
        self.has_frames = has_frames;
    }

    fn records(&self, limit: u64) -> Records<'_> {
        Records::new(&self.file, self.salt, self.number, HEADER_BYTES as u32, limit)
    }

    /// What was accepted before this file, where its own first header says so.
    fn opening(&self) -> Option<&Tallies> {
        let (position, header) = self.first_group.as_ref()?;
        (*position == HEADER_BYTES as u32).then_some(&header.tallies)
    }

    fn link(&self) -> Option<Link> {
        self.first_group.as_ref().map(|(_, header)| header.link)
    }

    fn ending(&self, opening: Tallies, later: &[Self], mark: Option<&Mark>) -> Ending {
        let successor = later.iter().find(|file| file.first_group.is_some());
        let link = successor
            .and_then(Self::link)
            .or(mark.filter(|mark| mark.newest.file > self.number).map(|mark| mark.before));
        match link {
            Some(link) if link.file == self.number => {
                let closing = successor.and_then(Self::opening).cloned();
                let closing = closing.unwrap_or_else(|| self.scan(opening, u64::from(link.end)).closing());
                Ending { end: link.end, closing, beyond: Vec::new() }
            }
            told => {
                let mark = mark.filter(|mark| mark.newest.file == self.number);
                self.unlinked_ending(opening, mark, told.is_none(), later.first())
            }
        }
    }

    /// The end where no later file and no MARK says it: if this is the newest file, or what would say it is gone or unreadable.
    fn unlinked_ending(&self, opening: Tallies, mark: Option<&Mark>, is_newest: bool, next: Option<&Self>) -> Ending {
        let scan = self.scan(opening, self.bytes);
        let is_closed = match (next, scan.after.first()) {
            // The next file was begun when all of this one was durable. Or recovery made it: then it begins with what is beyond here.
            (Some(next), Some(beyond)) => !next.begins_with(beyond),
            (Some(_), None) => true,
            (None, _) => !is_newest,
        };
        let (end, closing) = if is_closed { (scan.end, scan.closing()) } else { (scan.vouched, scan.tallies) };
        let (end, closing) = match mark {
            Some(mark) if mark.newest.end >= end => (mark.newest.end, mark.tallies.clone()),
            _ => (end, closing),
        };
        // Of the newest file only: the next one has the others, or there are none.
        let beyond = scan.after.into_iter().filter(|frame| frame.offset.position() >= end && next.is_none()).collect();
        Ending { end, closing, beyond }
    }

    /// Whether its first sound frame is a copy of this one.
    fn begins_with(&self, frame: &StoredFrame) -> bool {
        let first = self.records(self.bytes).find_map(|record| match record {
            Record::Frame { frame, .. } => Some(frame),
            _ => None,
        });
        first.is_some_and(|first| first.header == frame.header && first.payload == frame.payload)
    }

    fn scan(&self, opening: Tallies, limit: u64) -> Scan {
        let mut scan = Scan { end: HEADER_BYTES as u32, vouched: 0, tallies: opening, after: Vec::new() };
        for record in self.records(limit) {
            match record {
                Record::Group { position, end, header } => {
                    scan.vouched = position;
                    scan.tallies = header.tallies;
                    scan.end = end;
                    scan.after.clear();
                }
                Record::Frame { frame, end } => {
                    scan.end = end;
                    scan.after.push(frame);
                }
                Record::Damaged(_) => {}
            }
        }
        scan
    }
}

impl Scan {
    fn closing(&self) -> Tallies {
        let mut closing = self.tallies.clone();
        for frame in &self.after {
            closing.add_frame(&frame.header);
        }
        closing
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

fn header_salt(file: &File, number: u32) -> Option<u64> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).ok()?;
    file::decode_header(&header, number)
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

/// Copies frames beyond the durable mark to a new file, whole or not at all.
fn copy_beyond(
    options: &JournalOptions,
    disk: &Disk,
    now_ns: u64,
    beyond: Vec<StoredFrame>,
    mut position: Position,
    recovered: &mut Recovered,
) -> Result<Position, JournalError> {
    if beyond.is_empty() {
        return Ok(position);
    }
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
    let mut file = OpenFile::create(disk, &temp, new, options.file_bytes_max).map_err(failed)?;
    let checksums: Vec<u32> = beyond.iter().map(|frame| checksum(&frame.payload)).collect();
    let writables = beyond.iter().zip(&checksums).map(|(frame, &payload_crc)| Writable {
        header: &frame.header,
        payload: &frame.payload,
        payload_crc,
    });
    file.write_group(&opening, writables, &mut Layout::default()).map_err(|error| failed(io::Error::other(error)))?;
    disk.rename(&temp, &path).map_err(failed)?;
    disk.sync_folder(&position.folder).map_err(failed)?;
    file.publish_end();
    for frame in &beyond {
        position.tallies.add_frame(&frame.header);
    }
    if let Err(error) = position.mark.write(position.salt, file.end(), file.link, &position.tallies) {
        tracing::debug!(%error, "the journal's MARK stays behind");
    }
    recovered.copied = beyond.len() as u64;
    recovered.files.push(file.journal_file.clone());
    position.next_number += 1;
    position.current = Some(file);
    Ok(position)
}
