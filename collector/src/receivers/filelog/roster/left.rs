//! Paths that files have left: what comes there, and what rotation made of them.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use super::{Roster, Stranger};
use crate::receivers::filelog::{content::Stamp, cursor::is_rotated_name, tracked::Tracked};

/// A path that a file has left, and no other has taken, is looked after for so long.
const VACANT_NS: u64 = 3_600_000_000_000;

/// A path that a file has left.
pub(super) struct Left {
    pub(super) path: PathBuf,
    /// When the file was written last while it was there.
    pub(super) modified_ns: u64,
    pub(super) stream: PathBuf,
}

impl Left {
    pub(super) fn of(file: &Tracked) -> Self {
        Self { path: file.path.clone(), modified_ns: file.stamp.modified_ns, stream: file.stream.clone() }
    }

    /// The path where it was first.
    pub(super) fn first_of(file: &Tracked) -> Self {
        Self { path: file.stream.clone(), ..Self::of(file) }
    }
}

impl Roster {
    /// Paths that files have left and no other has taken: what comes there may be gone from there at the next look.
    pub(super) fn add_vacant(&self, now_ns: u64, left: &mut Vec<Left>) {
        let mut vacant: HashMap<&Path, u64> = HashMap::new();
        for file in self.files.values() {
            let is_recent = |since| now_ns.saturating_sub(since) < VACANT_NS;
            if file.path != file.stream || file.gone_since_ns.is_some_and(is_recent) {
                let modified_ns = vacant.entry(&file.stream).or_default();
                *modified_ns = file.stamp.modified_ns.max(*modified_ns);
            }
        }
        if vacant.is_empty() {
            return;
        }
        for file in self.files.values().filter(|file| file.seen_in == self.looks) {
            vacant.remove(&*file.path);
        }
        for (path, modified_ns) in vacant {
            left.push(Left { path: path.to_owned(), modified_ns, stream: path.to_owned() });
        }
    }

    /// Of paths that files have left: what rotation made of them since, and no pattern leads to.
    pub(super) fn add_rotated(&mut self, left: &[Left], now_ns: u64, strangers: &mut Vec<Stranger>) {
        // Several have left the same path, after a start above all.
        let mut oldest: BTreeMap<&Path, (u64, &Path)> = BTreeMap::new();
        for Left { path, modified_ns, stream } in left {
            let (known_ns, _) = oldest.entry(path).or_insert((*modified_ns, stream));
            *known_ns = (*modified_ns).min(*known_ns);
        }
        for (path, (modified_ns, stream)) in oldest {
            let modified_ns = modified_ns.saturating_sub(self.stepped_back_ns);
            for original in self.scanner.places(path) {
                self.add_rotated_of(&original, modified_ns, stream, now_ns, strangers);
            }
        }
    }

    /// Who is not known of files that no pattern leads to. One that is gone may have been deleted, and its inode be another's.
    fn stranger_there(&mut self, path: &Path, stamp: Stamp, now_ns: u64) -> Option<Stranger> {
        let stranger = |blank| Stranger { path: path.to_owned(), stamp, stream: None, is_candidate: false, blank };
        let Some(id) = self.by_inode.get(&(stamp.device, stamp.inode)).copied() else { return Some(stranger(None)) };
        let Some(file) = self.files.get(&id) else { return Some(stranger(None)) };
        let is_unchanged = (file.stamp.bytes, file.stamp.modified_ns) == (stamp.bytes, stamp.modified_ns);
        if file.gone_since_ns.is_none() || file.content.is_some() || (is_unchanged && !file.is_doubtful) {
            return None;
        }
        if file.is_blank() {
            return Some(stranger(self.take_out(id)));
        }
        let found = stranger(None);
        if self.is_same(id, &found) {
            self.found_gone(id, found, now_ns);
            return None;
        }
        self.lose(id);
        Some(found)
    }

    fn add_rotated_of(
        &mut self,
        original: &Path,
        modified_ns: u64,
        stream: &Path,
        now_ns: u64,
        strangers: &mut Vec<Stranger>,
    ) {
        let folder = original.parent().unwrap_or(Path::new("/"));
        for entry in self.scanner.list(folder, now_ns).iter().filter(|entry| !entry.is_folder && !entry.is_link) {
            let path = folder.join(&entry.name);
            if !is_rotated_name(&path, original) || self.scanner.is_excluded(&path) {
                continue;
            }
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let stamp = Stamp::of(&metadata);
            // What is older was there before.
            if !metadata.is_file() || stamp.modified_ns < modified_ns {
                continue;
            }
            let Some(stranger) = self.stranger_there(&path, stamp, now_ns) else { continue };
            let stream = Some(stream.to_owned());
            let inode = |stamp: &Stamp| (stamp.device, stamp.inode);
            match strangers.iter_mut().find(|known| inode(&known.stamp) == inode(&stamp)) {
                Some(known) => {
                    known.stream = known.stream.take().or(stream);
                    // Where it was is another's now, perhaps.
                    if !known.is_candidate {
                        known.path = path;
                    }
                }
                None => strangers.push(Stranger { stream, ..stranger }),
            }
        }
    }
}
