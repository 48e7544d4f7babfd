//! Which files there are: folders are read again only when they have changed.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    config::FilelogConfig,
    glob::{Glob, Name},
};

/// A folder whose last change was seen first less than this before it was read is read again: its time may not tell the next change, as
/// file systems count in ticks, of up to two seconds. Whose clock they count by nobody knows.
const SETTLED_NS: u64 = 2_000_000_000;

/// Links that are remembered.
const LINKS_MAX: usize = 100_000;

/// Links that lead to links.
const LINKS_EACH_OTHER_MAX: usize = 8;

/// Folders in each other below `**`.
const DEPTH_MAX: usize = 64;

/// Folders that are no files of anybody's, unless a pattern names them.
const NOT_ENTERED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What a folder holds.
#[derive(Debug)]
struct Listing {
    modified_ns: u64,
    /// When it was first seen to be modified then, in steady time.
    since_ns: u64,
    read_at_ns: u64,
    entries: Arc<Vec<Entry>>,
    /// The round in which it was last asked for.
    round: u64,
}

/// A name in a folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: std::ffi::OsString,
    pub(super) is_folder: bool,
    pub(super) is_link: bool,
}

/// Finds files.
#[derive(Debug)]
pub(super) struct Scanner {
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    roots: Vec<PathBuf>,
    entries_max: usize,
    listings: HashMap<PathBuf, Listing>,
    round: u64,
    entries: usize,
    is_told: bool,
    /// Links with the files that they led to when they were looked at, and whether they may.
    links: HashMap<PathBuf, ((u64, u64), bool)>,
}

/// A path that fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) is_link: bool,
}

impl Scanner {
    pub(super) fn new(config: &FilelogConfig) -> Self {
        let mut roots: Vec<PathBuf> = config.symlink_roots.clone();
        roots.extend(config.include.iter().flat_map(|glob| &glob.ways).map(|way| way.root.clone()));
        Self {
            include: config.include.clone(),
            exclude: config.exclude.clone(),
            roots,
            entries_max: config.scan_entries_max,
            listings: HashMap::new(),
            round: 0,
            entries: 0,
            is_told: false,
            links: HashMap::new(),
        }
    }

    /// The paths that fit now, in order, each once. `now_ns` never steps, here as below.
    pub(super) fn scan(&mut self, now_ns: u64) -> Vec<Candidate> {
        self.round += 1;
        self.entries = 0;
        let mut found = Vec::new();
        for glob in self.include.clone() {
            for way in &glob.ways {
                self.walk(&way.root, &way.names, 0, now_ns, &mut found);
            }
        }
        found.sort();
        found.dedup();
        found.retain(|candidate| !self.is_excluded(&candidate.path));
        let round = self.round;
        self.listings.retain(|_, listing| listing.round == round);
        found
    }

    /// Whether a path is excluded.
    pub(super) fn is_excluded(&self, path: &Path) -> bool {
        self.exclude.iter().any(|glob| glob.fits(path))
    }

    /// Whether a link, which leads to this file, may be followed: to below where patterns begin, or where the kubelet's lead.
    pub(super) fn may_follow(&mut self, path: &Path, file: (u64, u64)) -> bool {
        if let Some((known, may)) = self.links.get(path)
            && *known == file
        {
            return *may;
        }
        let Ok(target) = path.canonicalize() else { return false };
        let may = self.may_lead(path, &target);
        if self.links.len() >= LINKS_MAX {
            self.links.clear();
        }
        self.links.insert(path.to_owned(), (file, may));
        if !may {
            tracing::warn!(
                path = %path.display(), target = %target.display(),
                "a symbolic link leads out of the folders that are read: not followed (symlink_roots names more)"
            );
        }
        may
    }

