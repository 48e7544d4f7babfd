//! Finds what a file that nobody knows by its inode was before: the same one elsewhere, or a copy of one that is still there.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{Kin, Roster};
use crate::receivers::filelog::{
    content::{Content, Stamp},
    cursor::is_rotated_name,
    mark::Mark,
    tracked::Tracked,
};

/// Bytes that are compared at once.
const COMPARED_BYTES: usize = 64 << 10;

/// Known files by what they may be known again by. Made when there are strangers.
#[derive(Debug, Default)]
pub(super) struct KinIndex {
    /// Files that are lost, or gone, by their beginnings.
    beginnings: HashMap<(u32, u64), Vec<u64>>,
    /// How long those are.
    lengths: BTreeSet<u32>,
    /// Files that are there by their names, whole and without what follows the last point.
    names: HashMap<Vec<u8>, Vec<u64>>,
}

impl KinIndex {
    /// Of all files.
    pub(super) fn of<'f>(files: impl Iterator<Item = &'f Tracked>) -> Self {
        let mut index = Self::default();
        for file in files {
            let Mark { bytes, hash } = file.beginning;
            // Of one that begins with space that nobody wrote to, what was read last tells.
            if (bytes > 0 || file.offset > 0) && (file.is_lost || file.gone_since_ns.is_some()) {
                index.lengths.insert(bytes);
                index.beginnings.entry((bytes, hash)).or_default().push(file.id);
            }
            if !file.is_lost {
                index.add_name(file);
            }
        }
        index
    }

    /// One more that is there, or is there elsewhere.
    pub(super) fn add_name(&mut self, file: &Tracked) {
        for path in [&file.path, &file.stream] {
            let Some(name) = path.file_name().map(|name| name.as_encoded_bytes()) else { continue };
            self.names.entry(name.to_vec()).or_default().push(file.id);
            if let Some(at) = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0) {
                self.names.entry(name[..at].to_vec()).or_default().push(file.id);
            }
        }
    }

    /// Files that are lost, or gone, and began as this text does.
    fn beginning_so(&self, first: &[u8]) -> Vec<u64> {
        let mut found = Vec::new();
        let mut hash = Mark::default().hash;
        let mut at = 0;
        for &length in self.lengths.iter().take_while(|length| **length as usize <= first.len()) {
            for byte in &first[at..length as usize] {
                hash = Mark { bytes: 0, hash }.and(*byte);
            }
            at = length as usize;
            found.extend(self.beginnings.get(&(length, hash)).into_iter().flatten());
        }
        found
    }

    /// Files that are there whose name rotation may have made this one of.
    fn named_before(&self, path: &Path) -> Vec<u64> {
        let Some(name) = path.file_name().map(|name| name.as_encoded_bytes()) else { return Vec::new() };
        let cuts = name.iter().enumerate().filter(|(_, byte)| b".-_".contains(byte)).map(|(at, _)| at);
        let mut found: Vec<u64> =
            cuts.flat_map(|at| self.names.get(&name[..at]).into_iter().flatten().copied()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Roster {
    /// The known file whose content this one has, if there is one. One that `was_empty` is not what was cut off its own inode, even if
    /// it was written the same again.
    pub(super) fn kin(
        &mut self,
        index: &mut KinIndex,
        (path, stream, now_ns): (&Path, Option<&Path>, u64),
        content: &mut Content,
        stamp: &Stamp,
        was_empty: bool,
    ) -> io::Result<Option<Kin>> {
        let mut first = vec![0; self.config.fingerprint_size as usize];
        let read = content.read(0, &mut first)?;
        let first = &first[..read];
        if first.is_empty() {
            return Ok(None);
        }
        let mut lost: Option<(u64, u64)> = None;
        let alike = index.beginning_so(first);
        for &id in &alike {
            self.look_again(id, index, now_ns);
            let Some(file) = self.files.get(&id).filter(|file| file.is_lost) else { continue };
            if was_empty && (file.stamp.device, file.stamp.inode) == (stamp.device, stamp.inode) {
                continue;
            }
            let tail = file.tail_mark();
            let reaches = content.is_gzip() || stamp.bytes >= file.offset;
            if reaches && tail.is_at(content, file.offset.saturating_sub(u64::from(tail.bytes)))? {
                lost = lost.max(Some((file.offset, file.id)));
            }
        }
        if let Some((_, id)) = lost {
            return Ok(Some(Kin::Same(id)));
        }
        let mut copied: Option<(u64, u64)> = None;
        // Through links names tell nothing; but that rotation made it of what was written there does.
        let is_of_stream = |file: &Tracked| stream.is_some_and(|stream| file.stream == *stream);
        let mut streams_own = Vec::new();
        if stream.is_some() {
            streams_own.extend(self.files.values().filter(|file| is_of_stream(file)).map(|file| file.id));
        }
        for id in index.named_before(path).into_iter().chain(alike).chain(streams_own) {
            let Some(file) = self.files.get_mut(&id) else { continue };
            // What has no name any more, and is read as long as it is open, may have become anything.
            let is_nameless = file.content.is_some() && file.stamp.links == 0;
            let is_named = [&file.path, &file.stream].into_iter().any(|original| is_rotated_name(path, original));
            if file.is_lost || file.copy_of.is_some() || !(is_nameless || is_named || is_of_stream(file)) {
                continue;
            }
            let same = with_content(file, |file, original| copied_bytes(content, stamp, file, original));
            if let Some(same) = same.transpose()?.filter(|same| *same > 0) {
                copied = copied.max(Some((same, file.id)));
            }
        }
        Ok(copied.map(|(_, id)| Kin::Copy(id)))
    }

    /// Of files that are new, from this number on: a copy that is not finished yet was written before its original was, and may have become
    /// known before it.
    pub(super) fn find_unfinished_copies(&mut self, first_new: u64, index: &KinIndex) {
        let new: Vec<u64> = self.files.range(first_new..).map(|(id, _)| *id).collect();
        for id in new {
            let Some(file) = self.files.get(&id).filter(|file| file.offset == 0 && file.copy_of.is_none()) else {
                continue;
            };
            let path = file.path.clone();
            let originals = index.named_before(&path);
            if originals.is_empty() {
                continue;
            }
            let Some(mut copy) = self.files.remove(&id) else { continue };
            let was_open = copy.content.is_some();
            if let Some(mut content) = self.opened(&mut copy) {
                let is_original = |original: &Tracked| {
                    let is_named =
                        [&original.path, &original.stream].into_iter().any(|name| is_rotated_name(&path, name));
                    is_named && !original.is_lost && original.copy_of.is_none()
                };
                copy.copy_of = originals.into_iter().find_map(|of| {
                    let original = self.files.get_mut(&of).filter(|original| is_original(original))?;
                    with_content(original, |_, of_original| compare(&mut content, of_original, 0))
                        .and_then(Result::ok)
                        // All of it, and the original has more.
                        .filter(|(same, differs)| *same > 0 && !differs && *same == copy.stamp.bytes)
                        .map(|(same, _)| (of, same))
                });
                // The journal knows of files, not of copies.
                copy.is_dirty &= copy.copy_of.is_none();
                copy.content = was_open.then_some(content);
            }
            self.files.insert(id, copy);
        }
    }

    /// Finds out where a file is that is gone and not open: it may be elsewhere since it was looked for, or nowhere.
    fn look_again(&mut self, id: u64, index: &mut KinIndex, now_ns: u64) {
        let Some(file) = self.files.get(&id) else { return };
        if file.is_lost || file.content.is_some() {
            return;
        }
        let is_there = fs::symlink_metadata(&file.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (file.stamp.device, file.stamp.inode));
        if is_there {
            return;
        }
        self.find_gone(id, now_ns);
        if let Some(file) = self.files.get(&id).filter(|file| !file.is_lost) {
            index.add_name(file);
        }
    }

    /// Whether what is no copy of the one is one of another, or is another that was lost: then it is lost itself.
    fn is_anothers_copy(&mut self, copy: &mut Tracked, now_ns: u64) -> bool {
        let Some(mut content) = copy.content.take() else { return false };
        let mut index = KinIndex::of(self.files.values());
        let (path, stream, stamp) = (copy.path.clone(), copy.stream.clone(), copy.stamp);
        let kin = self.kin(&mut index, (&path, Some(&stream), now_ns), &mut content, &stamp, false);
        match kin {
            Ok(Some(Kin::Same(id))) => {
                self.forgotten.push(copy.id);
                self.goes_on(id, path, content, stamp, now_ns);
                copy.is_lost = true;
                true
            }
            Ok(Some(Kin::Copy(of))) => {
                copy.copy_of = Some((of, 0));
                copy.content = Some(content);
                true
            }
            Ok(None) => {
                copy.content = Some(content);
                false
            }
            // What cannot be read now is looked at again.
            Err(_) => {
                copy.content = Some(content);
                true
            }
        }
    }

    /// Copies become what they are copies of when that is lost, and files of their own when they differ.
    pub(super) fn look_at_copies(&mut self, now_ns: u64) {
        let copies: Vec<(u64, u64)> = self.files.values().filter_map(|file| Some((file.id, file.copy_of?.0))).collect();
        for (id, of) in copies {
            let Some(mut copy) = self.files.remove(&id) else { continue };
            let was_open = copy.content.is_some();
            copy.content = self.opened(&mut copy);
            let is_done = match (copy.content.take(), self.files.get_mut(&of)) {
                (Some(mut content), Some(original)) if original.is_lost => {
                    let stamp = copy.stamp;
                    let is_it = original.is_unchanged(&mut content, &stamp);
                    if let Ok(true) = is_it {
                        self.forgotten.push(id);
                        self.goes_on(of, copy.path.clone(), content, stamp, now_ns);
                        continue;
                    }
                    copy.content = Some(content);
                    // What cannot be read now is looked at again.
                    is_it.is_ok()
                }
                (Some(mut content), Some(original)) => {
                    let differs = differs(&mut content, original, &mut copy);
                    copy.content = Some(content);
                    differs
                }
                // It cannot be looked at, or is gone too.
                (None, Some(_)) => false,
                (content, None) => {
                    copy.content = content;
                    true
                }
            };
            if !was_open && !is_done {
                copy.content = None;
            }
            // As far as it was known it may have been one of another.
            let is_done = is_done && !self.is_anothers_copy(&mut copy, now_ns);
            if copy.is_lost {
                continue;
            }
            if is_done {
                copy.copy_of = None;
                copy.is_read = false;
                copy.has_left();
            }
            self.files.insert(id, copy);
        }
    }
}

/// Asks a file's content, opened for the moment where it is not open; `None` when it is not there any more.
fn with_content<R>(file: &mut Tracked, ask: impl FnOnce(&Tracked, &mut Content) -> R) -> Option<R> {
    if let Some(mut content) = file.content.take() {
        let answer = ask(file, &mut content);
        file.content = Some(content);
        return Some(answer);
    }
    let (mut content, stamp) = Content::open(&file.path).ok()??;
    let is_it = (stamp.device, stamp.inode) == (file.stamp.device, file.stamp.inode);
    is_it.then(|| ask(file, &mut content))
}

/// How much of a content is the same as a known file's, when the one may be a copy of the other; 0 when it is none. A file may have
/// been cut since this look came past it: a copy has what was read of it then.
fn copied_bytes(content: &mut Content, stamp: &Stamp, file: &Tracked, original: &mut Content) -> io::Result<u64> {
    if file.is_cut(original)? {
        let was_read = file.beginning.bytes > 0 && file.offset > 0;
        return Ok(if was_read && file.is_unchanged(content, stamp)? { file.offset } else { 0 });
    }
    let (same, differs) = compare(content, original, 0)?;
    Ok(if differs { 0 } else { same })
}

/// Whether a copy is none: compares both as far as they go, from where it was compared to before.
fn differs(content: &mut Content, original: &mut Tracked, copy: &mut Tracked) -> bool {
    let Some((of, at)) = copy.copy_of else { return false };
    let compared = with_content(original, |file, original| {
        // What it is a copy of is not there any more.
        if file.is_cut(original)? { Ok((at, false)) } else { compare(content, original, at) }
    });
    match compared {
        Some(Ok::<_, io::Error>((same, differs))) => {
            copy.copy_of = Some((of, same));
            differs
        }
        Some(Err(_)) | None => false,
    }
}

/// Up to where two contents are the same, from `at` on, and whether they differ there: one that ends does not.
fn compare(one: &mut Content, other: &mut Content, at: u64) -> io::Result<(u64, bool)> {
    let (mut ones, mut others) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    let mut at = at;
    loop {
        let both = one.read(at, &mut ones)?.min(other.read(at, &mut others)?);
        if ones[..both] != others[..both] {
            return Ok((at, true));
        }
        at += both as u64;
        if both < COMPARED_BYTES {
            return Ok((at, false));
        }
    }
}
