//! A journal file as recovery finds it: how far it counts, and what it should hold up to there.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    file::{self, HEADER_BYTES},
    group::{GroupHeader, Link},
    mark::Mark,
    reader::{Record, Records, StoredFrame},
    tallies::Tallies,
};

/// A file in the folder.
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) salt: u64,
    /// The first readable group header and its position.
    pub(super) first_group: Option<(u32, GroupHeader)>,
    pub(super) has_frames: bool,
}

/// Where a file ends.
pub(super) struct Ending {
    pub(super) end: u32,
    pub(super) closing: Tallies,
    /// Sound frames beyond the end, in the newest file only.
    pub(super) beyond: Vec<StoredFrame>,
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

impl Found {
    pub(super) fn open(folder: &Path, number: u32, journal_salt: u64) -> io::Result<Self> {
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
    pub(super) fn opening(&self) -> Option<&Tallies> {
        let (position, header) = self.first_group.as_ref()?;
        (header.is_whole && *position == HEADER_BYTES as u32).then_some(&header.tallies)
    }

    pub(super) fn link(&self) -> Option<Link> {
        self.first_group.as_ref().map(|(_, header)| header.link)
    }

    pub(super) fn ending(&self, opening: Tallies, later: &[Self], mark: Option<&Mark>) -> Ending {
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
        let mut scan = self.scan(opening, self.bytes);
        // The next file was begun when all of this one was durable. Or recovery made it, of frames beyond the durable mark here.
        let copied =
            next.and_then(Self::first_frame).and_then(|first| scan.after.iter().position(|each| is_copy(&first, each)));
        let (end, closing) = match copied {
            Some(index) => {
                let end = scan.after[index].offset.position();
                scan.after.truncate(index);
                (end, scan.closing())
            }
            None if next.is_some() || !is_newest => (scan.end, scan.closing()),
            None => (scan.vouched, scan.tallies.clone()),
        };
        let (end, closing) = match mark {
            Some(mark) if mark.newest.end >= end => (mark.newest.end, mark.tallies.clone()),
            _ => (end, closing),
        };
        // Of the newest file only: the next one has the others, or there are none.
        let beyond = scan.after.into_iter().filter(|frame| frame.offset.position() >= end && next.is_none()).collect();
        Ending { end, closing, beyond }
    }

    fn first_frame(&self) -> Option<StoredFrame> {
        self.records(self.bytes).find_map(|record| match record {
            Record::Frame { frame, .. } => Some(frame),
            _ => None,
        })
    }

    fn scan(&self, opening: Tallies, limit: u64) -> Scan {
        let mut scan = Scan { end: HEADER_BYTES as u32, vouched: 0, tallies: opening, after: Vec::new() };
        for record in self.records(limit) {
            match record {
                Record::Group { position, end, header } => {
                    scan.vouched = position;
                    scan.end = end;
                    if header.is_whole {
                        scan.tallies = header.tallies;
                        scan.after.clear();
                    } else {
                        // What the header does not say, as one before it cannot be read, is what the frames say.
                        for frame in scan.after.drain(..) {
                            scan.tallies.add_frame(&frame.header);
                        }
                        scan.tallies.replace(&header.tallies);
                    }
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

/// Whether recovery made this frame of that one.
fn is_copy(this: &StoredFrame, that: &StoredFrame) -> bool {
    this.header == that.header && this.payload == that.payload
}

/// The salt in a file's header, if that is sound.
pub(super) fn header_salt(file: &File, number: u32) -> Option<u64> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).ok()?;
    file::decode_header(&header, number).map(|(_, salt)| salt)
}
