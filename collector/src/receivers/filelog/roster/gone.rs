//! Files that no pattern leads to any more: read on while they are open, looked for beside where they were, lost.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use super::{Left, Roster, Stranger, note_growth};
use crate::receivers::filelog::{
    content::{Content, Stamp},
    labels::Labels,
    metrics::EVENTS,
    tracked::Tracked,
};

/// A file that nothing leads to is closed when it has not grown for so long.
const GONE_OPEN_NS: u64 = 60_000_000_000;

impl Roster {
    /// Files that no pattern leads to any more: those that are open are read on, others are looked for beside where they were.
    pub(super) fn look_after_gone(&mut self, now_ns: u64, strangers: &mut Vec<Stranger>, left: &mut Vec<Left>) {
        // What became of files while nobody looked, also of those that were lost before.
        if self.looks == 1 {
            left.extend(self.files.values().filter(|file| file.seen_in != 1).map(Left::first_of));
        }
        let gone: Vec<u64> = {
            let is_gone = |file: &&Tracked| file.seen_in != self.looks && !file.is_lost;
            self.files.values().filter(is_gone).map(|file| file.id).collect()
        };
        for id in gone {
            let Some(file) = self.files.get_mut(&id) else { continue };
            let is_new = file.gone_since_ns.is_none();
            let since_ns = *file.gone_since_ns.get_or_insert(now_ns);
            if is_new || self.looks == 1 {
                left.push(Left::of(file));
                file.has_left();
            }
            let stamp = file.content.as_ref().map(Content::stamp);
            match stamp {
                Some(Ok(stamp)) => {
                    let is_same = (stamp.bytes, stamp.modified_ns) == (file.stamp.bytes, file.stamp.modified_ns);
                    if !is_same || file.is_doubtful {
                        let (path, stream) = (file.path.clone(), Some(file.stream.clone()));
                        let is_blank = file.is_blank();
                        let blank = if is_blank { self.take_out(id) } else { None };
                        let found = Stranger { path, stamp, stream, is_candidate: false, blank };
                        if is_blank {
                            strangers.push(found);
                        } else if self.is_same(id, &found) {
                            if let Some(file) = self.files.get_mut(&id).filter(|file| !file.is_doubtful) {
                                note_growth(file, stamp, now_ns);
                            }
                        } else {
                            self.replaced(id, found, &mut Vec::new(), left);
                        }
                        continue;
                    }
                    // By its names others are known to be what was made of it.
                    file.stamp.links = stamp.links;
                    let is_idle = now_ns.saturating_sub(since_ns.max(file.grown_at_ns)) > GONE_OPEN_NS;
                    if is_idle && (file.is_read || !file.has_more()) {
                        file.content = None;
                    }
                    if stamp.links == 0 && file.content.is_none() {
                        self.lose(id);
                    }
                }
                Some(Err(_)) => file.content = None,
                None => {
                    let is_sought = is_new || self.looks == 1 || file.is_failing;
                    // What was empty or a copy may be written to, and be another then.
                    if file.is_blank() || file.copy_of.is_some() {
                        self.look_at_closed(id, strangers);
                    }
                    // What could not be opened may have moved on.
                    if is_sought && self.files.contains_key(&id) {
                        self.find_gone(id, now_ns);
                    }
                }
            }
        }
    }

    /// Looks at a file that is not open, where it was last.
    fn look_at_closed(&mut self, id: u64, strangers: &mut Vec<Stranger>) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let Ok(metadata) = fs::symlink_metadata(&file.path) else { return };
        let stamp = Stamp::of(&metadata);
        let (path, stream) = (file.path.clone(), Some(file.stream.clone()));
        let is_other = (stamp.device, stamp.inode) != (file.stamp.device, file.stamp.inode);
        if is_other || (stamp.bytes, stamp.modified_ns) == (file.stamp.bytes, file.stamp.modified_ns) {
            return;
        }
        if file.copy_of.is_some() {
            file.stamp = stamp;
        } else {
            let blank = self.take_out(id);
            strangers.push(Stranger { path, stamp, stream, is_candidate: false, blank });
        }
    }

    /// Looks beside where a file was for where it is now.
    pub(super) fn find_gone(&mut self, id: u64, now_ns: u64) {
        let Some(file) = self.files.get(&id) else { return };
        let inode = (file.stamp.device, file.stamp.inode);
        for place in self.scanner.places(&file.path) {
            let folder = place.parent().unwrap_or(Path::new("/")).to_owned();
            for entry in self.scanner.list(&folder, now_ns).iter().filter(|entry| !entry.is_folder && !entry.is_link) {
                let path = folder.join(&entry.name);
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                let stamp = Stamp::of(&metadata);
                if (stamp.device, stamp.inode) != inode || !metadata.is_file() {
                    continue;
                }
                // It has not moved: it is the patterns that are others now.
                let has_moved = self.files.get(&id).is_some_and(|file| file.path != path || file.stream != path);
                if !has_moved {
                    return;
                }
                let found = Stranger { path, stamp, stream: None, is_candidate: false, blank: None };
                match self.is_same(id, &found) {
                    true => return self.found_gone(id, found, now_ns),
                    false => return self.lose(id),
                }
            }
        }
        self.lose(id);
    }

    /// A file is where no pattern leads to.
    pub(super) fn found_gone(&mut self, id: u64, found: Stranger, now_ns: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            file.path = found.path;
            file.labels = Labels::of(&file.path, &self.config);
            file.is_wanted = true;
            file.is_dirty = true;
            file.retry_at_ns = 0;
            if !file.is_doubtful {
                note_growth(file, found.stamp, now_ns);
            }
            EVENTS.with_label_values(&[self.receiver.as_str(), "moved"]).inc();
        }
    }

    /// Nothing is left of a file but what may have been made of it.
    pub(super) fn lose(&mut self, id: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            self.by_inode.remove(&(file.stamp.device, file.stamp.inode));
            file.is_lost = true;
            file.is_dirty = true;
            file.content = None;
        }
    }
}

/// Of files with one inode only the last has it: that it was taken over may have been known when the process ended, while the
/// journal heard of the newer file only. What became of the others is then found by their content.
pub(super) fn lose_taken_over(files: &mut BTreeMap<u64, Tracked>) {
    let mut taken = HashSet::new();
    for file in files.values_mut().rev().filter(|file| !file.is_lost) {
        if !taken.insert((file.stamp.device, file.stamp.inode)) {
            file.is_lost = true;
            file.is_dirty = true;
        }
    }
}