    fn may_lead(&self, path: &Path, target: &Path) -> bool {
        let is_below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| target.starts_with(root));
        self.roots.iter().any(is_below) || is_kubelets(path, target)
    }

    /// A path, and where it leads when it is a link, though nothing be there just now: rotation happens there.
    pub(super) fn places(&self, path: &Path) -> Vec<PathBuf> {
        let mut at = path.to_owned();
        for _ in 0..LINKS_EACH_OTHER_MAX {
            let Ok(target) = fs::read_link(&at) else { break };
            let target = at.parent().unwrap_or(Path::new("/")).join(target);
            let folder = target.parent().and_then(|folder| folder.canonicalize().ok());
            let (Some(folder), Some(name)) = (folder, target.file_name()) else { break };
            at = folder.join(name);
        }
        let leads = at != *path && self.may_lead(path, &at);
        std::iter::once(path.to_owned()).chain(leads.then_some(at)).collect()
    }

    /// The names in a folder; none when it cannot be read.
    pub(super) fn list(&mut self, folder: &Path, now_ns: u64) -> Arc<Vec<Entry>> {
        self.try_list(folder, now_ns).unwrap_or_default()
    }

    fn try_list(&mut self, folder: &Path, now_ns: u64) -> io::Result<Arc<Vec<Entry>>> {
        let metadata = fs::metadata(folder)?;
        let modified_ns = metadata.mtime().max(0) as u64 * 1_000_000_000 + metadata.mtime_nsec() as u64;
        let mut since_ns = now_ns;
        if let Some(known) = self.listings.get_mut(folder)
            && known.modified_ns == modified_ns
        {
            known.round = self.round;
            if known.since_ns + SETTLED_NS < known.read_at_ns {
                return Ok(known.entries.clone());
            }
            since_ns = known.since_ns;
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            self.entries += 1;
            if self.entries > self.entries_max {
                if !std::mem::replace(&mut self.is_told, true) {
                    let most = self.entries_max;
                    tracing::warn!(
                        "a pattern of filelog leads to more than {most} names (scan_entries_max): not all are looked at"
                    );
                }
                break;
            }
            let Ok(entry) = entry else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_file() || kind.is_dir() || kind.is_symlink() {
                entries.push(Entry { name: entry.file_name(), is_folder: kind.is_dir(), is_link: kind.is_symlink() });
            }
        }
        let entries = Arc::new(entries);
        let listing =
            Listing { modified_ns, since_ns, read_at_ns: now_ns, entries: entries.clone(), round: self.round };
        self.listings.insert(folder.to_owned(), listing);
        Ok(entries)
    }

    fn walk(&mut self, folder: &Path, names: &[Name], depth: usize, now_ns: u64, found: &mut Vec<Candidate>) {
        let Some((name, rest)) = names.split_first() else { return };
        if depth > DEPTH_MAX || self.entries > self.entries_max {
            return;
        }
        if let (Name::Literal(literal), true) = (name, rest.is_empty()) {
            let path = folder.join(literal);
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                let kind = metadata.file_type();
                if kind.is_file() || kind.is_symlink() {
                    found.push(Candidate { path, is_link: kind.is_symlink() });
                }
            }
            return;
        }
        if let Name::Literal(literal) = name {
            return self.walk(&folder.join(literal), rest, depth + 1, now_ns, found);
        }
        if *name == Name::Any {
            self.walk(folder, rest, depth, now_ns, found);
        }
        if depth > 0 && NOT_ENTERED.iter().any(|not| folder == Path::new(not)) {
            return;
        }
        for entry in self.list(folder, now_ns).iter() {
            let path = folder.join(&entry.name);
            match name {
                Name::Any if entry.is_folder => self.walk(&path, names, depth + 1, now_ns, found),
                // What `**` stands for is no file, unless nothing follows it.
                Name::Any if rest.is_empty() => found.push(Candidate { path, is_link: entry.is_link }),
                Name::Any => {}
                name if !name.fits(entry.name.as_encoded_bytes()) => {}
                _ if rest.is_empty() && !entry.is_folder => found.push(Candidate { path, is_link: entry.is_link }),
                _ if !rest.is_empty() && (entry.is_folder || entry.is_link) => {
                    self.walk(&path, rest, depth + 1, now_ns, found);
                }
                _ => {}
            }
        }
    }
}

/// `/var/log/containers` leads to `/var/log/pods`, and that to where the runtime writes.
fn is_kubelets(path: &Path, target: &Path) -> bool {
    let from = ["/var/log/containers", "/var/log/pods"];
    let to = [
        "/var/log/pods",
        "/var/log/containers",
        "/var/lib/docker/containers",
        "/var/lib/containerd",
        "/var/lib/containers",
    ];
    let is_below = |path: &Path, folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    is_below(path, &from) && is_below(target, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn folders_are_read_again_as_long_as_their_times_may_tell_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let pattern = folder.path().join("*.log").to_string_lossy().into_owned();
        let config = serde_json::from_value(serde_json::json!({"include": [pattern]})).expect("a configuration");
        let mut scanner = Scanner::new(&config);
        // The file system's clock has been behind for an hour, and stands.
        let hour_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 - 3600);
        let make = |name: &str| {
            fs::write(folder.path().join(name), "").expect("written");
            fs::File::open(folder.path()).expect("a folder").set_modified(hour_ago).expect("set");
        };
        let now_ns = 1_800_000_000 * SECOND_NS;
        make("a.log");
        assert_eq!(scanner.scan(now_ns).len(), 1);
        make("b.log");
        assert_eq!(scanner.scan(now_ns + SECOND_NS).len(), 2);
        make("c.log");
        assert_eq!(scanner.scan(now_ns + 3 * SECOND_NS).len(), 3, "read when nothing can come in the same tick");
        make("d.log");
        assert_eq!(scanner.scan(now_ns + 4 * SECOND_NS).len(), 3, "it is not read for nothing");
    }
}
